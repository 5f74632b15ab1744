"""Brings a machine's planogram to what the books say: item numbers, prices, and pieces that a person has counted."""

from datetime import timedelta

from pydantic import JsonValue
from sqlalchemy import select
from sqlalchemy.orm import Session

from shop_hub.core import clock
from shop_hub.fleet import provisioning
from shop_hub.fleet import service as devices
from shop_hub.fleet.errors import DeviceBusyError, DeviceOfflineError
from shop_hub.fleet.models import CommandState, Device, DeviceCommand, Link
from shop_hub.vending import queries
from shop_hub.vending.models import Vend, VendingMachine, VendingSlot, VendState
from shop_hub.vending.queries import UNIT, SlotView

OP = "plan"
TTL_MS = 5000
_PAUSE = timedelta(seconds=30)
"""After a planogram that a machine did not take it is left alone for so long."""
_HIGHEST_ITEM = 65_535
"""MDB items have 16 bits."""
_OPEN = (VendState.WAITING, VendState.DISPENSING, VendState.DOUBT)
_MOST_SLOTS = 90
"""So many rows fit into a message of 4 kB; the others keep what the machine knows of them."""


def send_plans(session: Session) -> None:
    """Send its planogram to each machine that can take one and works with another."""
    rows = session.execute(
        select(VendingMachine, Device)
        .join(Device, Device.id == VendingMachine.device_id)
        .where(Device.link == Link.READY, Device.is_revoked.is_(False))
    )
    for machine, device in rows.all():
        if _is_due(session, machine, device):
            _send(session, machine)


def record_plan(session: Session, command: DeviceCommand) -> None:
    """Take the machine's answer: from here on commands are decided on the planogram that it has taken over."""
    revision = command.args.get("revision")
    if command.state is CommandState.DONE and isinstance(revision, int):
        device = session.get_one(Device, command.device_id)
        provisioning.set_map(session, device, revision, actor="system")


def _is_due(session: Session, machine: VendingMachine, device: Device) -> bool:
    """Tell whether a machine knows planograms, has another one, and may be asked again."""
    unit = (device.description.get("nodes") or {}).get(UNIT) or {}
    if OP not in (unit.get("properties") or {}):
        return False
    if machine.plan_revision == device.map_revision == device.description.get("map"):
        return False
    # While somebody buys, the books have a piece less than the slot holds.
    if session.scalar(select(Vend.id).where(Vend.machine_id == machine.id, Vend.state.in_(_OPEN)).limit(1)):
        return False
    tried = session.scalar(
        select(DeviceCommand.touched_at)
        .where(
            DeviceCommand.device_id == device.id,
            DeviceCommand.op == OP,
            DeviceCommand.state.in_((CommandState.FAILED, CommandState.REJECTED)),
            DeviceCommand.touched_at > clock.now() - _PAUSE,
        )
        .limit(1)
    )
    return tried is None


def _send(session: Session, machine: VendingMachine) -> None:
    args: dict[str, JsonValue] = {"revision": machine.plan_revision, "slots": _rows(session, machine)}
    try:
        devices.request(session, machine.device_id, UNIT, OP, args, by=f"plan:{machine.id}", ttl_ms=TTL_MS)
    except (DeviceOfflineError, DeviceBusyError):
        return


def _rows(session: Session, machine: VendingMachine) -> dict[str, JsonValue]:
    found = session.scalars(
        select(VendingSlot).where(VendingSlot.machine_id == machine.id).order_by(VendingSlot.number).limit(_MOST_SLOTS)
    ).all()
    slots = {slot.id: slot for slot in found}
    views = queries.slots_of(session, machine, found)
    return {view.node: _row(view, slots[view.id]) for view in views}


def _row(view: SlotView, slot: VendingSlot) -> JsonValue:
    """Return `[item, price_cents, capacity, fill, pieces, replaced]`; an item number is digits or not known here."""
    name = view.selection or str(view.number)
    item = int(name) if name.isdecimal() else 0
    item = item if item <= _HIGHEST_ITEM else 0
    return [item, view.total_cents, view.capacity, slot.fills, view.pieces, slot.renewals]
