"""A courier puts parcels in, one door after the other.

Label scanned → the smallest fitting free compartment is claimed and its door asked to open → the sensor sees it open
and closed → the parcel is ready (`confirm_deposit`, called by the door's news). Every step that a courier takes can be
repeated without effect: the same label twice means the same door.
"""

from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from shop_hub.core import clock
from shop_hub.core.ids import uuid7
from shop_hub.lockers import service as lockers
from shop_hub.lockers.errors import DoorInUseError
from shop_hub.lockers.models import (
    LIVE_OPENINGS,
    Allocation,
    Compartment,
    DoorOpening,
    OpeningState,
    Purpose,
    Size,
)
from shop_hub.parcels import labels, notify, rules, states
from shop_hub.parcels.errors import (
    AlreadyStoredError,
    CourierPinNeededError,
    DoorStillOpenError,
    NotInYourHandsError,
    OtherCarrierError,
    ParcelBlockedError,
    SizeMissingError,
)
from shop_hub.parcels.models import CourierSession, Parcel, ParcelState
from shop_hub.parcels.service.announcements import active, check_recipient

MOST_TRIES_PER_DOOR = 2


class Reason(StrEnum):
    """Why a courier takes a parcel back out, or does not use a compartment."""

    CHANGED_MIND = "changed-mind"
    TOO_SMALL = "too-small"
    OCCUPIED = "occupied"
    DIRTY = "dirty"
    BROKEN = "broken"


BAD_COMPARTMENT = frozenset({Reason.OCCUPIED, Reason.DIRTY, Reason.BROKEN})


@dataclass(frozen=True)
class LabelFound:
    """What a scanned label says. Without `parcel` nobody has announced it, and `size` must be asked for."""

    number: str
    parcel: Parcel | None
    size: Size | None


def look_up(session: Session, at_work: CourierSession, scan: str) -> LabelFound:
    """Find out which parcel a label belongs to, without changing anything.

    Raises:
        NotAParcelLabelError: a product, a Leitcode, misread or garbage.
        OtherCarrierError: another carrier announced this number.
        AlreadyStoredError: it lies in the station.
    """
    known = active(session, at_work.site_id, labels.numbers(scan))
    mine = [parcel for parcel in known if parcel.carrier_id == at_work.carrier_id]
    if mine:
        return LabelFound(mine[0].number, mine[0], mine[0].size)
    if known:
        raise OtherCarrierError
    return LabelFound(labels.choose(scan, at_work.courier.carrier.label_format), None, None)


def deposit(
    session: Session,
    at_work: CourierSession,
    scan: str,
    *,
    size: Size | None = None,
    person_id: int | None = None,
) -> Parcel:
    """Claim the smallest fitting compartment for a scanned parcel and ask its door to open.

    Args:
        size: what the courier chose; overrides the announced one.
        person_id: the recipient, where the courier found out.

    Raises:
        NotAParcelLabelError, OtherCarrierError, AlreadyStoredError: see `look_up`.
        DoorStillOpenError: the courier's last parcel is not finished.
        SizeMissingError: nobody knows how large it is.
        ParcelBlockedError, RecipientObjectsError: it must not be put in.
        NoCompartmentError, StationOfflineError: no door.
    """
    found = look_up(session, at_work, scan)
    unfinished = in_hand(session, at_work)
    if found.parcel is not None and unfinished is not None and found.parcel.id == unfinished.id:
        return unfinished
    if unfinished is not None:
        raise DoorStillOpenError(number=_door_number(session, unfinished))
    if found.parcel is not None:
        _check_may_be_put_in(session, found.parcel)
    size = size or found.size
    if size is None:
        raise SizeMissingError(field="size")
    parcel = found.parcel or _capture(session, at_work, found.number, person_id)
    needs_reach = check_recipient(session, parcel.person_id or person_id)
    compartment = lockers.claim(session, at_work.locker_id, size, accessible=needs_reach, zone=parcel.zone)
    return _open_for(session, at_work, parcel, compartment, size=size, person_id=parcel.person_id or person_id)


