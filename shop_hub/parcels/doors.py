"""What a door's news means for the parcel behind it.

Registered with `lockers.service.on_door`; runs in the transaction that records the news. The rule everywhere: certain →
act; a sensor can tell → let it; nobody can tell → ask the person on the screen, and if that is over too, staff.
"""

from collections.abc import Callable
from typing import Any

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from shop_hub.lockers import service as lockers
from shop_hub.lockers.models import Allocation, Compartment, Door, DoorOpening, Purpose
from shop_hub.lockers.service import DoorChange, DoorFact
from shop_hub.parcels import credentials, states
from shop_hub.parcels.models import STORED, Parcel, ParcelState
from shop_hub.parcels.service import deposits, handbacks, pickups

SYSTEM = "system"
_WAITING = (ParcelState.READY, ParcelState.EXPIRED, ParcelState.RETURNING)
_NEWS = {
    DoorFact.OPENED: "door-opened",
    DoorFact.CLOSED: "door-closed",
    DoorFact.NOT_OPENED: "door-did-not-open",
    DoorFact.REFUSED: "opening-refused",
    DoorFact.UNKNOWN: "opening-unknown",
    DoorFact.LEFT_OPEN: "door-left-open",
}


def on_door(session: Session, change: DoorChange) -> None:
    """Take one fact about a door."""
    opening = change.opening
    if opening is None:
        _unasked(session, change)
    elif opening.purpose is Purpose.STAFF:
        _staff(session, change)
    else:
        parcel = _locked(session, Parcel.opening_id == opening.id)
        if parcel is None:
            _given_up(session, change)
        else:
            _FOR[opening.purpose](session, parcel, change, opening)


def _deposit(session: Session, parcel: Parcel, change: DoorChange, opening: DoorOpening) -> None:
    if parcel.state is not ParcelState.DEPOSITING:
        _given_up(session, change)
    elif change.fact is DoorFact.CLOSED and opening.presence_after is not False:
        _note(session, parcel, change)
        deposits.confirm_deposit(session, parcel, actor=SYSTEM)
    elif change.fact is DoorFact.UNKNOWN and opening.opened_at is not None:
        _interrupted_deposit(session, parcel, change)
    else:
        _note(session, parcel, change)


def _interrupted_deposit(session: Session, parcel: Parcel, change: DoorChange) -> None:
    """The station lost power or word while the door was open; only a light barrier can prove the outcome."""
    if change.compartment.presence is True and change.compartment.door is Door.CLOSED:
        _note(session, parcel, change)
        deposits.confirm_deposit(session, parcel, actor=SYSTEM)
    else:
        deposits.doubt(session, parcel, actor=SYSTEM, kind="interrupted")


def _undo(session: Session, parcel: Parcel, change: DoorChange, opening: DoorOpening) -> None:
    if parcel.state is not ParcelState.DEPOSITING:
        _given_up(session, change)
    elif change.fact is DoorFact.CLOSED:
        _note(session, parcel, change)
        _undone(session, parcel, change.compartment, opening)
    elif change.fact is DoorFact.UNKNOWN:
        deposits.doubt(session, parcel, actor=SYSTEM, kind="interrupted")
    elif change.fact in (DoorFact.NOT_OPENED, DoorFact.REFUSED) and parcel.ready_at is not None:
        states.transition(session, parcel, ParcelState.READY, _NEWS[change.fact], actor=SYSTEM)
    else:
        _note(session, parcel, change)


def _undone(session: Session, parcel: Parcel, compartment: Compartment, opening: DoorOpening) -> None:
    """The courier closed the door after taking the parcel out; a bad compartment may hold something foreign."""
    if opening.presence_after is True and compartment.allocation is not Allocation.SUSPECT:
        if parcel.ready_at is not None:
            states.transition(session, parcel, ParcelState.READY, "still-inside", actor=SYSTEM)
        else:
            deposits.confirm_deposit(session, parcel, actor=SYSTEM)
        return
    deposits.finish_undo(session, parcel, actor=SYSTEM, to_check=opening.presence_after is None)


def _pickup(session: Session, parcel: Parcel, change: DoorChange, opening: DoorOpening) -> None:
    if parcel.state is ParcelState.COLLECTED:
        _after_collection(session, parcel, change, opening)
        return
    if parcel.state in (ParcelState.READY, ParcelState.EXPIRED) and change.fact is DoorFact.OPENED:
        credentials.claim(session, parcel)
        states.transition(session, parcel, ParcelState.COLLECTING, "opened-late", actor=SYSTEM)
        return
    if parcel.state is not ParcelState.COLLECTING:
        _note(session, parcel, change)
        return
    match change.fact:
        case DoorFact.CLOSED:
            _closed_after_pickup(session, parcel, change, opening.presence_after)
        case DoorFact.NOT_OPENED | DoorFact.REFUSED if opening.purpose is Purpose.PICKUP:
            pickups.not_taken(session, parcel, actor=SYSTEM, kind=_NEWS[change.fact])
        case DoorFact.UNKNOWN:
            _unknown_pickup(session, parcel, change, opening)
        case _:
            _note(session, parcel, change)


