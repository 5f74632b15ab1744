import re

import pytest
from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text

from shop_hub.core import schema
from shop_hub.core.db import Database
from shop_hub.models import Base


def constraints(database: Database) -> dict[str, set[str]]:
    """Return names of checks, unique constraints, indexes and foreign keys of each table."""
    found = inspect(database.engine)
    names = {}
    for table in found.get_table_names():
        if table != "alembic_version":
            parts = [
                found.get_check_constraints,
                found.get_unique_constraints,
                found.get_indexes,
                found.get_foreign_keys,
            ]
            names[table] = {f"{part.__name__} {item['name']}" for part in parts for item in part(table)}
    return names


def check_texts(database: Database) -> set[tuple[str, str, str]]:
    found = inspect(database.engine)
    return {
        (table, item["name"], re.sub(r"[\s()\"']", "", item["sqltext"]))
        for table in found.get_table_names()
        for item in found.get_check_constraints(table)
    }


def triggers(database: Database) -> set[str]:
    statement = (
        "SELECT name FROM sqlite_master WHERE type = 'trigger'"
        if database.is_sqlite
        else "SELECT trigger_name FROM information_schema.triggers"
    )
    with database.engine.connect() as connection:
        return set(connection.scalars(text(statement)))


@pytest.fixture
def from_models(database: Database, tmp_path):
    """A database of the same kind whose tables come from the models."""
    if database.is_sqlite:
        other = Database(f"sqlite:///{tmp_path}/models.sqlite3")
        Base.metadata.create_all(other.write_engine)
        yield other
        other.dispose()
        return
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("CREATE DATABASE from_models"))
    other = Database(database.url.rpartition("/")[0] + "/from_models")
    Base.metadata.create_all(other.write_engine)
    yield other
    other.dispose()
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("DROP DATABASE from_models WITH (FORCE)"))


def test_migrations_lead_to_what_the_models_say(database: Database, from_models: Database) -> None:
    schema.check(database)
    assert constraints(database) == constraints(from_models)
    assert check_texts(database) == check_texts(from_models)
    assert triggers(database) == triggers(from_models)


def test_an_upgrade_of_an_up_to_date_database_changes_nothing(database: Database) -> None:
    before = constraints(database)
    schema.upgrade(database)
    assert (constraints(database), schema.current(database)) == (before, schema.head())


def test_a_database_of_a_newer_version_is_refused(database: Database) -> None:
    with database.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    try:
        with pytest.raises(schema.NewerSchemaError):
            schema.upgrade(database)
    finally:
        with database.engine.begin() as connection:
            connection.execute(text("UPDATE alembic_version SET version_num = :head"), {"head": schema.head()})


@pytest.mark.parametrize(
    "revision", [script.revision for script in ScriptDirectory.from_config(schema.config()).walk_revisions()]
)
def test_a_village_of_every_landed_version_upgrades_in_place(tmp_path, revision: str) -> None:
    database = Database(f"sqlite:///{tmp_path}/old.sqlite3")
    alembic = schema.config()
    with database.write_engine.begin() as connection:
        alembic.attributes["connection"] = connection
        command.upgrade(alembic, revision)
        connection.execute(text(SITE_OF_THE_FIRST_VERSION))
    schema.upgrade(database)
    with database.engine.connect() as connection:
        assert connection.scalar(text("SELECT slug FROM site")) == "old"
    assert schema.current(database) == schema.head()
    database.dispose()


SITE_OF_THE_FIRST_VERSION = (
    "INSERT INTO site (slug, name, street, postcode, place, land, timezone, phone) "
    "VALUES ('old', 'Old', '', '', '', 'BB', 'Europe/Berlin', '')"
)
