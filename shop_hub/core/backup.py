"""Backup and restore of a SQLite hub; larger sites on PostgreSQL use its own tools.

`VACUUM INTO` gives a consistent copy while the shop sells; a plain file copy does not. The copy is checked, synced and
only then given its name, so that a file with a backup's name is a good backup.
"""

import os
import shutil
import sqlite3
from contextlib import closing, suppress
from datetime import datetime
from pathlib import Path

from shop_hub.core import clock
from shop_hub.core.errors import OperatingError


class BadBackupError(OperatingError):
    """The file is damaged or no backup of a hub."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"{path} is damaged, or not the database of a hub. Nothing was changed.")


class NotSqliteError(OperatingError):
    """The hub runs on PostgreSQL."""

    def __init__(self) -> None:
        super().__init__("This is for SQLite. On PostgreSQL use pg_dump, see config/postgresql/README.md.")


def backup(url: str, secret: Path, folder: Path) -> Path:
    """Write a checked copy of the database and of the master secret into `folder`; return the copy's path.

    Without the secret no card, PIN or device of the backup works; keep both where no stranger can read them.

    Raises:
        NotSqliteError: the database is PostgreSQL.
        BadBackupError: the database is damaged or empty.
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
    try:
        check(partial)
    except BadBackupError as error:
        partial.unlink()
        raise BadBackupError(source) from error
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
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    partial = target.with_suffix(".part")
    shutil.copyfile(backup_file, partial)
    partial.chmod(0o600)
    _sync(partial)
    kept = _keep_old(target)
    partial.replace(target)  # at no moment is there no database: a hub that starts now would make an empty one
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
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
    except sqlite3.Error as error:
        raise BadBackupError(path) from error
    try:
        result = connection.execute("PRAGMA integrity_check").fetchall()
        broken = connection.execute("PRAGMA foreign_key_check").fetchall()
        connection.execute("SELECT 1 FROM site")
    except sqlite3.Error as error:
        raise BadBackupError(path) from error
    finally:
        connection.close()
    if result != [("ok",)] or broken:
        raise BadBackupError(path)


def database_path(url: str) -> Path:
    """Return the file of a SQLite address.

    Raises:
        NotSqliteError: it is another database.
    """
    if not url.startswith("sqlite:///"):
        raise NotSqliteError
    return Path(url.removeprefix("sqlite:///"))


def _keep_old(target: Path) -> Path | None:
    """Keep the old database, also a damaged one, with what was not yet moved from its log into it."""
    if not target.exists():
        return None
    with suppress(sqlite3.DatabaseError), closing(sqlite3.connect(target)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    kept = target.with_name(f"replaced-{_stamp(clock.now())}.sqlite3")
    kept.hardlink_to(target)
    log = target.with_name(target.name + "-wal")
    if log.exists():
        log.rename(kept.with_name(kept.name + "-wal"))
    target.with_name(target.name + "-shm").unlink(missing_ok=True)
    return kept


def _stamp(moment: datetime) -> str:
    return moment.strftime("%Y%m%dT%H%M%S%fZ")


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
