"""Is the hub well: `/healthz`, `/readyz`, `/metrics`, and `shop-hub doctor`."""

import shutil
import socket
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from flask import Blueprint, Response, jsonify, request
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, generate_latest
from sqlalchemy import func, select, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.orm import Session

from shop_hub.core import clock
from shop_hub.core.access import Role, access, principal
from shop_hub.core.audit import AuditHead
from shop_hub.core.db import Database
from shop_hub.core.errors import LoginRequiredError
from shop_hub.core.jobs import JobLease
from shop_hub.core.outbox import OutboxMessage, OutboxState
from shop_hub.core.settings import Settings
from shop_hub.core.sites import Site
from shop_hub.core.web import hub, session
from shop_hub.fleet.hublease import is_running
from shop_hub.fleet.models import CommandState, Device, DeviceCommand

blueprint = Blueprint("health", __name__)

LEAST_DISK_BYTES = 500_000_000
OLDEST_MESSAGE = timedelta(minutes=15)
OLDEST_BACKUP = timedelta(days=2)
SAFE_SQLITE = (3, 51, 3)
LOOPBACK = frozenset({"127.0.0.1", "::1"})


@dataclass(frozen=True)
class Finding:
    """The outcome of one check."""

    check: str
    is_good: bool
    text: str


@blueprint.get("/healthz")
@access(Role.ANONYMOUS)
def alive() -> Response:
    """Answer that the process serves; no detail."""
    return jsonify(status="ok")


@blueprint.get("/readyz")
@access(Role.ANONYMOUS)
def ready() -> Response:
    """Answer whether sales and doors work: 200, or 503 with the names of what does not."""
    settings = hub().settings
    findings = [
        _tried("database", lambda: _database(hub().database)),
        _disk(settings),
        _broker(settings),
        _tried("outbox", lambda: _outbox(session())),
    ]
    bad = [finding.check for finding in findings if not finding.is_good]
    response = jsonify(status="not ready" if bad else "ok", failing=bad)
    response.status_code = 503 if bad else 200
    return response


@blueprint.get("/metrics")
@access(Role.ANONYMOUS)
def metrics() -> Response:
    """Answer figures for Prometheus: on loopback, or with a monitor's token."""
    if request.remote_addr not in LOOPBACK and not principal().has(Role.MONITOR):
        raise LoginRequiredError
    registry = CollectorRegistry()
    for name, help_, labels, rows in _figures(session()):
        gauge = Gauge(f"shop_hub_{name}", help_, labels, registry=registry)
        for values, figure in rows:
            (gauge.labels(*values) if labels else gauge).set(figure)
    return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


def examine(settings: Settings) -> list[Finding]:
    """Check an installation from the command line."""
    database = Database(settings.database)
    try:
        return [
            _sqlite_version(database),
            _tried("database", lambda: _database(database)),
            _tried("schema", lambda: _schema(database)),
            _tried("shop", lambda: _shops(database)),
            _tried("hub", lambda: _hub(database)),
            _disk(settings),
            _private(settings),
            _secret(settings),
            _broker(settings),
            _mail(settings),
            _backups(settings, is_sqlite=database.is_sqlite),
        ]
    finally:
        database.dispose()


Figure = tuple[str, str, list[str], list[tuple[tuple[str, ...], float]]]


def _figures(reading: Session) -> Iterator[Figure]:
    outbox = reading.execute(select(OutboxMessage.state, func.count()).group_by(OutboxMessage.state)).all()
    yield "outbox_messages", "Messages to the outside", ["state"], [((state,), count) for state, count in outbox]
    commands = reading.execute(select(DeviceCommand.state, func.count()).group_by(DeviceCommand.state)).all()
    yield "device_commands", "Device commands", ["state"], [((state,), count) for state, count in commands]
    links = reading.execute(select(Device.link, func.count()).group_by(Device.link)).all()
    yield "devices", "Devices by link state", ["link"], [((link,), count) for link, count in links]
    heads = reading.execute(select(AuditHead.site_id, AuditHead.number)).all()
    yield "audit_head", "Number of the last audit entry", ["site"], [((str(site),), n) for site, n in heads]
    failing = reading.scalar(select(func.count()).where(JobLease.last_error != "")) or 0
    yield "failing_jobs", "Jobs whose last run failed", [], [((), failing)]
    doubtful = (CommandState.UNCONFIRMED, CommandState.UNKNOWN)
    count = reading.scalar(select(func.count()).where(DeviceCommand.state.in_(doubtful))) or 0
    yield "commands_in_doubt", "Commands whose outcome is not known", [], [((), count)]


