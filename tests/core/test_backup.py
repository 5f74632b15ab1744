import sqlite3
import threading
from pathlib import Path

import pytest

from shop_hub.core import backup
from shop_hub.core.db import Database
from tests.conftest import make_site


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "secret"
    path.write_text("ab" * 32)
    return path


def count_sites(path: Path) -> int:
    connection = sqlite3.connect(path)
    try:
        return connection.execute("SELECT count(*) FROM site").fetchone()[0]
    finally:
        connection.close()


def test_backups_made_while_the_shop_sells_are_whole(sqlite_database: Database, secret: Path, tmp_path: Path) -> None:
    stop = threading.Event()

    def sell() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            make_site(sqlite_database, f"site-{number}")

    seller = threading.Thread(target=sell)
    seller.start()
    try:
        files = [backup.backup(sqlite_database.url, secret, tmp_path / "backups") for _ in range(3)]
    finally:
        stop.set()
        seller.join()
    counts = [count_sites(file) for file in files]
    assert counts == sorted(counts)
    assert files[0].with_suffix(".secret").read_text() == secret.read_text()


def test_a_restored_backup_holds_what_was_there_and_the_replaced_one_is_kept(
    sqlite_database: Database, secret: Path, tmp_path: Path
) -> None:
    make_site(sqlite_database, "before")
    file = backup.backup(sqlite_database.url, secret, tmp_path / "backups")
    make_site(sqlite_database, "after")
    sqlite_database.dispose()
    secret.write_text("00" * 32)
    kept = backup.restore(file, sqlite_database.url, secret)
    assert (count_sites(backup.database_path(sqlite_database.url)), count_sites(kept)) == (1, 2)
    assert secret.read_text() == "ab" * 32


def test_a_damaged_backup_is_refused_and_nothing_changes(
    sqlite_database: Database, secret: Path, tmp_path: Path
) -> None:
    make_site(sqlite_database, "here")
    file = backup.backup(sqlite_database.url, secret, tmp_path / "backups")
    content = bytearray(file.read_bytes())
    content[5000:9000] = bytes(4000)
    file.write_bytes(content)
    with pytest.raises(backup.BadBackupError):
        backup.restore(file, sqlite_database.url, secret)
    assert count_sites(backup.database_path(sqlite_database.url)) == 1
