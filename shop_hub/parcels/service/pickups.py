"""A recipient collects: the door opens for who has shown a code, a QR token, or card and PIN; its sensor decides.

A grant is not a command: it stays good until the parcel was taken (`credentials.claim`). Whether it was taken says the
light barrier; without one the person on the screen, or three minutes of a closed door (decisions.md 5).
"""

from enum import StrEnum

from sqlalchemy.orm import Session

from shop_hub.core import audit, clock
from shop_hub.lockers import service as lockers
from shop_hub.lockers.models import (
    LIVE_OPENINGS,
    Allocation,
    Compartment,
    DoorOpening,
    OpeningState,
    Purpose,
)
from shop_hub.parcels import credentials, notify, rules, states
from shop_hub.parcels.errors import ParcelBlockedError, ParcelChangedError, TooLateError
from shop_hub.parcels.models import Parcel, ParcelState


class Problem(StrEnum):
    """What a recipient may report."""

    NOT_MINE = "not-mine"
    EMPTY = "empty"
    DAMAGED = "damaged"


def collect(session: Session, parcel: Parcel, *, actor: str, way: str) -> Parcel:
    """Ask the door of a waiting parcel to open. Asking twice is the same as asking once.

    Args:
        way: how the recipient proved the right to it: "code", "qr" or "card".

    Raises:
        ParcelBlockedError: staff or carrier put it on hold.
        ParcelChangedError: it does not wait any more.
        DoorInUseError, StationOfflineError: nothing was sent.
    """
    if parcel.blocked_reason:
        raise ParcelBlockedError(reason=parcel.blocked_reason)
    if parcel.state is ParcelState.COLLECTING:
        return _collect_again(session, parcel, actor=actor)
    if parcel.state not in (ParcelState.READY, ParcelState.EXPIRED):
        raise ParcelChangedError
    opening = _request(session, parcel, Purpose.PICKUP, actor)
    credentials.claim(session, parcel)
    values = {"opening_id": opening.id}
    return states.transition(session, parcel, ParcelState.COLLECTING, "collecting", actor=actor, values=values, way=way)


def confirm_collected(session: Session, parcel: Parcel, *, actor: str, to_check: bool = False) -> Parcel:
    """The parcel was taken and the door is closed: its compartment is free, its codes are worthless.

    Args:
        to_check: nobody could see that the compartment is empty; the next courier is asked to look.

    Raises:
        ParcelChangedError: its door is open, or it is not being collected.
    """
    opening = _opening(session, parcel)
    if parcel.state is not ParcelState.COLLECTING or opening is None or not _is_shut(opening):
        raise ParcelChangedError
    return finish(session, parcel, actor=actor, to_check=to_check)


def finish(session: Session, parcel: Parcel, *, actor: str, to_check: bool = False) -> Parcel:
    """End a pick-up of which it is certain that it succeeded; see `confirm_collected`."""
    _free(session, parcel, to_check=to_check)
    credentials.use_up(session, parcel)
    return states.transition(session, parcel, ParcelState.COLLECTED, "collected", actor=actor)


def not_taken(session: Session, parcel: Parcel, *, actor: str, kind: str = "not-taken") -> Parcel:
    """The parcel still lies inside: it waits again, and its codes stay good.

    Raises:
        ParcelChangedError: it is not being collected, or its door is open.
    """
    opening = _opening(session, parcel)
    if parcel.state is not ParcelState.COLLECTING or (opening is not None and opening.state in LIVE_OPENINGS):
        raise ParcelChangedError
    credentials.give_back(session, parcel)
    return states.transition(session, parcel, ParcelState.READY, kind, actor=actor)


def reopen(session: Session, parcel: Parcel, *, actor: str) -> DoorOpening:
    """Open the door once more within three minutes after it was closed (parcels.md R10).

    Raises:
        TooLateError: the three minutes are over.
        CompartmentNotFreeError: the compartment has a new parcel.
        StationOfflineError: nothing was sent.
    """
    opening = _opening(session, parcel)
    if opening is None or parcel.state not in (ParcelState.COLLECTING, ParcelState.COLLECTED):
        raise ParcelChangedError
    if opening.state in LIVE_OPENINGS:
        return opening
    _check_in_time(opening)
    if parcel.state is ParcelState.COLLECTED:
        lockers.take(session, opening.compartment_id)
    again = _request(session, parcel, Purpose.REOPEN, actor)
    states.note(session, parcel, "reopened", actor=actor, values={"opening_id": again.id})
    return again


