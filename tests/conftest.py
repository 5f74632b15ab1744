"""Fixtures: a fresh database on SQLite and on PostgreSQL, the application over it, one site."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from shop_hub.core import schema
from shop_hub.core.db import Database
from shop_hub.core.sites import Site
from tests.servers import MUST_NOT_SKIP, postgresql_folder, running_postgresql

pytest_plugins: list[str] = []


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated, empty SQLite file."""
    path = tmp_path_factory.mktemp("template") / "hub.sqlite3"
    database = Database(f"sqlite:///{path}")
    _create(database)
    database.dispose()
    return path


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    """A server with a migrated, empty database named `template`."""
    if postgresql_folder() is None and not MUST_NOT_SKIP:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    with running_postgresql() as address:
        _sql(address, "CREATE DATABASE template")
        database = Database(f"{address}/template")
        _create(database)
        database.dispose()
        yield address


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """A fresh, migrated, empty database of each kind."""
    if request.param == "sqlite":
        yield from _fresh_sqlite(request.getfixturevalue("sqlite_template"), tmp_path)
    else:
        yield from _fresh_postgresql(request.getfixturevalue("postgresql_server"))


@pytest.fixture
def sqlite_database(sqlite_template: Path, tmp_path: Path) -> Iterator[Database]:
    """A fresh SQLite database, where the kind makes no difference."""
    yield from _fresh_sqlite(sqlite_template, tmp_path)


@pytest.fixture
def site(database: Database) -> Site:
    """One shop in the fresh database."""
    return make_site(database)


def make_site(database: Database, slug: str = "lindenau") -> Site:
    """Create a site and return it, detached."""
    with database.transaction() as session:
        site = Site(slug=slug, name="Dorfladen", street="Dorfstraße 1", postcode="16999", place="Lindenau", land="BB")
        session.add(site)
    return site


def _fresh_sqlite(template: Path, folder: Path) -> Iterator[Database]:
    path = folder / "hub.sqlite3"
    shutil.copy(template, path)
    database = Database(f"sqlite:///{path}")
    yield database
    database.dispose()


def _fresh_postgresql(address: str) -> Iterator[Database]:
    name = f"test_{os.urandom(6).hex()}"
    _sql(address, f"CREATE DATABASE {name} TEMPLATE template")
    database = Database(f"{address}/{name}")
    yield database
    database.dispose()
    _sql(address, f"DROP DATABASE {name} WITH (FORCE)")


def _create(database: Database) -> None:
    from shop_hub.models import Base

    if schema.head() is None:
        Base.metadata.create_all(database.write_engine)
    else:
        schema.upgrade(database)


def _sql(address: str, statement: str) -> None:
    engine = create_engine(f"{address}/postgres", isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(statement))
    engine.dispose()
