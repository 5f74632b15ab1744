"""Reads for the pages about devices."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar
from uuid import UUID

from sqlalchemy import Select, func, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from shop_hub.fleet import map_reads, partitions, queries, uptime
from shop_hub.fleet.models import (
    UNRESOLVED,
    DeadLetter,
    Device,
    DeviceAlert,
    DeviceCommand,
    DeviceEvent,
    DeviceHealth,
    DeviceKind,
    DevicePlace,
    DeviceProperty,
    Kiosk,
    Link,
)
from shop_hub.fleet.uptime import Uptime

R = TypeVar("R")
_LONGEST_TEXT = 120
_EVENTS = 50
_COMMANDS = 30
_CHANGES = 30
_LETTERS = 50


@dataclass(frozen=True)
class DeviceRow:
    """A device in the list."""

    public_id: UUID
    name: str
    kind: DeviceKind
    link: Link
    link_at: datetime | None
    alerts: int


@dataclass(frozen=True)
class PropertyRow:
    """A state as text; `is_current` is false while the device is not heard."""

    node: str
    name: str
    value: str
    at: datetime


@dataclass(frozen=True)
class DevicePage:
    """Everything about one device."""

    device: Device
    kiosk: str
    is_current: bool
    link: Link
    """As far as it is known: without a hub that listens no device is."""
    link_at: datetime | None
    reported_map: int | None
    alerts: list[DeviceAlert]
    properties: list[PropertyRow]
    commands: list[DeviceCommand]
    events: list[DeviceEvent]
    health: list[DeviceHealth]
    uptime: Uptime
    place: str
    is_collected: bool
    """It belongs to a village whose hub is elsewhere."""

    @property
    def is_map_wrong(self) -> bool:
        """Tell whether the device works with another door map or planogram than the hub, which a region has not."""
        return not self.is_collected and self.reported_map not in (None, self.device.map_revision)


def rows(session: Session, site_id: int) -> list[DeviceRow]:
    """Return the devices in use with their open alerts, by name."""
    found = session.execute(
        select(Device, func.count(DeviceAlert.id))
        .outerjoin(DeviceAlert, (DeviceAlert.device_id == Device.id) & DeviceAlert.cleared_at.is_(None))
        .where(Device.site_id == site_id, Device.is_revoked.is_(False))
        .group_by(Device.id)
        .order_by(Device.name)
    )
    silence = map_reads.unheard(session, [site_id]).get(site_id)
    return [
        DeviceRow(device.public_id, device.name, device.kind, *_link(device, silence), alerts)
        for device, alerts in found
    ]


def page(session: Session, site_id: int, public_id: UUID) -> DevicePage:
    """Return one device with what it last told and did.

    Raises:
        NotFoundError: the site has none with this id.
    """
    device = queries.by_public_id(session, site_id, public_id)
    kiosk = session.get(Kiosk, device.kiosk_id) if device.kiosk_id is not None else None
    place = session.get(DevicePlace, device.id)
    link, link_at = _link(device, map_reads.unheard(session, [site_id]).get(site_id))
    reported = device.description.get("map")
    return DevicePage(
        device=device,
        kiosk=kiosk.name if kiosk else "",
        is_current=link is Link.READY,
        link=link,
        link_at=link_at,
        reported_map=reported if isinstance(reported, int) else None,
        alerts=open_alerts(session, device.id),
        properties=_properties(session, device.id),
        commands=_last(session, select(DeviceCommand), DeviceCommand.touched_at, device.id, _COMMANDS),
        events=_last(session, select(DeviceEvent), DeviceEvent.at, device.id, _EVENTS),
        health=_last(session, select(DeviceHealth), DeviceHealth.at, device.id, _CHANGES),
        uptime=uptime.of(session, device),
        place=place.words if place is not None else "",
        is_collected=partitions.is_collecting(session),
    )


def open_alerts(session: Session, device_id: int) -> list[DeviceAlert]:
    """Return what a device complains about now."""
    wanted = select(DeviceAlert).where(DeviceAlert.device_id == device_id, DeviceAlert.cleared_at.is_(None))
    return list(session.scalars(wanted.order_by(DeviceAlert.since)))


def letters(session: Session, site_id: int, *, before: int | None = None) -> list[DeadLetter]:
    """Return unusable messages of a site's devices and of unknown senders, newest first, fifty at a time."""
    wanted = select(DeadLetter).where((DeadLetter.site_id == site_id) | DeadLetter.site_id.is_(None))
    if before is not None:
        wanted = wanted.where(DeadLetter.id < before)
    return list(session.scalars(wanted.order_by(DeadLetter.id.desc()).limit(_LETTERS)))


def following(found: list[DeadLetter]) -> int | None:
    """Return where the next page begins, or None on the last one."""
    return found[-1].id if len(found) == _LETTERS else None


def unseen_letters(session: Session, site_id: int) -> int:
    """Return how many unusable messages nobody has looked at."""
    wanted = select(func.count()).where(
        (DeadLetter.site_id == site_id) | DeadLetter.site_id.is_(None), DeadLetter.seen_by == ""
    )
    return session.scalar(wanted) or 0


def troubles(session: Session, site_id: int) -> int:
    """Return how many devices are away or complain, for the menu."""
    return sum(row.link in (Link.OFFLINE, Link.SILENT) or row.alerts > 0 for row in rows(session, site_id))


def is_open(command: DeviceCommand) -> bool:
    """Tell whether a command has no final answer yet."""
    return command.state in UNRESOLVED


def _link(device: Device, silence: datetime | None) -> tuple[Link, datetime | None]:
    link, since = map_reads.known_link(device, silence)
    return link, since or device.link_at


def _last(
    session: Session, rows: Select[tuple[R]], moment: InstrumentedAttribute[datetime], device_id: int, most: int
) -> list[R]:
    """Return the newest rows about a device."""
    table = moment.class_
    wanted = rows.where(table.device_id == device_id).order_by(moment.desc(), table.id.desc()).limit(most)
    return list(session.scalars(wanted))


def _properties(session: Session, device_id: int) -> list[PropertyRow]:
    found = session.scalars(
        select(DeviceProperty)
        .where(DeviceProperty.device_id == device_id)
        .order_by(DeviceProperty.node, DeviceProperty.name)
    )
    return [PropertyRow(row.node, row.name, as_text(row.value), row.at) for row in found]


def as_text(value: object) -> str:
    """Return a value as short text: words as they are, everything else as JSON."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST_TEXT else text[: _LONGEST_TEXT - 1] + "…"
