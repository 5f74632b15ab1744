"""Verify, upgrade and restore: what an administrator runs with care."""

import shutil
import tempfile
from dataclasses import asdict
from pathlib import Path

from sqlalchemy import select

from shop_hub import features
from shop_hub import models as _models  # noqa: F401 - all tables
from shop_hub.core import audit, backup, schema
from shop_hub.core import verify as verify_module
from shop_hub.core.db import Database
from shop_hub.core.errors import OperatingError
from shop_hub.core.hashing import SecretHasher
from shop_hub.core.settings import Settings
from shop_hub.core.sites import Site
from shop_hub.core.visits import WebVisit
from shop_hub.fleet.hublease import is_running, raise_generation


class RunningError(OperatingError):
    """A restore would be overwritten by, or torn by, the running hub."""

    def __init__(self) -> None:
        super().__init__("The hub is running. Stop it, then restore.")


def upgrade(settings: Settings) -> None:
    """Bring the schema to this version; SQLite is backed up first when something changes.

    Raises:
        schema.NewerSchemaError: the database was written by a newer version.
    """
    settings.secret()
    database = Database(settings.database)
    try:
        before = schema.current(database)
        if before is not None and before != schema.head() and database.is_sqlite:
            backup.backup(settings.database, settings.data / "secret", settings.data / "backups")
        schema.upgrade(database)
    finally:
        database.dispose()


def verify(settings: Settings) -> list[str]:
    """Recompute everything and return a line for each deviation."""
    audit.use_key(SecretHasher(settings.secret()).derive("audit"))
    database = Database(settings.database)
    try:
        with database.reading() as session:
            checks = [check for module in features.load("checks") for check in module.CHECKS]
            found = [str(asdict(deviation)) for deviation in verify_module.run(session, checks)]
            sites = session.scalars(select(Site.id)).all()
            broken = [entry for site_id in sites for entry in audit.broken_entries(session, site_id)]
    finally:
        database.dispose()
    return found + [f"audit chain of site {entry.site_id} is broken at entry {entry.number}" for entry in broken]


def restore(settings: Settings, file: Path) -> list[str]:
    """Put a backup in place if it verifies: sessions end, old copies of this hub are locked out.

    Raises:
        backup.BadBackupError: the file is damaged; nothing was changed.
        backup.NotSqliteError: the database is PostgreSQL.
        RunningError: the hub runs; nothing was changed.
    """
    _refuse_while_running(settings)
    deviations = try_out(settings, file)
    if deviations:
        return deviations
    backup.restore(file, settings.database, settings.data / "secret")
    upgrade(settings)
    database = Database(settings.database)
    try:
        with database.transaction() as session:
            session.query(WebVisit).delete()
            raise_generation(session)
    finally:
        database.dispose()
    return []


def try_out(settings: Settings, file: Path) -> list[str]:
    """Restore into a throw-away folder, verify there, and return the deviations.

    Raises:
        backup.BadBackupError: the file is damaged.
        OperatingError: no secret fits the backup.
    """
    with tempfile.TemporaryDirectory(prefix="shop-hub-drill-") as folder:
        drill = settings.model_copy(update={"data": Path(folder), "database_url": ""})
        secret = file.with_suffix(".secret")
        if not secret.exists():
            secret = settings.data / "secret"
        if not secret.exists():
            raise OperatingError(f"The backup's secret is missing: {file.with_suffix('.secret')}")
        shutil.copy(secret, drill.data / "secret")
        backup.restore(file, drill.database, drill.data / "secret")
        upgrade(drill)
        return verify(drill)


def _refuse_while_running(settings: Settings) -> None:
    backup.database_path(settings.database)
    database = Database(settings.database)
    try:
        if is_running(database):
            raise RunningError
    finally:
        database.dispose()
