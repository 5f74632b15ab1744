"""A courier takes out what was not collected or is sent back. Needs the courier's PIN: goods leave the house."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from shop_hub.lockers import service as lockers
from shop_hub.lockers.models import LIVE_OPENINGS, Allocation, Compartment, DoorOpening, OpeningState, Purpose
from shop_hub.parcels import notify, states
from shop_hub.parcels.errors import (
    CourierPinNeededError,
    DoorStillOpenError,
    OtherCarrierError,
    ParcelBlockedError,
    ParcelChangedError,
)
from shop_hub.parcels.models import CourierSession, Parcel, ParcelState


def take_out(session: Session, at_work: CourierSession, parcel: Parcel, *, has_pin: bool) -> Parcel:
    """Ask the door of an expired or returned parcel to open. Asking twice is the same as asking once.

    Args:
        has_pin: the courier's PIN proved right at sign-in; the badge alone does not take parcels out.

    Raises:
        CourierPinNeededError: only the badge was shown.
        OtherCarrierError: it belongs to another carrier.
        ParcelChangedError: it is not to be taken back (any more).
        DoorStillOpenError: another door of this courier is open.
        DoorInUseError, StationOfflineError: nothing was sent.
    """
    if not has_pin:
        raise CourierPinNeededError
    if parcel.carrier_id != at_work.carrier_id or parcel.site_id != at_work.site_id:
        raise OtherCarrierError
    if parcel.blocked_reason:
        raise ParcelBlockedError(reason=parcel.blocked_reason)
    if parcel.state not in (ParcelState.EXPIRED, ParcelState.RETURNING) or parcel.compartment_id is None:
        raise ParcelChangedError
    current = taking_out(session, at_work)
    if current is not None:
        if current.id == parcel.id:
            return parcel
        raise DoorStillOpenError(number=session.get_one(Compartment, current.compartment_id).number)
    return _open(session, at_work, parcel)


def taking_out(session: Session, at_work: CourierSession) -> Parcel | None:
    """Return the parcel whose door is open, or just opening, for this courier to take it out."""
    return session.scalar(
        select(Parcel)
        .join(DoorOpening, DoorOpening.id == Parcel.opening_id)
        .where(
            Parcel.session_id == at_work.id,
            Parcel.state == ParcelState.RETURNING,
            DoorOpening.purpose == Purpose.HANDBACK,
            DoorOpening.state.in_(LIVE_OPENINGS),
        )
    )


def confirm_taken_out(session: Session, parcel: Parcel, *, actor: str, to_check: bool = False) -> Parcel:
    """The courier has the parcel, and the door is closed: the matter is closed, the compartment free.

    Raises:
        ParcelChangedError: its door is open, or it was not opened for the courier.
    """
    opening = session.get(DoorOpening, parcel.opening_id) if parcel.opening_id is not None else None
    is_shut = opening is not None and (opening.purpose, opening.state) == (Purpose.HANDBACK, OpeningState.CLOSED)
    if parcel.state is not ParcelState.RETURNING or not is_shut:
        raise ParcelChangedError
    compartment = session.get_one(Compartment, parcel.compartment_id)
    if compartment.allocation is Allocation.OCCUPIED:
        lockers.release(session, compartment.id, to_check=to_check)
    notify.forget_codes(session, parcel)
    return states.transition(session, parcel, ParcelState.RETURNED, "handed-back", actor=actor)


def _open(session: Session, at_work: CourierSession, parcel: Parcel) -> Parcel:
    assert parcel.compartment_id is not None  # noqa: S101 - checked by take_out
    actor = f"courier:{at_work.courier_id}"
    opening = lockers.request_open(
        session, parcel.compartment_id, purpose=Purpose.HANDBACK, by=actor, grant=f"parcel:{parcel.id}"
    )
    values = {"opening_id": opening.id, "session_id": at_work.id}
    if parcel.state is ParcelState.RETURNING:
        return states.note(session, parcel, "taking-out", actor=actor, values=values)
    notify.forget_codes(session, parcel)
    return states.transition(session, parcel, ParcelState.RETURNING, "taking-out", actor=actor, values=values)
