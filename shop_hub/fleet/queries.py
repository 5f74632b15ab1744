"""Reads of the device side."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from pydantic import JsonValue
from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from shop_hub.core import clock
from shop_hub.core.db import Database
from shop_hub.core.errors import NotFoundError
from shop_hub.fleet.models import (
    IS_UNRESOLVED,
    Device,
    DeviceCommand,
    DeviceKind,
    DeviceProperty,
    HubLease,
    Kiosk,
    Link,
)
from shop_hub.fleet.partitions import is_lease_of


@dataclass(frozen=True)
class Reading:
    """A property as last heard. Unless `is_current`, the device is not heard from: the present state is unknown."""

    value: JsonValue
    at: datetime
    is_current: bool


def is_ready(session: Session, device_id: int) -> bool:
    """Tell whether a command could be sent to the device right now."""
    database: Database = session.info["database"]
    found = session.scalar(
        select(Device.id)
        .join(HubLease, is_lease_of(Device.site_id, database))
        .where(Device.id == device_id, Device.link == Link.READY, Device.is_revoked.is_(False), _is_held(session))
    )
    return found is not None


def hub_runs(session: Session) -> bool:
    """Tell whether a worker process is the hub."""
    return session.scalar(select(HubLease.name).where(_is_held(session)).limit(1)) is not None


def _is_held(session: Session) -> ColumnElement[bool]:
    """Return that a lease lasts, by the clock by which its holder has written it."""
    database: Database = session.info["database"]
    if database.is_sqlite:
        return HubLease.is_released.is_(False) & (HubLease.until >= clock.now())
    return HubLease.is_released.is_(False) & (HubLease.until >= func.clock_timestamp())


def property(session: Session, device_id: int, node: str, name: str) -> Reading | None:  # noqa: A001 - Homie's word
    """Return what a property last was, or None if it was never heard."""
    row = session.execute(
        select(DeviceProperty.value, DeviceProperty.at, Device.link)
        .join(Device, Device.id == DeviceProperty.device_id)
        .where(DeviceProperty.device_id == device_id, DeviceProperty.node == node, DeviceProperty.name == name)
    ).one_or_none()
    return None if row is None else Reading(row.value, row.at, row.link is Link.READY)


def properties(session: Session, device_id: int, name: str) -> dict[str, Reading]:
    """Return a property of all nodes of a device, by node; those never heard are left out."""
    rows = session.execute(
        select(DeviceProperty.node, DeviceProperty.value, DeviceProperty.at, Device.link)
        .join(Device, Device.id == DeviceProperty.device_id)
        .where(DeviceProperty.device_id == device_id, DeviceProperty.name == name)
    )
    return {row.node: Reading(row.value, row.at, row.link is Link.READY) for row in rows}


def devices(session: Session, site_id: int, kind: DeviceKind | None = None) -> list[Device]:
    """Return a site's devices in use, by name."""
    wanted = select(Device).where(Device.site_id == site_id, Device.is_revoked.is_(False)).order_by(Device.name)
    if kind is not None:
        wanted = wanted.where(Device.kind == kind)
    return list(session.scalars(wanted))


def device(session: Session, device_id: int) -> Device:
    """Return a device.

    Raises:
        NotFoundError: there is none.
    """
    found = session.get(Device, device_id)
    if found is None:
        raise NotFoundError(what="device")
    return found


def by_public_id(session: Session, site_id: int, public_id: UUID) -> Device:
    """Return a device of a site.

    Raises:
        NotFoundError: the site has none with this id.
    """
    found = session.scalar(select(Device).where(Device.public_id == public_id, Device.site_id == site_id))
    if found is None:
        raise NotFoundError(what="device")
    return found


def by_name(session: Session, site_id: int, name: str) -> Device:
    """Return a device of a site by its public id, or by the short name that it has at the broker.

    Raises:
        NotFoundError: the site has none.
    """
    try:
        return by_public_id(session, site_id, UUID(name))
    except ValueError:
        found = session.scalar(select(Device).where(Device.slug == name, Device.site_id == site_id))
    if found is None:
        raise NotFoundError(what="device")
    return found


def command(session: Session, device_id: int, ulid: str) -> DeviceCommand:
    """Return a command of a device.

    Raises:
        NotFoundError: the device never had one with this id.
    """
    found = session.scalar(
        select(DeviceCommand).where(DeviceCommand.ulid == ulid, DeviceCommand.device_id == device_id)
    )
    if found is None:
        raise NotFoundError(what="command")
    return found


def bound_to(session: Session, kiosk_id: int, kind: DeviceKind) -> Device | None:
    """Return the scanner or printer that stands at a kiosk, or None."""
    return session.scalar(
        select(Device)
        .where(Device.kiosk_id == kiosk_id, Device.kind == kind, Device.is_revoked.is_(False))
        .order_by(Device.id)
    )


def can_print(session: Session, kiosk_id: int) -> bool:
    """Tell whether the printer of a kiosk is ready and has told of nothing that keeps it from printing."""
    printer = bound_to(session, kiosk_id, DeviceKind.PRINTER)
    if printer is None or not is_ready(session, printer.id):
        return False
    state = property(session, printer.id, "printer", "state")
    return state is None or state.value == "ok"


def unresolved(session: Session, device_id: int, node: str) -> DeviceCommand | None:
    """Return the command of a node that has no final answer yet, or None."""
    return session.scalar(
        select(DeviceCommand).where(DeviceCommand.device_id == device_id, DeviceCommand.node == node, IS_UNRESOLVED)
    )


def register_code(session: Session, kiosk_id: int) -> str:
    """Return the prefix of a kiosk's receipt numbers.

    Raises:
        NotFoundError: there is no such kiosk.
    """
    found = session.scalar(select(Kiosk.register_code).where(Kiosk.id == kiosk_id))
    if found is None:
        raise NotFoundError(what="kiosk")
    return found