def _closed_after_pickup(session: Session, parcel: Parcel, change: DoorChange, presence: bool | None) -> None:  # noqa: FBT001 - a reading
    if presence is True:
        pickups.not_taken(session, parcel, actor=SYSTEM, kind="closed-with-parcel")
        return
    _note(session, parcel, change)
    if presence is False:
        pickups.finish(session, parcel, actor=SYSTEM)


def _unknown_pickup(session: Session, parcel: Parcel, change: DoorChange, opening: DoorOpening) -> None:
    """No word of a door that a recipient asked for. Seen open before: the light barrier tells, or staff must look."""
    if opening.opened_at is None:
        _note(session, parcel, change)
        lockers.mark_suspect(session, change.compartment.id, "opening-unknown")
    elif change.compartment.presence is None or change.compartment.door is not Door.CLOSED:
        deposits.doubt(session, parcel, actor=SYSTEM, kind="interrupted")
    else:
        _closed_after_pickup(session, parcel, change, change.compartment.presence)


def _after_collection(session: Session, parcel: Parcel, change: DoorChange, opening: DoorOpening) -> None:
    """The door was opened once more after the parcel was taken."""
    _note(session, parcel, change)
    compartment = change.compartment
    if compartment.allocation is not Allocation.RESERVED:
        return
    match change.fact:
        case DoorFact.CLOSED if opening.presence_after is True:
            lockers.mark_suspect(session, compartment.id, "left-behind")
        case DoorFact.CLOSED:
            lockers.release(session, compartment.id, to_check=opening.presence_after is None)
        case DoorFact.NOT_OPENED | DoorFact.REFUSED:
            lockers.release(session, compartment.id)
        case DoorFact.UNKNOWN:
            lockers.mark_suspect(session, compartment.id, "opening-unknown")
        case _:
            return


def _handback(session: Session, parcel: Parcel, change: DoorChange, opening: DoorOpening) -> None:
    if change.fact is DoorFact.UNKNOWN and parcel.state is ParcelState.RETURNING and opening.opened_at is not None:
        deposits.doubt(session, parcel, actor=SYSTEM, kind="interrupted")
        return
    _note(session, parcel, change)
    if change.fact is DoorFact.UNKNOWN:
        lockers.mark_suspect(session, change.compartment.id, "opening-unknown")
    is_gone = change.fact is DoorFact.CLOSED and opening.presence_after is False
    if is_gone and parcel.state is ParcelState.RETURNING:
        handbacks.confirm_taken_out(session, parcel, actor=SYSTEM)


def _staff(session: Session, change: DoorChange) -> None:
    """Staff opened a door; if what lay behind it is gone afterwards, the parcel is disputed."""
    parcel = _behind(session, change.compartment)
    if parcel is None:
        return
    _note(session, parcel, change)
    if change.fact is DoorFact.CLOSED and change.compartment.presence is False and parcel.state in _WAITING:
        deposits.doubt(session, parcel, actor=SYSTEM, kind="gone")


def _unasked(session: Session, change: DoorChange) -> None:
    """A door moved although nobody asked: what lay behind it can only be believed to be there by a light barrier."""
    parcel = _behind(session, change.compartment)
    if parcel is None or parcel.state not in _WAITING:
        return
    is_forced = change.fact is DoorFact.FORCED and change.compartment.presence is not True
    is_gone = change.fact is DoorFact.CLOSED and change.compartment.presence is False
    if is_forced or is_gone:
        deposits.doubt(session, parcel, actor=SYSTEM, kind="forced" if is_forced else "gone")


def _given_up(session: Session, change: DoorChange) -> None:
    """News of an opening that no parcel waits for any more. A door that opens after all must be looked at."""
    if change.fact is DoorFact.OPENED:
        lockers.mark_suspect(session, change.compartment.id, "opened-late")


def _note(session: Session, parcel: Parcel, change: DoorChange) -> None:
    detail: dict[str, Any] = {}
    if change.fact is DoorFact.CLOSED:
        detail["presence"] = change.compartment.presence
    elif change.opening is not None and change.opening.code:
        detail["code"] = change.opening.code
    states.note(session, parcel, _NEWS[change.fact], actor=SYSTEM, **detail)


def _behind(session: Session, compartment: Compartment) -> Parcel | None:
    return _locked(session, Parcel.compartment_id == compartment.id, Parcel.state.in_(STORED))


def _locked(session: Session, *conditions: ColumnElement[bool]) -> Parcel | None:
    """Return a parcel whose row nobody else changes meanwhile: a sensor's news must not be lost to a race."""
    wanted = select(Parcel).where(*conditions).with_for_update(of=Parcel)
    return session.scalar(wanted.execution_options(populate_existing=True))


_FOR: dict[Purpose, Callable[[Session, Parcel, DoorChange, DoorOpening], None]] = {
    Purpose.DEPOSIT: _deposit,
    Purpose.UNDO: _undo,
    Purpose.PICKUP: _pickup,
    Purpose.REOPEN: _pickup,
    Purpose.HANDBACK: _handback,
}
