"""What devices want a person to look at."""

from collections.abc import Iterator
from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from shop_hub.core import clock
from shop_hub.core.conditions import Condition, Severity
from shop_hub.core.errors import N_
from shop_hub.fleet import queries
from shop_hub.fleet.models import Device, DeviceAlert, Link

AWAY_FOR = timedelta(minutes=3)
"""A device that restarts, or a cable that is plugged in again, is no alarm."""


def conditions(session: Session, site_id: int) -> Iterator[Condition]:
    """Return devices that are away, and what devices complain about."""
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
