import tomllib
from pathlib import Path

import pytest
from pydantic import ValidationError

from shop_hub.core.settings import Settings, load

MANUAL = Path(__file__).parents[2] / "config" / "default.toml"


def test_the_manual_shows_every_setting_with_its_default() -> None:
    assert tomllib.loads(MANUAL.read_text()) == Settings().model_dump(mode="json")


def test_every_setting_in_the_manual_is_explained() -> None:
    settings = [line for line in MANUAL.read_text().splitlines() if "=" in line.split("#")[0]]
    assert [line for line in settings if "#" not in line] == []


def test_a_variable_overrides_the_file(tmp_path: Path) -> None:
    file = tmp_path / "hub.toml"
    file.write_text("[http]\nport = 9000\nthreads = 20\n")
    settings = load(file, {"SHOP_HUB__HTTP__PORT": "9001"})
    assert (settings.http.port, settings.http.threads) == (9001, 20)


def test_an_unknown_name_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "hub.toml"
    file.write_text("[http]\nprot = 9000\n")
    with pytest.raises(ValidationError):
        load(file, {})


def test_the_secret_is_made_once_and_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path / "village")
    assert settings.secret() == settings.secret()
    assert (tmp_path / "village" / "secret").stat().st_mode & 0o777 == 0o600
