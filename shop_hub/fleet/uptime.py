"""A device's history of health: how long it was connected, day by day, and what else befell it."""

from bisect import bisect_left
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import pairwise

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from shop_hub.core import clock, spans
from shop_hub.core.sites import Site
from shop_hub.fleet.models import Device, DeviceAlert, DeviceChange, DeviceHealth, Happening, Link

DAYS = 30
WEEK = 7
RECENT = timedelta(days=WEEK)
"""So long a changed version is pointed at."""
_MOST = 20_000
"""So many changes of a link are looked at, the newest ones; more are not stored for long (jobs.py)."""
_SHOWN = 50
_Change = tuple[datetime, Link]


@dataclass(frozen=True)
class Day:
    """A day at the shop: for which share in permille the device was connected (None: not known), and breaks begun."""

    day: date
    permille: int | None
    breaks: int


@dataclass(frozen=True)
class Uptime:
    """The last thirty days, oldest first, as this hub saw them."""

    days: list[Day]
    week: int | None
    month: int | None
    boots: int
    lives: int
    alerts: list[DeviceAlert]
    changes: list[DeviceChange]
    """The newest ones."""
    new_version: DeviceChange | None
    """The newest change of versions, if it is of the last days."""

    @property
    def breaks(self) -> int:
        """Return how often the connection was lost."""
        return sum(day.breaks for day in self.days)


def of(session: Session, device: Device) -> Uptime:
    """Return the history of a device."""
    timezone = session.get_one(Site, device.site_id).timezone
    today, now = clock.today(timezone), clock.now()
    edges = [clock.local_midnight(today - timedelta(days=back), timezone) for back in range(DAYS - 1, -1, -1)]
    links = _links(session, device.id, edges[0])
    days = [
        Day(today - timedelta(days=DAYS - 1 - at), _share(links, start, end), _breaks(links, start, end))
        for at, (start, end) in enumerate(zip(edges, [*edges[1:], now], strict=True))
    ]
    counts = _counts(session, device.id, edges[0])
    return Uptime(
        days=days,
        week=_share(links, edges[-WEEK], now),
        month=_share(links, edges[0], now),
        boots=counts.get(Happening.BOOT, 0),
        lives=counts.get(Happening.LIFE, 0),
        alerts=_alerts(session, device.id, edges[0]),
        changes=_changes(session, device.id, edges[0]),
        new_version=_new_version(session, device.id),
    )


def _links(session: Session, device_id: int, since: datetime) -> list[_Change]:
    """Return the changes of the link since a moment, oldest first, and the last one before it."""
    of_device = select(DeviceHealth.at, DeviceHealth.link).where(DeviceHealth.device_id == device_id)
    newest_first = of_device.order_by(DeviceHealth.at.desc(), DeviceHealth.id.desc())
    within = session.execute(newest_first.where(DeviceHealth.at >= since).limit(_MOST)).all()
    before = session.execute(newest_first.where(DeviceHealth.at < since).limit(1)).all()
    return [(row.at, row.link) for row in [*within, *before]][::-1]


def _share(links: list[_Change], start: datetime, end: datetime) -> int | None:
    """Return the permille of a period in which it was connected, of the time in which anything was known."""
    first = bisect_left(links, start, key=lambda change: change[0])
    within = links[first : bisect_left(links, end, key=lambda change: change[0])]
    before = links[first - 1][1] if first else Link.NEVER
    spent = spans.spent(within, start, end, before=before)
    known = end - start - spent.get(Link.NEVER, timedelta(0))
    return spans.permille(spent.get(Link.READY, timedelta(0)), known) if known > timedelta(0) else None


def _breaks(links: list[_Change], start: datetime, end: datetime) -> int:
    return sum(start <= after[0] < end and before[1] is Link.READY is not after[1] for before, after in pairwise(links))


def _counts(session: Session, device_id: int, since: datetime) -> dict[Happening, int]:
    """Return how often each kind of change befell a device."""
    of_device = (DeviceChange.device_id == device_id, DeviceChange.at >= since)
    wanted = select(DeviceChange.what, func.count()).where(*of_device).group_by(DeviceChange.what)
    return dict(session.execute(wanted).all())


def _changes(session: Session, device_id: int, since: datetime) -> list[DeviceChange]:
    wanted = select(DeviceChange).where(DeviceChange.device_id == device_id, DeviceChange.at >= since)
    return list(session.scalars(wanted.order_by(DeviceChange.id.desc()).limit(_SHOWN)))


def _new_version(session: Session, device_id: int) -> DeviceChange | None:
    of_device = (DeviceChange.device_id == device_id, DeviceChange.what == Happening.VERSION)
    wanted = select(DeviceChange).where(*of_device, DeviceChange.at >= clock.now() - RECENT)
    return session.scalar(wanted.order_by(DeviceChange.id.desc()).limit(1))


def _alerts(session: Session, device_id: int, since: datetime) -> list[DeviceAlert]:
    wanted = select(DeviceAlert).where(DeviceAlert.device_id == device_id, DeviceAlert.since >= since)
    return list(session.scalars(wanted.order_by(DeviceAlert.since.desc(), DeviceAlert.id.desc()).limit(_SHOWN)))
