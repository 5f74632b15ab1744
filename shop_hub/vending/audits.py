"""Readings of a machine's own counters: taking them over, and comparing them with what was sold here."""

import base64
import binascii
import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from shop_hub.core import audit, clock, events
from shop_hub.core.errors import NotFoundError, ShopError
from shop_hub.core.sites import Site
from shop_hub.fleet.models import Device, DeviceEvent
from shop_hub.vending import evadts
from shop_hub.vending.evadts import AuditFile, Doubt
from shop_hub.vending.models import AuditCount, AuditSource, MachineAudit, VendingMachine

MOST_PARTS = 100
_PARTS_WITHIN = timedelta(days=2)
_OLDEST_READING = timedelta(days=400)
_CLOCK_SLACK = timedelta(minutes=10)
_CLOCK_OFF = timedelta(hours=2)


@dataclass(frozen=True, slots=True)
class Taken:
    """A reading that is stored; `is_new` is False when the very same file was there already."""

    audit: MachineAudit
    is_new: bool


def take(
    session: Session,
    machine: VendingMachine,
    content: bytes,
    *,
    source: AuditSource,
    actor: str,
    read_at: datetime | None = None,
) -> Taken:
    """Take over an audit file of a machine; the same file twice is one reading.

    Args:
        read_at: when the counters were read, if that is known better than by the machine's clock.

    Raises:
        BadInputError: one of the refusals of `evadts.read`.
    """
    found = evadts.read(content)
    session.scalars(select(VendingMachine.id).where(VendingMachine.id == machine.id).with_for_update()).one()
    digest = hashlib.sha256(content).hexdigest()
    known = session.scalar(
        select(MachineAudit).where(MachineAudit.machine_id == machine.id, MachineAudit.digest == digest)
    )
    if known is not None:
        return Taken(known, is_new=False)
    row = _store(machine, found, content, _moment(session, machine, found, read_at))
    row.source, row.actor, row.digest = source, actor, digest
    session.add(row)
    session.flush()
    session.add_all(_counts(row, found))
    session.flush()
    audit.record(session, machine.site_id, actor, "vending-audit", f"vending-machine:{machine.id}", source=source.value)
    events.publish(session, "vending", machine.site_id)
    return Taken(row, is_new=True)


def record_part(session: Session, event: DeviceEvent, device: Device) -> None:
    """Take a part of an audit file from a device; with its last one the file is taken over or refused.

    An event without a file is a slot's own count, which nobody needs here.
    """
    name, parts = event.data.get("file"), event.data.get("parts")
    machine = session.scalar(select(VendingMachine).where(VendingMachine.device_id == device.id))
    if machine is None or not isinstance(name, str) or type(parts) is not int or not 1 <= parts <= MOST_PARTS:
        return
    content, actor = _assembled(session, event, name, parts), f"device:{device.id}"
    if content is None:
        return
    try:
        take(session, machine, content, source=AuditSource.DEVICE, actor=actor, read_at=event.happened_at)
    except ShopError as refusal:
        what = f"vending-machine:{machine.id}"
        audit.record(session, machine.site_id, actor, "vending-audit-refused", what, reason=refusal.code)


def one(session: Session, site_id: int, public_id: UUID) -> MachineAudit:
    """Return a reading.

    Raises:
        NotFoundError: the site has none with this id.
    """
    found = session.scalar(
        select(MachineAudit).where(MachineAudit.site_id == site_id, MachineAudit.public_id == public_id)
    )
    if found is None:
        raise NotFoundError(what="audit")
    return found


def machine(session: Session, site_id: int, public_id: UUID) -> VendingMachine:
    """Return a machine.

    Raises:
        NotFoundError: the site has none with this id.
    """
    found = session.scalar(
        select(VendingMachine).where(VendingMachine.site_id == site_id, VendingMachine.public_id == public_id)
    )
    if found is None:
        raise NotFoundError(what="vending machine")
    return found


def machine_of(session: Session, found: MachineAudit) -> VendingMachine:
    """Return the machine of a reading."""
    return session.get_one(VendingMachine, found.machine_id)


def _assembled(session: Session, event: DeviceEvent, name: str, parts: int) -> bytes | None:
    """Return the whole file once all of its parts have come, else None."""
    rows = session.scalars(
        select(DeviceEvent).where(
            DeviceEvent.device_id == event.device_id,
            DeviceEvent.type == event.type,
            DeviceEvent.node == event.node,
            DeviceEvent.at > clock.now() - _PARTS_WITHIN,
        )
    )
    texts = {
        row.data.get("part"): row.data.get("content")
        for row in rows
        if row.data.get("file") == name and row.data.get("parts") == parts
    }
    if any(number not in texts for number in range(1, parts + 1)):
        return None
    try:
        return b"".join(base64.b64decode(str(texts[number]), validate=True) for number in range(1, parts + 1))
    except binascii.Error:
        return b""


def _moment(session: Session, machine: VendingMachine, found: AuditFile, given: datetime | None) -> datetime:
    """Return when the counters were read: as given, else by the machine's clock if it can be believed, else now."""
    now = clock.now()
    zone = ZoneInfo(session.get_one(Site, machine.site_id).timezone)
    told = None if found.clock is None else found.clock.replace(tzinfo=zone).astimezone(UTC)
    is_credible = told is not None and now - _OLDEST_READING < told <= now + _CLOCK_SLACK
    moment = given or (min(told, now) if told is not None and is_credible else now)
    if found.clock is not None and told is not None and abs(told - moment) > _CLOCK_OFF:
        found.doubts.append(Doubt("clock", {"told": found.clock.strftime("%Y-%m-%d %H:%M")}))
    return moment


def _store(machine: VendingMachine, found: AuditFile, content: bytes, moment: datetime) -> MachineAudit:
    return MachineAudit(
        site_id=machine.site_id,
        machine_id=machine.id,
        serial=found.serial,
        model=found.model,
        read_at=moment,
        received_at=clock.now(),
        total_vends=found.total_vends,
        total_cents=found.total_cents,
        cash_vends=found.cash_vends,
        cash_cents=found.cash_cents,
        doubts=[[doubt.code, doubt.params] for doubt in found.doubts],
        content=content,
    )


def _counts(row: MachineAudit, found: AuditFile) -> list[AuditCount]:
    return [
        AuditCount(
            audit_id=row.id,
            site_id=row.site_id,
            selection=selection.name,
            title=selection.title,
            price_cents=selection.price_cents,
            vends=selection.vends,
            cents=selection.cents,
            cash_vends=selection.cash_vends,
            cash_cents=selection.cash_cents,
            tests=selection.tests,
            free=selection.free,
        )
        for selection in found.selections.values()
    ]
