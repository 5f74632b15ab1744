"""How well each device was connected: shares of the last weeks, and how often it was lost."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from shop_hub.core import clock, spans
from shop_hub.fleet import queries as fleet
from shop_hub.fleet.models import Device, DeviceHealth, DeviceKind, Link

PERIODS = (1, 7, 30)
LOST = (Link.OFFLINE, Link.SILENT)
Changes = list[tuple[datetime, Link]]


@dataclass(frozen=True)
class Health:
    """One device. Shares are permille of the time since it was first heard, at most the period."""

    public_id: UUID
    name: str
    kind: DeviceKind
    link: Link
    connected: tuple[int | None, ...]
    """By period; None before it was ever heard."""
    losses: int
    """How often it was lost in the longest period."""
    last_lost_at: datetime | None
    longest_loss: timedelta


def of_site(session: Session, site_id: int) -> list[Health]:
    """Return the health of a site's devices, by name, in a fixed number of statements."""
    changes: defaultdict[int, Changes] = defaultdict(list)
    rows = session.execute(
        select(DeviceHealth.device_id, DeviceHealth.at, DeviceHealth.link)
        .where(DeviceHealth.site_id == site_id)
        .order_by(DeviceHealth.at, DeviceHealth.id)
    )
    for device_id, at, link in rows:
        changes[device_id].append((at, link))
    return [_health(device, changes[device.id]) for device in fleet.devices(session, site_id)]


def _health(device: Device, changes: Changes) -> Health:
    now = clock.now()
    losses = _losses(changes, now - timedelta(days=PERIODS[-1]), now)
    return Health(
        public_id=device.public_id,
        name=device.name,
        kind=device.kind,
        link=device.link,
        connected=tuple(_share(changes, now, days) for days in PERIODS),
        losses=len(losses),
        last_lost_at=losses[-1][0] if losses else None,
        longest_loss=max((end - start for start, end in losses), default=timedelta(0)),
    )


def _share(changes: Changes, now: datetime, days: int) -> int | None:
    heard = [at for at, _ in changes]
    if not heard:
        return None
    start = max(now - timedelta(days=days), heard[0])
    found = spans.spent(changes, start, now, before=Link.NEVER)
    return spans.permille(found.get(Link.READY, timedelta(0)), now - start)


def _losses(changes: Changes, start: datetime, end: datetime) -> list[tuple[datetime, datetime]]:
    """Return from when to when a device was away; silent and offline in a row are one loss."""
    found: list[tuple[datetime, datetime]] = []
    lost_at: datetime | None = None
    for at, link in [*changes, (end, Link.READY)]:
        if link in LOST:
            lost_at = lost_at or at
        elif lost_at is not None and link is Link.READY:
            if at > start:
                found.append((max(lost_at, start), at))
            lost_at = None
    return found
