"""Fixtures: a fresh database on SQLite and on PostgreSQL, the application over it, one site."""

import functools
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from sqlalchemy import Engine, create_engine, text

import build_hook
from shop_hub.core import schema
from shop_hub.core.db import Database
from shop_hub.core.settings import Settings
from shop_hub.core.sites import Site
from shop_hub.core.web import ShopHub
from tests import shared
from tests.servers import MUST_NOT_SKIP, postgresql_folder, running_postgresql

# A busy machine is no failure: examples may take their time.
hypothesis_settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
hypothesis_settings.load_profile("patient")

PARTS = {
    "chromium": lambda: Path("/usr/bin/chromium").exists(),
    "espeak-ng": lambda: bool(shutil.which("espeak-ng")),
    "mosquitto": lambda: bool(shutil.which("mosquitto", path=os.environ.get("PATH", "") + ":/usr/sbin")),
    "postgresql": lambda: postgresql_folder() is not None,
}


EMPTY = """
DO $$ DECLARE name text; BEGIN
  PERFORM pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid();
  SET session_replication_role = replica;
  FOR name IN SELECT quote_ident(relname) FROM pg_class
    WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND relname <> 'alembic_version'
      AND pg_relation_size(oid) > 0 LOOP
    EXECUTE 'DELETE FROM ' || name;
  END LOOP;
  PERFORM setval(quote_ident(sequencename)::regclass, 1, false) FROM pg_sequences WHERE last_value IS NOT NULL;
END $$
"""
"""Deletes all rows of all tables: no trigger or foreign key is in the way of the server's owner."""


def pytest_configure(config: pytest.Config) -> None:
    """Compile the message catalogues once, before any worker process starts, so that tests see the texts of today."""
    if not hasattr(config, "workerinput"):
        build_hook.compile_catalogues()


def pytest_collection_finish() -> None:
    """Begin to share what is compiled."""
    shared.begin()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say loudly what this machine could not show."""
    missing = [package for package, is_there in PARTS.items() if not is_there()]
    if missing:
        terminalreporter.write_sep("!", "NOT EVERYTHING WAS TESTED", red=True, bold=True)
        terminalreporter.write_line(f"Skipped: all tests that need {', '.join(missing)}. To run them too:")
        terminalreporter.write_line(f"    sudo apt-get update && sudo apt-get install {' '.join(missing)}")


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated, empty SQLite file."""
    path = tmp_path_factory.mktemp("template") / "hub.sqlite3"
    _create_and_close(Database(f"sqlite:///{path}"))
    return path


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    """A server with a migrated, empty database named `template`."""
    if postgresql_folder() is None and not MUST_NOT_SKIP:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    with running_postgresql() as address:
        _sql(f"{address}/postgres", "CREATE DATABASE template")
        _create_and_close(Database(f"{address}/template"))
        yield address
        for name in ("postgres", "template"):
            _engine(f"{address}/{name}").dispose()


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
def page_database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """A fresh database for tests of pages: SQLite, or PostgreSQL if SHOP_HUB_PAGES_ON says so."""
    if os.environ.get("SHOP_HUB_PAGES_ON") == "postgresql":
        yield from _fresh_postgresql(request.getfixturevalue("postgresql_server"))
    else:
        yield from _fresh_sqlite(request.getfixturevalue("sqlite_template"), tmp_path)


@pytest.fixture
def site(database: Database) -> Site:
    """One shop in the fresh database."""
    return make_site(database)


@pytest.fixture
def app(database: Database, tmp_path: Path) -> ShopHub:
    """The whole application over a fresh database; no thread runs, nothing is connected."""
    from shop_hub.app import create_app

    return create_app(Settings(data=tmp_path / "data", production=False), database)


@pytest.fixture
def client(app: ShopHub) -> FlaskClient:
    """A visitor's browser without script."""
    return app.test_client()


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
    shared.share_statements(database)
    yield database
    database.dispose()


def _fresh_postgresql(address: str) -> Iterator[Database]:
    """One database for all tests, emptied after each: ten times quicker than a new one."""
    database = Database(f"{address}/template")
    shared.share_statements(database)
    yield database
    database.dispose()
    _sql(f"{address}/template", EMPTY)


def _create_and_close(database: Database) -> None:
    try:
        schema.upgrade(database)
    finally:
        database.dispose()


def _sql(address: str, statement: str) -> None:
    with _engine(address).connect() as connection:
        connection.execute(text(statement))


@functools.cache
def _engine(address: str) -> Engine:
    """One connection for all that is done between tests: it remembers how."""
    return create_engine(address, isolation_level="AUTOCOMMIT", pool_pre_ping=True)
