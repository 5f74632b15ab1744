"""What devices want a person to look at."""

from collections.abc import Iterator
from datetime import timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from shop_hub.core import clock
from shop_hub.core.conditions import Condition, Severity
from shop_hub.core.errors import N_
from shop_hub.fleet import partitions, queries
from shop_hub.fleet.models import MISSING, Device, DeviceAlert, DeviceEvent, Link

AWAY_FOR = timedelta(minutes=3)
"""A device that restarts, or a cable that is plugged in again, is no alarm."""
_MISSING_FOR = timedelta(minutes=2)
_MISSED_LATELY = timedelta(days=1)


def conditions(session: Session, site_id: int) -> Iterator[Condition]:
    """Return devices that are away, what devices complain about, and what a region has not received."""
    yield from _away(session, site_id)
    yield from _complaints(session, site_id)
    if partitions.is_collecting(session):
        yield from _missing(session, site_id)


def _away(session: Session, site_id: int) -> Iterator[Condition]:
    now = clock.now()
    for device in queries.devices(session, site_id):
        if device.link in (Link.OFFLINE, Link.SILENT) and device.link_at and now - device.link_at >= AWAY_FOR:
            yield Condition(
                key=f"device:{device.id}:away",
                severity=Severity.WARNING,
                text=N_("%(name)s is not connected"),
                params={"name": device.name},
                since=device.link_at,
                advice=N_("Look whether it has power and network."),
                endpoint="fleet.index",
            )


def _complaints(session: Session, site_id: int) -> Iterator[Condition]:
    rows = session.execute(
        select(DeviceAlert, Device.name)
        .join(Device, Device.id == DeviceAlert.device_id)
        .where(DeviceAlert.site_id == site_id, DeviceAlert.cleared_at.is_(None), Device.is_revoked.is_(False))
    )
    for alert, name in rows:
        yield Condition(
            key=f"device:{alert.device_id}:{alert.name}",
            severity=Severity.WARNING,
            text=N_("%(name)s reports: %(alert)s"),
            params={"name": name, "alert": f"{alert.name} {alert.text}"},
            since=alert.since,
            endpoint="fleet.index",
        )


def _missing(session: Session, site_id: int) -> Iterator[Condition]:
    """Return devices of which numbers were left out lately and have not come since, each once."""
    now = clock.now()
    rows = session.execute(
        select(
            Device.id,
            Device.name,
            func.min(DeviceEvent.at).label("since"),
            func.sum(DeviceEvent.data["last"].as_integer() - DeviceEvent.seq + 1).label("count"),
        )
        .join(DeviceEvent, Device.id == DeviceEvent.device_id)
        .where(
            Device.site_id == site_id,
            Device.is_revoked.is_(False),
            DeviceEvent.type == MISSING,
            DeviceEvent.at.between(now - _MISSED_LATELY, now - _MISSING_FOR),
        )
        .group_by(Device.id)
        .order_by(Device.id)
    )
    for row in rows.mappings():
        yield Condition(
            key=f"device:{row['id']}:missing",
            severity=Severity.WARNING,
            text=N_("%(name)s: reports that were not received: %(count)s"),
            params={"name": row["name"], "count": str(row["count"])},
            since=row["since"],
            advice=N_("Look whether the brokers of village and region were switched off or full."),
            endpoint="fleet.index",
        )