def in_hand(session: Session, at_work: CourierSession) -> Parcel | None:
    """Return the parcel that the courier is just putting in, or None."""
    return session.scalar(select(Parcel).where(Parcel.session_id == at_work.id, Parcel.state == ParcelState.DEPOSITING))


def confirm_deposit(session: Session, parcel: Parcel, *, actor: str) -> Parcel:
    """The sensor saw the door close on a parcel: it is ready, and its recipient is told."""
    assert parcel.compartment_id is not None  # noqa: S101 - CHECK stored_has_compartment
    if session.get_one(Compartment, parcel.compartment_id).allocation is Allocation.RESERVED:
        lockers.occupy(session, parcel.compartment_id)
    now = clock.now()
    values = {"ready_at": now, "expires_at": rules.keep_until(session, parcel.site_id, now)}
    states.transition(session, parcel, ParcelState.READY, "deposited", actor=actor, values=values)
    notify.ready(session, parcel)
    return parcel


def retry_open(session: Session, at_work: CourierSession, parcel: Parcel, *, has_pin: bool) -> Parcel:
    """Try the door again, by hand: the same one once, then another compartment, and the first becomes suspect.

    Args:
        has_pin: the courier's PIN proved right in this visit.

    Raises:
        NotInYourHandsError: the courier is not putting this parcel in.
        DoorInUseError: the last try is not finished.
        CourierPinNeededError: a parcel of an earlier sign-in may lie behind the door.
        NoCompartmentError, StationOfflineError: no door.
    """
    _check_in_hand(session, at_work, parcel)
    opening, compartment = _door(session, parcel)
    if opening.state in LIVE_OPENINGS:
        raise DoorInUseError(number=compartment.number)
    if not has_pin and opening.requested_at < at_work.started_at and _was_closed(session, parcel):
        raise CourierPinNeededError
    if opening.state is OpeningState.UNKNOWN or tries(session, parcel) >= MOST_TRIES_PER_DOOR:
        return other_compartment(session, at_work, parcel)
    again = lockers.request_open(
        session, compartment.id, purpose=opening.purpose, by=_actor(at_work), grant=f"parcel:{parcel.id}"
    )
    return states.note(session, parcel, "opening-retried", actor=_actor(at_work), values={"opening_id": again.id})


def other_compartment(session: Session, at_work: CourierSession, parcel: Parcel) -> Parcel:
    """Give up a door that does not open: it becomes suspect, and another compartment is opened.

    Raises:
        NotInYourHandsError: the courier is not putting this parcel in, or it lies inside already.
        DoorInUseError: the last try is not finished.
        NoCompartmentError, StationOfflineError: no door; nothing has changed.
    """
    _check_in_hand(session, at_work, parcel)
    opening, compartment = _door(session, parcel)
    if opening.state in LIVE_OPENINGS:
        raise DoorInUseError(number=compartment.number)
    if opening.state is OpeningState.CLOSED or parcel.ready_at is not None:
        raise NotInYourHandsError
    size = parcel.size or compartment.size
    needs_reach = check_recipient(session, parcel.person_id)
    fresh = lockers.claim(session, at_work.locker_id, size, accessible=needs_reach, zone=parcel.zone)
    give_up(session, opening, compartment)
    again = lockers.request_open(
        session, fresh.id, purpose=Purpose.DEPOSIT, by=_actor(at_work), grant=f"parcel:{parcel.id}"
    )
    values = {"compartment_id": fresh.id, "opening_id": again.id}
    return states.note(session, parcel, "compartment-changed", actor=_actor(at_work), values=values)