def _tried(name: str, check: Callable[[], Finding]) -> Finding:
    """Take a database that is away or not made yet as what was found."""
    try:
        return check()
    except SQLAlchemyError as error:
        reason = str(error.orig or "").strip() if isinstance(error, DBAPIError) else str(error)
        return Finding(name, is_good=False, text=reason.splitlines()[0] if reason else type(error).__name__)


def _shops(database: Database) -> Finding:
    with database.reading() as reading:
        names = reading.scalars(select(Site.name).order_by(Site.id)).all()
    return Finding("shop", is_good=bool(names), text=", ".join(names) or "none; run `shop-hub setup`")


def _hub(database: Database) -> Finding:
    with database.reading() as reading:
        states = reading.execute(
            select(Device.link, func.count()).where(~Device.is_revoked).group_by(Device.link)
        ).all()
    machines = ", ".join(f"{count} {link.value}" for link, count in states) or "none"
    return Finding(
        "hub", is_good=True, text=f"{'running' if is_running(database) else 'not running'}; machines: {machines}"
    )


def _database(database: Database) -> Finding:
    with database.reading() as reading:
        reading.execute(text("SELECT 1"))
    return Finding("database", is_good=True, text=database.engine.dialect.name)


def _disk(settings: Settings) -> Finding:
    settings.data.mkdir(parents=True, exist_ok=True, mode=0o700)
    free = shutil.disk_usage(settings.data).free
    return Finding("disk", is_good=free >= LEAST_DISK_BYTES, text=f"{free // 1_000_000} MB free")


def _broker(settings: Settings) -> Finding:
    nodes = ((settings.mqtt.host, settings.mqtt.port), *settings.mqtt.more_addresses)
    silent = [f"{host}:{port}" for host, port in nodes if not _answers(host, port)]
    if silent:
        return Finding("broker", is_good=len(silent) < len(nodes), text=f"nothing answers at {', '.join(silent)}")
    return Finding("broker", is_good=True, text=", ".join(f"{host}:{port}" for host, port in nodes))


def _answers(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), timeout=2).close()
    except OSError:
        return False
    return True


def _outbox(reading: Session) -> Finding:
    oldest = reading.scalar(select(func.min(OutboxMessage.created_at)).where(OutboxMessage.state == OutboxState.NEW))
    is_good = oldest is None or clock.now() - oldest < OLDEST_MESSAGE
    return Finding("outbox", is_good=is_good, text="" if oldest is None else f"oldest message of {oldest:%F %T} UTC")


def _sqlite_version(database: Database) -> Finding:
    if not database.is_sqlite:
        return Finding("sqlite", is_good=True, text="not used")
    version = sqlite3.sqlite_version
    note = (
        "" if sqlite3.sqlite_version_info >= SAFE_SQLITE else ", has the rare WAL-reset fault; one write lock avoids it"
    )
    return Finding("sqlite", is_good=True, text=version + note)


def _schema(database: Database) -> Finding:
    from shop_hub.core import schema  # noqa: PLC0415 - Alembic takes 10 MB, which the serving process does not need

    current, head = schema.current(database), schema.head()
    return Finding("schema", is_good=current == head, text=f"{current}, this version has {head}")


def _mail(settings: Settings) -> Finding:
    way = settings.mail.smtp_host or settings.mail.folder
    return Finding("mail", is_good=bool(way), text=way or "neither SMTP server nor folder is set: nobody gets mail")


def _private(settings: Settings) -> Finding:
    """The database holds names, addresses and hashes: nobody else on this machine may read it."""
    mode = settings.data.stat().st_mode & 0o777
    return Finding("data", is_good=not mode & 0o077, text=f"{settings.data}, mode {mode:o}; 700 is right")


def _secret(settings: Settings) -> Finding:
    path = settings.data / "secret"
    if not path.exists():
        return Finding("secret", is_good=False, text=f"{path} is missing; run `shop-hub setup`")
    mode = path.stat().st_mode & 0o777
    return Finding("secret", is_good=mode == 0o600, text=f"{path}, mode {mode:o}")  # noqa: PLR2004 - owner only


def _backups(settings: Settings, *, is_sqlite: bool) -> Finding:
    if not is_sqlite:
        return Finding("backup", is_good=True, text="PostgreSQL: see to pg_dump yourself, and keep the secret with it")
    folder = settings.data / "backups"
    newest = max(folder.glob("hub-*.sqlite3"), key=_age, default=None)
    if newest is None:
        return Finding("backup", is_good=not settings.production, text=f"none in {folder}; run `shop-hub backup`")
    age_s = clock.now().timestamp() - _age(newest)
    return Finding(
        "backup", is_good=age_s < OLDEST_BACKUP.total_seconds(), text=f"{newest.name}, {age_s / 3600:.0f} h old"
    )


def _age(path: Path) -> float:
    return path.stat().st_mtime
