"""What a vend's end does: to the money, to the slot, and to what the customer reads. Every verdict counts once."""

from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from shop_hub.checkout import service as checkout
from shop_hub.checkout.service import saga
from shop_hub.core import audit, clock, events
from shop_hub.fleet.models import CommandState, Device, DeviceCommand, DeviceEvent
from shop_hub.vending.models import Flag, SlotState, Vend, VendingMachine, VendingSlot, VendState

ANSWER_TIME = timedelta(seconds=90)
"""A machine tells the end of a vend within 60 s (devices.md 2); one that does not leaves it in doubt."""
DOUBT_TIME = timedelta(seconds=60)
"""So long the machine and its drop sensor may still tell what happened; then the customer does not pay."""
MOST_JAMS = 3
_OPEN = (VendState.DISPENSING, VendState.DOUBT)
_GIVEN_UP = (VendState.LOST, VendState.FAILED)


def record_result(session: Session, command: DeviceCommand) -> None:
    """Take the machine's answer to a vend; also a later, definite one."""
    vend = _of_command(session, command.ulid)
    if vend is None:
        return
    if command.state is CommandState.DONE:
        drop(session, vend)
    elif command.state in (CommandState.FAILED, CommandState.REJECTED, CommandState.EXPIRED):
        fail(session, vend, command.code or command.state.value, turned=command.state is CommandState.FAILED)
    elif command.state in (CommandState.UNKNOWN, CommandState.PARTIAL) and vend.state is VendState.DISPENSING:
        _doubt(session, vend, command.code)


def record_drop(session: Session, event: DeviceEvent, _device: Device) -> None:
    """Take the drop sensor's word, which may come before the answer or instead of it."""
    vend = _of_command(session, event.cause) if event.cause else None
    if vend is not None:
        drop(session, vend)


def record_jam(session: Session, event: DeviceEvent, device: Device) -> None:
    """Take a jam: of a vend, or one that the machine found by itself.

    With a `reason` the machine settles an old doubt: no piece has dropped, because the slot was empty or no motor
    has turned at all.
    """
    vend = _of_command(session, event.cause) if event.cause else None
    if vend is not None:
        reason = event.data.get("reason")
        fail(session, vend, reason if reason in ("empty", "not_turned") else "jam", turned=True)
        return
    slot = _slot(session, device, event.node)
    if slot is not None:
        set_flag(session, slot, Flag.JAM)


def locked(session: Session, vend: Vend) -> Vend:
    """Return a vend, locked until the end of the transaction; its sale first, as checkout does, against deadlocks."""
    saga.locked(session, vend.sale_id)
    return session.scalars(
        select(Vend).where(Vend.id == vend.id).with_for_update().execution_options(populate_existing=True)
    ).one()


def drop(session: Session, vend: Vend) -> None:
    """The piece has dropped: the sale is booked, the slot runs well."""
    if vend.state in _GIVEN_UP:
        _note_late(session, vend, "dropped")
    if vend.state not in _OPEN:
        return
    checkout.delivered(session, vend.sale_id)
    slot = session.get_one(VendingSlot, vend.slot_id)
    slot.jams = 0
    if slot.flag is Flag.DOUBT:
        slot.state, slot.flag = SlotState.OK, None
    _end(session, vend, VendState.DROPPED, "")


def fail(session: Session, vend: Vend, code: str, *, turned: bool = False) -> None:
    """The piece has certainly not dropped: the money goes back, a slot at fault is flagged.

    Args:
        code: the device's word.
        turned: the motor has turned, so a jam counts; a machine that refused because of an old jam did not.
    """
    if vend.state is VendState.LOST:
        _note_late(session, vend, f"not dropped: {code}")
    if vend.state not in (VendState.WAITING, *_OPEN):
        return
    checkout.not_delivered(session, vend.sale_id, code)
    slot = session.get_one(VendingSlot, vend.slot_id)
    if slot.flag is Flag.DOUBT:
        slot.state, slot.flag = SlotState.OK, None
    if code == "jam" and turned:
        slot.jams += 1
    if code in ("jam", "empty"):
        set_flag(session, slot, Flag(code))
    _end(session, vend, VendState.FAILED, code)


def give_up_if_due(session: Session, vend: Vend) -> None:
    """Doubt a vend without answer; end a doubt that lasted too long.

    Then the customer pays nothing, the piece is written off, and someone must count the slot.
    """
    age = clock.now() - vend.touched_at
    if vend.state is VendState.DISPENSING and age > ANSWER_TIME:
        _doubt(session, vend, "no-answer")
    elif vend.state is VendState.DOUBT and age > DOUBT_TIME:
        checkout.not_delivered(session, vend.sale_id, "in-doubt", is_gone=True)
        audit.record(session, vend.site_id, "system", "vend-lost", f"vend:{vend.id}", slot=vend.slot_id)
        _end(session, vend, VendState.LOST, vend.code)


def set_flag(session: Session, slot: VendingSlot, flag: Flag) -> None:
    """Take a slot out of sale; after three jams in a row only an operator brings it back."""
    if slot.state is SlotState.DISABLED:
        return
    is_over = flag is Flag.OFF or (flag is Flag.JAM and slot.jams >= MOST_JAMS)
    slot.state, slot.flag = (SlotState.DISABLED if is_over else SlotState.FLAGGED), flag
    events.publish(session, "vending", slot.site_id)
    events.publish(session, "alerts", slot.site_id)


def _doubt(session: Session, vend: Vend, code: str) -> None:
    vend.state, vend.code, vend.touched_at = VendState.DOUBT, code, clock.now()
    set_flag(session, session.get_one(VendingSlot, vend.slot_id), Flag.DOUBT)
    events.publish(session, "vending", vend.site_id)


def _end(session: Session, vend: Vend, state: VendState, code: str) -> None:
    vend.state, vend.code, vend.touched_at = state, code, clock.now()
    session.flush()
    events.publish(session, "vending", vend.site_id)


def _note_late(session: Session, vend: Vend, what: str) -> None:
    """Keep what became known too late: money and books stay as they are, a person reads it."""
    if not vend.late:
        vend.late = what[:80]
        audit.record(session, vend.site_id, "system", "vend-known-late", f"vend:{vend.id}", what=vend.late)


def _of_command(session: Session, ulid: str) -> Vend | None:
    vend = session.scalar(select(Vend).where(Vend.command == ulid))
    return None if vend is None else locked(session, vend)


def _slot(session: Session, device: Device, node: str) -> VendingSlot | None:
    return session.scalar(
        select(VendingSlot)
        .join(VendingMachine, VendingMachine.id == VendingSlot.machine_id)
        .where(VendingMachine.device_id == device.id, VendingSlot.node == node)
    )
