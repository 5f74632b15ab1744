from pathlib import Path

import pytest

from shop_hub.core import revision, schema
from shop_hub.core.db import Database


def test_the_newest_revision_is_the_one_that_alembic_would_go_to():
    assert revision.newest() == schema.head()


def test_a_database_with_the_newest_tables_needs_no_upgrade(sqlite_database: Database):
    assert revision.is_newest(sqlite_database.url)


@pytest.mark.parametrize("number", ["0000", "9999"])
def test_an_older_or_newer_database_is_left_to_the_upgrade(sqlite_database: Database, number: str):
    with sqlite_database.transaction() as session:
        session.connection().exec_driver_sql("UPDATE alembic_version SET version_num = ?", (number,))
    assert not revision.is_newest(sqlite_database.url)


def test_what_cannot_be_read_is_left_to_the_upgrade(tmp_path: Path):
    for name, content in (("empty", b""), ("garbage", b"no database at all" * 100)):
        (tmp_path / name).write_bytes(content)
    urls = [f"sqlite:///{tmp_path / name}" for name in ("empty", "garbage", "missing")]
    assert [revision.is_newest(url) for url in (*urls, "postgresql+psycopg://localhost/hub")] == [False] * 4
    assert not (tmp_path / "missing").exists()
