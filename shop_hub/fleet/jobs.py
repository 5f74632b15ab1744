"""Periodic work of the device side: what devices told is kept for a while only."""

from datetime import timedelta
from typing import Any

from sqlalchemy import delete
from sqlalchemy.orm import Session

from shop_hub.core import clock
from shop_hub.core.jobs import Job
from shop_hub.core.web import ShopHub
from shop_hub.fleet.models import DeadLetter, DeviceAlert, DeviceEvent, DeviceHealth

KEEP_EVENTS = timedelta(days=180)
"""As long as the proof of handover of a parcel (trust.md 3.8)."""
KEEP_HEALTH = timedelta(days=365)
KEEP_LETTERS = timedelta(days=30)


def jobs(_hub: ShopHub) -> list[Job]:
    """Return the jobs of this feature."""
    return [Job("fleet-prune", timedelta(hours=6), prune, needs_trusted_clock=True)]


def prune(session: Session) -> None:
    """Delete what is older than needed; the last number of each device stays in its row, so nothing is taken twice."""
    now = clock.now()
    old: list[Any] = [
        delete(DeviceEvent).where(DeviceEvent.at < now - KEEP_EVENTS),
        delete(DeviceHealth).where(DeviceHealth.at < now - KEEP_HEALTH),
        delete(DeadLetter).where(DeadLetter.at < now - KEEP_LETTERS),
        delete(DeviceAlert).where(DeviceAlert.cleared_at < now - KEEP_EVENTS),
    ]
    for statement in old:
        session.execute(statement)