def report_problem(
    session: Session, parcel: Parcel, problem: Problem, *, actor: str, found: Parcel | None = None
) -> Parcel:
    """Freeze a parcel with which something is wrong, until staff has looked; its codes end.

    Args:
        found: the parcel that lay there instead, if its label was scanned: it is frozen as well.

    Raises:
        ParcelChangedError: it does not lie here.
        TooLateError: it was collected more than three minutes ago.
    """
    if parcel.state is ParcelState.COLLECTED:
        _check_in_time(_opening(session, parcel))
    elif parcel.state not in (ParcelState.READY, ParcelState.COLLECTING, ParcelState.EXPIRED):
        raise ParcelChangedError
    _freeze(session, parcel, problem, actor)
    if found is not None and found.id != parcel.id and found.state in (ParcelState.READY, ParcelState.EXPIRED):
        _freeze(session, found, "found-elsewhere", actor)
    audit.record(session, parcel.site_id, actor, "parcel-problem", f"parcel:{parcel.id}", problem=problem)
    return parcel


def refuse(session: Session, parcel: Parcel, *, actor: str) -> Parcel:
    """Send a waiting parcel back unopened: the next courier of its carrier takes it along.

    Raises:
        ParcelChangedError: it does not wait.
    """
    if parcel.state not in (ParcelState.READY, ParcelState.EXPIRED):
        raise ParcelChangedError
    notify.forget_codes(session, parcel)
    return states.transition(session, parcel, ParcelState.RETURNING, "refused", actor=actor)


def _collect_again(session: Session, parcel: Parcel, *, actor: str) -> Parcel:
    opening = _opening(session, parcel)
    if opening is not None and opening.state in LIVE_OPENINGS:
        return parcel
    again = _request(session, parcel, Purpose.PICKUP, actor)
    return states.note(session, parcel, "collecting-again", actor=actor, values={"opening_id": again.id})


def _request(session: Session, parcel: Parcel, purpose: Purpose, actor: str) -> DoorOpening:
    opening = _opening(session, parcel)
    compartment_id = parcel.compartment_id or (opening.compartment_id if opening is not None else None)
    if compartment_id is None:
        raise ParcelChangedError
    return lockers.request_open(session, compartment_id, purpose=purpose, by=actor, grant=f"parcel:{parcel.id}")


def _opening(session: Session, parcel: Parcel) -> DoorOpening | None:
    return session.get(DoorOpening, parcel.opening_id) if parcel.opening_id is not None else None


def _free(session: Session, parcel: Parcel, *, to_check: bool) -> None:
    assert parcel.compartment_id is not None  # noqa: S101 - CHECK stored_has_compartment
    compartment = session.get_one(Compartment, parcel.compartment_id)
    if compartment.allocation in (Allocation.RESERVED, Allocation.OCCUPIED):
        lockers.release(session, compartment.id, to_check=to_check)


def _freeze(session: Session, parcel: Parcel, kind: str, actor: str) -> None:
    """Make a parcel disputed and its compartment suspect, unless that has been given to another parcel."""
    if parcel.compartment_id is not None:
        compartment = session.get_one(Compartment, parcel.compartment_id)
        if parcel.state is not ParcelState.COLLECTED or compartment.allocation is Allocation.FREE:
            lockers.mark_suspect(session, compartment.id, kind)
    notify.forget_codes(session, parcel)
    states.transition(session, parcel, ParcelState.DISPUTED, kind, actor=actor)


def _check_in_time(opening: DoorOpening | None) -> None:
    closed_at = opening.closed_at or opening.requested_at if opening is not None else None
    if closed_at is None or clock.now() - closed_at > rules.reopen_grace():
        raise TooLateError


def _is_shut(opening: DoorOpening) -> bool:
    """Tell whether the door was closed after the person had been at it, or did not open a second time."""
    is_second = opening.purpose is Purpose.REOPEN and opening.state not in LIVE_OPENINGS
    return opening.state is OpeningState.CLOSED or is_second
