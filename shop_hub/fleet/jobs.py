"""Periodic work of the device side: what devices told is kept for a while only."""

from datetime import timedelta
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from shop_hub.core import clock
from shop_hub.core.jobs import Job
from shop_hub.core.web import ShopHub
from shop_hub.fleet.models import DeadLetter, DeviceAlert, DeviceChange, DeviceEvent, DeviceHealth

KEEP_EVENTS = timedelta(days=180)
"""As long as the proof of handover of a parcel (trust.md 3.8)."""
KEEP_HEALTH = timedelta(days=365)
KEEP_LETTERS = timedelta(days=30)
MOST_KEPT = 20_000
"""Changes of one device: more come only from a cable that is loose, or from a machine that restarts without end."""


def jobs(_hub: ShopHub) -> list[Job]:
    """Return the jobs of this feature."""
    return [Job("fleet-prune", timedelta(hours=6), prune, needs_trusted_clock=True)]


def prune(session: Session) -> None:
    """Delete what is older than needed; the last number of each device stays in its row, so nothing is taken twice."""
    now = clock.now()
    old: list[Any] = [
        delete(DeviceEvent).where(DeviceEvent.at < now - KEEP_EVENTS),
        delete(DeviceHealth).where(DeviceHealth.at < now - KEEP_HEALTH),
        delete(DeviceChange).where(DeviceChange.at < now - KEEP_HEALTH),
        delete(DeadLetter).where(DeadLetter.at < now - KEEP_LETTERS),
        delete(DeviceAlert).where(DeviceAlert.cleared_at < now - KEEP_EVENTS),
    ]
    for statement in old:
        session.execute(statement)
    for table in (DeviceHealth, DeviceChange):
        _cut(session, table)


def _cut(session: Session, table: type[DeviceHealth | DeviceChange]) -> None:
    """Keep the newest changes of each device only."""
    many = select(table.device_id).group_by(table.device_id).having(func.count() > MOST_KEPT)
    for device_id in session.scalars(many).all():
        of_device = table.device_id == device_id
        newest_old = select(table.id).where(of_device).order_by(table.id.desc()).offset(MOST_KEPT).limit(1)
        session.execute(delete(table).where(of_device, table.id <= newest_old.scalar_subquery()))
