"""Built files: long kept, packed, and from a lock that names no host."""

import json
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from shop_hub.core.assets import FOLDER, asset

SOURCES = Path(__file__).parents[2] / "kiosk" / "assets"


def test_a_file_is_kept_for_a_year_under_a_name_of_its_content(client: FlaskClient):
    answer = client.get(asset("kiosk.css"), buffered=True)
    assert answer.mimetype == "text/css"
    assert answer.cache_control.immutable
    assert answer.cache_control.max_age == 31_536_000
    assert "Content-Encoding" not in answer.headers


@pytest.mark.parametrize(
    ("name", "mimetype"),
    [
        ("kiosk.css", "text/css"),
        ("kiosk.js", "text/javascript"),
        ("icons.svg", "image/svg+xml"),
        ("zxing_reader.wasm", "application/wasm"),
    ],
)
def test_a_browser_that_unpacks_gets_it_packed(client: FlaskClient, name: str, mimetype: str):
    answer = client.get(asset(name), headers={"Accept-Encoding": "gzip"}, buffered=True)
    assert (answer.mimetype, answer.headers["Content-Encoding"], answer.vary) == (mimetype, "gzip", {"Accept-Encoding"})
    assert len(answer.data) < (FOLDER / asset(name).rsplit("/", 1)[1]).stat().st_size


@pytest.mark.parametrize("path", ["/static/manifest.txt", "/static/kiosk.css", "/static/..%2Fassets%2Fpackage.json"])
def test_other_files_are_not_served(client: FlaskClient, path: str):
    assert client.get(path).status_code == 404


def test_an_unknown_name_is_a_programming_error():
    with pytest.raises(RuntimeError, match=r"no built file is named nothing\.css"):
        asset("nothing.css")


def test_the_lock_names_no_host_and_checks_every_package():
    lock = (SOURCES / "package-lock.json").read_text(encoding="utf-8")
    packages = json.loads(lock)["packages"]
    assert "://" not in lock
    assert [name for name, package in packages.items() if name and not package["integrity"].startswith("sha512-")] == []


def test_the_first_page_is_light():
    parts = ["kiosk.css", "kiosk.js", "icons.svg"]
    packed = sum((FOLDER / f"{asset(name).rsplit('/', 1)[1]}.gz").stat().st_size for name in parts)
    font = (FOLDER / asset("atkinson-hyperlegible-next-latin-wght-normal.woff2").rsplit("/", 1)[1]).stat().st_size
    assert packed + font < 150_000  # kiosk.md, K1
