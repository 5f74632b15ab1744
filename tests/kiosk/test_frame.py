"""The kiosk's frame without a browser: every form works without script, and a reset forgets the visitor."""

import re
import shutil

import pytest
from flask.testing import FlaskClient


def token(client: FlaskClient, path: str = "/kiosk/") -> str:
    found = re.search(r'name="csrf_token" value="([^"]+)"', client.get(path).text)
    assert found
    return found[1]


def html_attributes(client: FlaskClient) -> dict[str, str]:
    opening = re.search(r"<html ([^>]*)>", client.get("/kiosk/").text)
    assert opening
    return dict(re.findall(r'([\w-]+)="([^"]*)"', opening[1]))


def test_the_reference_screen_gets_its_sizes(client: FlaskClient):
    shown = html_attributes(client)
    assert (shown["data-root"], shown["data-mm"], shown["data-zoom"], shown["data-theme"]) == (
        "41px",
        "4.03px",
        "100",
        "light",
    )


def test_display_and_language_are_kept_until_the_reset(client: FlaskClient):
    key = token(client)
    for path, form in [("display", {"zoom": "200"}), ("display", {"theme": "dark"}), ("language", {"language": "en"})]:
        answer = client.post(f"/kiosk/{path}", data={"csrf_token": key, "next": "/kiosk/", **form})
        assert (answer.status_code, answer.location) == (302, "/kiosk/")
    shown = html_attributes(client)
    assert (shown["lang"], shown["data-zoom"], shown["data-theme"]) == ("en", "200", "dark")
    assert client.post("/kiosk/reset", data={"csrf_token": key}).location == "/kiosk/?fresh=1"
    shown = html_attributes(client)
    assert (shown["lang"], shown["data-zoom"], shown["data-theme"]) == ("de", "100", "light")


@pytest.mark.parametrize("form", [{"zoom": "9000"}, {"theme": "pink"}, {}])
def test_an_unknown_display_is_refused(client: FlaskClient, form: dict[str, str]):
    assert client.post("/kiosk/display", data={"csrf_token": token(client), **form}).status_code == 422


@pytest.mark.parametrize("wanted", ["https://evil.example/kiosk/", "//evil.example/kiosk/", "/office/", "javascript:1"])
def test_a_switch_never_leads_away_from_the_kiosk(client: FlaskClient, wanted: str):
    form = {"csrf_token": token(client), "zoom": "150", "next": wanted}
    assert client.post("/kiosk/display", data=form).location == "/kiosk/"


@pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="espeak-ng is not installed")
def test_a_text_is_read_aloud(client: FlaskClient):
    answer = client.post("/kiosk/speech", data={"csrf_token": token(client), "text": "Guten Tag"})
    sound = client.get(answer.get_json()["url"])
    assert (sound.mimetype, sound.data[:4]) == ("audio/wav", b"RIFF")


def test_an_endless_text_is_not_read_aloud(client: FlaskClient):
    form = {"csrf_token": token(client), "text": "x" * 4001}
    assert client.post("/kiosk/speech", data=form).status_code == 422


def test_a_refusal_is_a_page_with_a_way_on(client: FlaskClient):
    answer = client.get("/kiosk/no-such-page")
    assert answer.status_code == 404
    assert 'href="/kiosk/"' in answer.text


@pytest.mark.parametrize(
    ("left", "again"),
    [
        ("/kiosk/parcels/code", "/kiosk/parcels/code"),
        ("/kiosk/shop/goods?words=brot", "/kiosk/shop/goods?words=brot"),
        ("/kiosk/shop/lines/1", None),
        ("/office/", None),
        ("/kiosk/", None),
    ],
)
def test_a_refusal_leads_back_to_the_page_that_was_left(client: FlaskClient, left: str, again: str | None):
    referrer = f"http://localhost{left}"
    form = {"csrf_token": token(client), "zoom": "9000"}
    answer = client.post("/kiosk/display", data=form, headers={"Referer": referrer})
    links = re.findall(r'href="(/kiosk/[^"]*)"', answer.text)
    assert set(links) == {"/kiosk/", again} - {None}


def test_a_foreign_referrer_is_no_way_back(client: FlaskClient):
    answer = client.get("/kiosk/no-such-page", headers={"Referer": "https://evil.example/kiosk/board"})
    assert "evil" not in answer.text
    assert "/kiosk/board" not in answer.text
