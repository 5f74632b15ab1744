"""Whether a database has the newest tables, told without Alembic and SQLAlchemy: they cost each start a second."""

import sqlite3
from contextlib import closing
from pathlib import Path

VERSIONS = Path(__file__).parent.parent / "migrations" / "versions"


def newest() -> str:
    """Return the newest revision that this version knows: the number in front of the last migration's name."""
    return max(file.name for file in VERSIONS.glob("[0-9]*.py")).partition("_")[0]


def is_newest(url: str) -> bool:
    """Tell whether a SQLite database needs no upgrade; False where only an upgrade can tell.

    Args:
        url: SQLAlchemy URL of the database.
    """
    file = Path(url.removeprefix("sqlite:///"))
    if not url.startswith("sqlite") or not file.exists():
        return False
    try:
        with closing(sqlite3.connect(file)) as connection:
            return connection.execute("SELECT version_num FROM alembic_version").fetchall() == [(newest(),)]
    except sqlite3.Error:
        return False
