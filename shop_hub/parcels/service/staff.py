"""What the shop's people do when something is not as it should be. Every act has a reason and is audited."""

from enum import StrEnum

from sqlalchemy import select
from sqlalchemy.orm import Session

from shop_hub.core import audit, clock
from shop_hub.lockers import service as lockers
from shop_hub.lockers.errors import ReasonMissingError
from shop_hub.lockers.models import Allocation, Compartment, DoorOpening, Purpose
from shop_hub.parcels import notify, rules, states
from shop_hub.parcels.errors import ParcelChangedError
from shop_hub.parcels.models import STORED, Parcel, ParcelState


class Outcome(StrEnum):
    """What staff found out about a disputed parcel."""

    READY = "ready"
    RETURNING = "returning"
    RETURNED = "returned"
    COLLECTED = "collected"
    LOST = "lost"


_STATE = {
    Outcome.READY: ParcelState.READY,
    Outcome.RETURNING: ParcelState.RETURNING,
    Outcome.RETURNED: ParcelState.RETURNED,
    Outcome.COLLECTED: ParcelState.COLLECTED,
    Outcome.LOST: ParcelState.LOST,
}
_INSIDE = (Outcome.READY, Outcome.RETURNING)


def open_door(session: Session, compartment: Compartment, *, actor: str, reason: str) -> DoorOpening:
    """Open a door for a reason; the recipient of what lies behind it is told.

    Raises:
        ReasonMissingError: no reason was given.
        DoorInUseError, StationOfflineError: nothing was sent.
    """
    opening = lockers.request_open(
        session, compartment.id, purpose=Purpose.STAFF, by=actor, grant="staff", reason=reason
    )
    parcel = behind(session, compartment.id)
    if parcel is not None:
        states.note(session, parcel, "opened-by-staff", actor=actor)
        notify.opened_by_staff(session, parcel)
    subject = f"compartment:{compartment.number}"
    audit.record(session, compartment.site_id, actor, "door-opened-by-staff", subject, reason=reason.strip())
    return opening


def resolve(session: Session, parcel: Parcel, outcome: Outcome, *, actor: str, reason: str) -> Parcel:
    """End a dispute.

    A parcel that waits again, or goes back with the next courier, lies in its compartment; in all other cases that is
    empty, and `lockers.inspect` gives it free once its door is closed.

    Raises:
        ReasonMissingError: no reason was given.
        ParcelChangedError: it is not disputed, or its compartment holds something else by now.
    """
    if not reason.strip():
        raise ReasonMissingError(field="reason")
    if parcel.state is not ParcelState.DISPUTED:
        raise ParcelChangedError
    if outcome in _INSIDE:
        _put_back(session, parcel, actor)
    now = clock.now()
    is_ready = outcome is Outcome.READY
    values = {"ready_at": now, "expires_at": rules.keep_until(session, parcel.site_id, now)} if is_ready else {}
    states.transition(session, parcel, _STATE[outcome], f"resolved-{outcome}", actor=actor, values=values)
    audit.record(
        session, parcel.site_id, actor, "parcel-resolved", f"parcel:{parcel.id}", outcome=outcome, reason=reason.strip()
    )
    if is_ready:
        notify.ready(session, parcel)
    return parcel


def behind(session: Session, compartment_id: int) -> Parcel | None:
    """Return the parcel that lies behind a door, as far as anyone knows."""
    return session.scalar(select(Parcel).where(Parcel.compartment_id == compartment_id, Parcel.state.in_(STORED)))


def _put_back(session: Session, parcel: Parcel, actor: str) -> None:
    if parcel.compartment_id is None or behind(session, parcel.compartment_id) is not None:
        raise ParcelChangedError
    compartment = session.get_one(Compartment, parcel.compartment_id)
    if compartment.allocation is Allocation.SUSPECT:
        lockers.inspect(session, compartment.id, actor=actor, is_empty=False)
    elif compartment.allocation is not Allocation.OCCUPIED:
        raise ParcelChangedError
