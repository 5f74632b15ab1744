"""Backup and restore of a SQLite hub; larger sites on PostgreSQL use its own tools.

`VACUUM INTO` gives a consistent copy while the shop sells; a plain file copy does not. The copy is checked, synced and
only then given its name, so that a file with a backup's name is a good backup.
"""

import os
import shutil
import sqlite3
from datetime import datetime
from pathlib import Path

from shop_hub.core import clock


class BadBackupError(Exception):
    """The file is damaged or no backup of a hub."""


class NotSqliteError(Exception):
    """The hub runs on PostgreSQL: use pg_dump and pg_restore."""


def backup(url: str, secret: Path, folder: Path) -> Path:
    """Write a checked copy of the database and of the master secret into `folder`; return the copy's path.

    Without the secret no card, PIN or device of the backup works; keep both where no stranger can read them.

    Raises:
        NotSqliteError: the database is PostgreSQL.
        BadBackupError: the copy failed its integrity check.
    """
    source = database_path(url)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    target = folder / f"hub-{_stamp(clock.now())}.sqlite3"
    partial = target.with_suffix(".part")
    partial.unlink(missing_ok=True)
    connection = sqlite3.connect(source)
    try:
        connection.execute("PRAGMA busy_timeout=30000")
        connection.execute("VACUUM INTO ?", (str(partial),))
    finally:
        connection.close()
    check(partial)
    partial.chmod(0o600)
    _sync(partial)
    partial.rename(target)
    shutil.copy2(secret, target.with_suffix(".secret"))
    _sync(target.with_suffix(".secret"))
    _sync(folder)
    return target


def restore(backup_file: Path, url: str, secret: Path) -> Path | None:
    """Put a backup in place; the hub must be stopped. Return where the replaced database was kept, or None.

    Raises:
        BadBackupError: the backup is damaged; nothing was changed.
    """
    check(backup_file)
    target = database_path(url)
    target.parent.mkdir(parents=True, exist_ok=True)
    kept = _keep_old(target)
    partial = target.with_suffix(".part")
    shutil.copyfile(backup_file, partial)
    partial.chmod(0o600)
    _sync(partial)
    partial.rename(target)
    saved_secret = backup_file.with_suffix(".secret")
    if saved_secret.exists():
        shutil.copy2(saved_secret, secret)
        _sync(secret)
    _sync(target.parent)
    return kept


def check(path: Path) -> None:
    """Check the integrity of a database file.

    Raises:
        BadBackupError: it is damaged, or not a hub's database.
    """
    try:
        connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    except sqlite3.Error as error:
        raise BadBackupError(str(path)) from error
    try:
        result = connection.execute("PRAGMA integrity_check").fetchall()
        broken = connection.execute("PRAGMA foreign_key_check").fetchall()
        connection.execute("SELECT 1 FROM site")
    except sqlite3.Error as error:
        raise BadBackupError(str(path)) from error
    finally:
        connection.close()
    if result != [("ok",)] or broken:
        raise BadBackupError(str(path))


def database_path(url: str) -> Path:
    """Return the file of a SQLite address.

    Raises:
        NotSqliteError: it is another database.
    """
    if not url.startswith("sqlite:///"):
        raise NotSqliteError
    return Path(url.removeprefix("sqlite:///"))


def _keep_old(target: Path) -> Path | None:
    if not target.exists():
        return None
    connection = sqlite3.connect(target)
    try:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    finally:
        connection.close()
    kept = target.with_name(f"replaced-{_stamp(clock.now())}.sqlite3")
    target.rename(kept)
    for suffix in ("-wal", "-shm"):
        target.with_name(target.name + suffix).unlink(missing_ok=True)
    return kept


def _stamp(moment: datetime) -> str:
    return moment.strftime("%Y%m%dT%H%M%S%fZ")


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