def undo_deposit(session: Session, at_work: CourierSession, parcel: Parcel, reason: Reason, *, has_pin: bool) -> Parcel:
    """Take a parcel back out, or leave a compartment unused.

    While the door is open, closing it ends the undo. After it was closed the same door opens again.

    Args:
        has_pin: the courier's PIN proved right in this visit; the badge alone takes nothing out (decisions.md 21).

    Raises:
        CourierPinNeededError: the door was closed on the parcel, and only the badge was shown.
        NotInYourHandsError: another courier put it in, or the session is another one.
        DoorInUseError: the door is just being opened.
        StationOfflineError: the door would have to open again.
    """
    if parcel.session_id != at_work.id or parcel.state not in (ParcelState.DEPOSITING, ParcelState.READY):
        raise NotInYourHandsError
    opening, compartment = _door(session, parcel)
    if opening.state is OpeningState.REQUESTED:
        raise DoorInUseError(number=compartment.number)
    is_shut = opening.state is OpeningState.CLOSED or parcel.ready_at is not None
    if is_shut and opening.state is not OpeningState.OPENED:
        return _undo_behind_closed_door(session, at_work, parcel, reason, has_pin=has_pin)
    if reason in BAD_COMPARTMENT:
        lockers.mark_suspect(session, compartment.id, reason)
    if opening.state is OpeningState.OPENED:
        opening.purpose = Purpose.UNDO
        return states.note(session, parcel, "undo-asked", actor=_actor(at_work), reason=reason)
    give_up(session, opening, compartment)
    return finish_undo(session, parcel, actor=_actor(at_work))


def give_up(session: Session, opening: DoorOpening, compartment: Compartment) -> None:
    """Stop using a door that did not open: suspect, unless the station refused and so nothing ever moved."""
    if opening.state is OpeningState.REFUSED and compartment.allocation is Allocation.RESERVED:
        lockers.release(session, compartment.id)
    else:
        lockers.mark_suspect(session, compartment.id, "not-opened")


def finish_undo(session: Session, parcel: Parcel, *, actor: str, to_check: bool = False) -> Parcel:
    """The courier holds the parcel again: its compartment is free (unless suspect), its recipient told if need be."""
    assert parcel.compartment_id is not None  # noqa: S101 - CHECK stored_has_compartment
    compartment = session.get_one(Compartment, parcel.compartment_id)
    if compartment.allocation in (Allocation.RESERVED, Allocation.OCCUPIED):
        lockers.release(session, compartment.id, to_check=to_check)
    notify.withdrawn(session, parcel)
    notify.forget_codes(session, parcel)
    to = ParcelState.CANCELLED if parcel.is_captured else ParcelState.ANNOUNCED
    values = {"compartment_id": None, "opening_id": None, "session_id": None, "ready_at": None, "expires_at": None}
    return states.transition(session, parcel, to, "deposit-undone", actor=actor, values={**values, "told_at": None})


def doubt(session: Session, parcel: Parcel, *, actor: str, kind: str) -> Parcel:
    """Nobody can be sure where the parcel is: staff must look. Its codes end, its compartment is suspect."""
    if parcel.compartment_id is not None:
        lockers.mark_suspect(session, parcel.compartment_id, kind)
    notify.forget_codes(session, parcel)
    return states.transition(session, parcel, ParcelState.DISPUTED, kind, actor=actor)


def say_inside(session: Session, at_work: CourierSession, parcel: Parcel) -> Parcel:
    """The courier insists that the parcel lies inside although the sensor sees nothing: staff must look.

    Raises:
        NotInYourHandsError: that is not the question with this parcel.
    """
    _check_in_hand(session, at_work, parcel)
    opening, _ = _door(session, parcel)
    if opening.state is not OpeningState.CLOSED:
        raise NotInYourHandsError
    return doubt(session, parcel, actor=_actor(at_work), kind="sensor-contradicts")


def tries(session: Session, parcel: Parcel) -> int:
    """Return how often this parcel's present door has failed to open."""
    return (
        session.scalar(
            select(func.count(DoorOpening.id)).where(
                DoorOpening.compartment_id == parcel.compartment_id,
                DoorOpening.grant == f"parcel:{parcel.id}",
                DoorOpening.state == OpeningState.NOT_OPENED,
            )
        )
        or 0
    )


