"""What a volunteer administrator meets at the command line: sentences, never stack traces."""

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import select

from shop_hub.cli import main
from shop_hub.core.db import Database
from shop_hub.core.settings import Settings
from shop_hub.core.sites import Site
from shop_hub.fleet.hublease import LeaseKeeper
from shop_hub.fleet.partitions import ALL
from shop_hub.people.models import Operator

PASSWORD = "vier kraniche am see"
ANSWERS = {"site": "Dorfladen", "slug": "lindenau", "place": "Lindenau", "administrator": "chef", "password": PASSWORD}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "village"


@pytest.fixture
def run(data: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    monkeypatch.setenv("SHOP_HUB__DATA", str(data))
    monkeypatch.delenv("SHOP_HUB_CONFIG", raising=False)
    return lambda *arguments: CliRunner().invoke(main, arguments)


@pytest.fixture
def set_up(run) -> Callable[..., Result]:
    def answer(**changed: str) -> Result:
        answers = ANSWERS | changed
        return run("setup", *(part for name, value in answers.items() for part in (f"--{name}", value)))

    return answer


def told(result: Result) -> tuple[int, str]:
    return result.exit_code, result.output.removeprefix("Error: ").strip()


def all_of(data: Path, column) -> list[object]:
    database = Database(f"sqlite:///{data}/hub.sqlite3")
    with database.reading() as session:
        found = list(session.scalars(select(column)))
    database.dispose()
    return found


def test_a_village_is_set_up_with_the_address_that_receipts_show(set_up, data: Path) -> None:
    done = set_up(street="Dorfstraße 1", postcode="16999", land="bb")
    assert (done.exit_code, "/office/ as chef" in done.output) == (0, True)
    assert all_of(data, Site.street + " " + Site.postcode + " " + Site.land) == ["Dorfstraße 1 16999 BB"]
    assert data.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"slug": "Bad Slug!"}, "The short name may only have small letters a-z, digits and hyphens, up to 40."),
        ({"slug": "a" * 41}, "The short name may only have small letters a-z, digits and hyphens, up to 40."),
        (
            {"land": "Augsburg"},
            "The Land must be one of BB, BE, BW, BY, HB, HE, HH, MV, NI, NW, RP, SH, SL, SN, ST, TH.",
        ),
        ({"site": "  "}, "The shop needs a name and a village."),
        ({"password": "kurz"}, "The password needs at least 8 characters. Better are 15 or more, such as four words."),
    ],
)
def test_a_wrong_answer_is_refused_and_creates_nothing(set_up, data: Path, changed, sentence: str) -> None:
    assert told(set_up(**changed)) == (1, sentence)
    assert (all_of(data, Site.slug), all_of(data, Operator.user_name)) == ([], [])


def test_a_village_is_not_set_up_twice(set_up, data: Path) -> None:
    set_up()
    assert told(set_up()) == (1, "There is a shop with the short name lindenau already.")
    assert told(set_up(slug="lindenau-2")) == (1, "This name is taken already.")
    assert all_of(data, Site.slug) == ["lindenau"]


def test_a_password_is_reset_for_operators_only(set_up, run) -> None:
    set_up()
    assert told(run("reset-password", "nobody", "--password", PASSWORD)) == (1, "There is no operator named nobody.")
    assert told(run("reset-password", "Chef", "--password", PASSWORD)) == (0, "The password was changed.")


@pytest.mark.parametrize(
    ("variable", "value", "sentence"),
    [
        ("SHOP_HUB__HTTP__PORT", "abc", "The settings are wrong. http.port: Input should be a valid integer"),
        ("SHOP_HUB__DATABASE_URL", "mysql://x", "The settings are wrong. database_url: String should match pattern"),
        ("SHOP_HUB_CONFIG", "/nowhere.toml", "The settings file cannot be read: "),
    ],
)
def test_wrong_settings_are_named(run, monkeypatch: pytest.MonkeyPatch, variable, value, sentence: str) -> None:
    monkeypatch.setenv(variable, value)
    code, text = told(run("doctor"))
    assert (code, text[: len(sentence)]) == (1, sentence)


@pytest.mark.postgresql
def test_without_a_database_the_doctor_goes_on_and_commands_end_with_a_sentence(
    run, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("psycopg")
    monkeypatch.setenv("SHOP_HUB__DATABASE_URL", "postgresql+psycopg://x@127.0.0.1:1/x")
    found = {line[5:].split(":")[0]: line[:4] for line in run("doctor").output.splitlines()}
    assert found["database"] == found["schema"] == found["shop"] == "BAD "
    assert found["disk"] == "ok  "
    assert told(run("upgrade"))[1].startswith("The database cannot be used: connection failed")
    assert told(run("backup"))[1].startswith("This is for SQLite.")


def test_a_folder_that_others_may_read_is_found(set_up, run, data: Path) -> None:
    set_up()
    data.chmod(0o755)
    assert f"BAD  data: {data}, mode 755; 700 is right" in run("doctor").output


def test_a_backup_of_nothing_is_refused_and_leaves_no_file(run, data: Path) -> None:
    code, text = told(run("backup"))
    assert (code, text) == (1, f"{data}/hub.sqlite3 is damaged, or not the database of a hub. Nothing was changed.")
    assert list((data / "backups").iterdir()) == []


def test_a_backup_comes_back_over_a_damaged_database_which_is_kept(set_up, run, data: Path) -> None:
    set_up()
    file = run("backup").output.strip()
    assert told(run("restore", "--verify", file)) == (0, "Everything adds up.")
    (data / "hub.sqlite3").write_bytes(b"SQLite format 3\0" + b"rubbish" * 9000)
    assert told(run("restore", file)) == (0, "Everything adds up.")
    assert all_of(data, Site.slug) == ["lindenau"]
    assert [path.stat().st_size for path in data.glob("replaced-*.sqlite3")] == [63016]


def test_nothing_is_restored_under_a_running_hub(set_up, run, data: Path) -> None:
    set_up()
    file = run("backup").output.strip()
    database = Database(Settings(data=data).database)
    keeper = LeaseKeeper(database, ALL, "running hub")
    keeper.take()
    assert told(run("restore", file)) == (1, "The hub is running. Stop it, then restore.")
    keeper.release()
    database.dispose()
    assert told(run("restore", file)) == (0, "Everything adds up.")


def test_a_backup_without_its_secret_is_refused(set_up, run, data: Path, tmp_path: Path) -> None:
    set_up()
    file = Path(run("backup").output.strip())
    lonely = tmp_path / file.name
    file.rename(lonely)
    (data / "secret").unlink()
    code, text = told(run("restore", "--verify", str(lonely)))
    assert (code, text) == (1, f"The backup's secret is missing: {lonely.with_suffix('.secret')}")


def test_a_file_that_is_no_backup_is_refused(set_up, run, tmp_path: Path) -> None:
    set_up()
    other = tmp_path / "other #1?.sqlite3"
    with sqlite3.connect(other) as connection:
        connection.execute("CREATE TABLE other (id INTEGER)")
    connection.close()
    code, text = told(run("restore", "--verify", str(other)))
    assert (code, text.endswith("Nothing was changed.")) == (1, True)