def _capture(session: Session, at_work: CourierSession, number: str, person_id: int | None) -> Parcel:
    parcel = Parcel(
        public_id=uuid7(),
        site_id=at_work.site_id,
        carrier=at_work.courier.carrier,
        number=number,
        state=ParcelState.ANNOUNCED,
        is_captured=True,
        person_id=person_id,
        locker_id=at_work.locker_id,
        announced_at=clock.now(),
    )
    return states.begin(session, parcel, "captured", actor=_actor(at_work))


def _check_may_be_put_in(session: Session, parcel: Parcel) -> None:
    if parcel.state is not ParcelState.ANNOUNCED:
        raise AlreadyStoredError(number=_door_number(session, parcel))
    if parcel.blocked_reason:
        raise ParcelBlockedError(reason=parcel.blocked_reason)


def _open_for(
    session: Session,
    at_work: CourierSession,
    parcel: Parcel,
    compartment: Compartment,
    *,
    size: Size,
    person_id: int | None,
) -> Parcel:
    opening = lockers.request_open(
        session, compartment.id, purpose=Purpose.DEPOSIT, by=_actor(at_work), grant=f"parcel:{parcel.id}"
    )
    values = {
        "compartment_id": compartment.id,
        "opening_id": opening.id,
        "session_id": at_work.id,
        "locker_id": at_work.locker_id,
        "size": size,
        "person_id": person_id,
    }
    kind = "label-scanned"
    return states.transition(session, parcel, ParcelState.DEPOSITING, kind, actor=_actor(at_work), values=values)


def _undo_behind_closed_door(
    session: Session, at_work: CourierSession, parcel: Parcel, reason: Reason, *, has_pin: bool
) -> Parcel:
    opening, compartment = _door(session, parcel)
    is_empty = parcel.state is ParcelState.DEPOSITING and opening.presence_after is False
    if not is_empty and not has_pin:
        raise CourierPinNeededError
    if reason in BAD_COMPARTMENT:
        lockers.mark_suspect(session, compartment.id, reason)
    if is_empty:
        return finish_undo(session, parcel, actor=_actor(at_work))
    return _open_to_undo(session, at_work, parcel, compartment, reason)


def _open_to_undo(
    session: Session, at_work: CourierSession, parcel: Parcel, compartment: Compartment, reason: Reason
) -> Parcel:
    again = lockers.request_open(
        session, compartment.id, purpose=Purpose.UNDO, by=_actor(at_work), grant=f"parcel:{parcel.id}"
    )
    values = {"opening_id": again.id}
    if parcel.state is ParcelState.DEPOSITING:
        return states.note(session, parcel, "undo-asked", actor=_actor(at_work), values=values, reason=reason)
    to = ParcelState.DEPOSITING
    return states.transition(session, parcel, to, "undo-asked", actor=_actor(at_work), values=values, reason=reason)


def _was_closed(session: Session, parcel: Parcel) -> bool:
    """Tell whether the parcel's present door was opened for it and closed again."""
    return (
        session.scalar(
            select(DoorOpening.id)
            .where(
                DoorOpening.compartment_id == parcel.compartment_id,
                DoorOpening.grant == f"parcel:{parcel.id}",
                DoorOpening.state == OpeningState.CLOSED,
            )
            .limit(1)
        )
        is not None
    )


def _check_in_hand(session: Session, at_work: CourierSession, parcel: Parcel) -> None:
    current = in_hand(session, at_work)
    if current is None or current.id != parcel.id or parcel.state is not ParcelState.DEPOSITING:
        raise NotInYourHandsError


def _door(session: Session, parcel: Parcel) -> tuple[DoorOpening, Compartment]:
    opening = session.get_one(DoorOpening, parcel.opening_id)
    return opening, session.get_one(Compartment, opening.compartment_id)


def _door_number(session: Session, parcel: Parcel) -> int | None:
    return session.scalar(select(Compartment.number).where(Compartment.id == parcel.compartment_id))


def _actor(at_work: CourierSession) -> str:
    return f"courier:{at_work.courier_id}"
