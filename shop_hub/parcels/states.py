"""The life of a parcel: which state may follow which, and the one way to change it.

`transition` is one conditional UPDATE, an event with the parcel's next number, and news for open screens, all in the
caller's transaction: two people who touch the same parcel at once cannot both win, and the events tell the whole story.
"""

from typing import Any

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from shop_hub.core import clock, events
from shop_hub.lockers.models import Compartment
from shop_hub.parcels.errors import ParcelChangedError, ParcelKnownError
from shop_hub.parcels.models import FINAL, Parcel, ParcelEvent, ParcelState

TOPIC = "parcel"
S = ParcelState

ALLOWED: dict[ParcelState, frozenset[ParcelState]] = {
    S.ANNOUNCED: frozenset({S.DEPOSITING, S.CANCELLED, S.REJECTED}),
    S.DEPOSITING: frozenset({S.ANNOUNCED, S.CANCELLED, S.READY, S.DISPUTED}),
    S.READY: frozenset({S.COLLECTING, S.DEPOSITING, S.EXPIRED, S.RETURNING, S.DISPUTED}),
    S.COLLECTING: frozenset({S.READY, S.COLLECTED, S.DISPUTED}),
    S.EXPIRED: frozenset({S.COLLECTING, S.READY, S.RETURNING, S.DISPUTED}),
    S.RETURNING: frozenset({S.RETURNED, S.DISPUTED}),
    S.DISPUTED: frozenset({S.READY, S.RETURNING, S.RETURNED, S.COLLECTED, S.LOST}),
    S.COLLECTED: frozenset({S.DISPUTED}),
    S.RETURNED: frozenset(),
    S.CANCELLED: frozenset(),
    S.REJECTED: frozenset(),
    S.LOST: frozenset(),
}
"""parcels.md 4, plus: an undone unannounced label is cancelled; a deposit may be undone while the courier is there
(ready → depositing); an extended parcel is ready again; staff may find that a disputed one was collected; who has just
collected may report a problem within the three minutes in which the door opens again (collected → disputed)."""


def begin(session: Session, parcel: Parcel, kind: str, *, actor: str, **detail: Any) -> Parcel:
    """Write a new parcel with its first event.

    Raises:
        ParcelKnownError: a twin with this number was entered at the same moment.
    """
    parcel.sequence = 1
    try:
        with session.begin_nested():
            session.add(parcel)
    except IntegrityError as error:
        raise ParcelKnownError from error
    _write(session, parcel, kind, from_=None, actor=actor, detail=detail)
    return parcel


def transition(
    session: Session,
    parcel: Parcel,
    to: ParcelState,
    kind: str,
    *,
    actor: str,
    values: dict[str, Any] | None = None,
    **detail: Any,
) -> Parcel:
    """Move a parcel from the state in which the caller has seen it to another one.

    Args:
        kind: what happened, e.g. "door-opened".
        actor: who did it, by kind and number; never a name.
        values: columns of the parcel that change with it.
        detail: JSON values for the event, without names.

    Raises:
        ParcelChangedError: someone else was faster; nothing has changed.
        ValueError: the table does not allow this step (a fault in the hub, not of a person).
    """
    from_ = parcel.state
    if to not in ALLOWED[from_]:
        raise ValueError(f"{from_} -> {to}")
    changes = {"state": to, **_at_the_end(to), **(values or {})}
    _update(session, parcel, from_, changes)
    _write(session, parcel, kind, from_=from_, actor=actor, detail=detail)
    return parcel


def note(
    session: Session, parcel: Parcel, kind: str, *, actor: str, values: dict[str, Any] | None = None, **detail: Any
) -> Parcel:
    """Write an event that leaves the state as it is, e.g. a second try at a jammed door.

    Raises:
        ParcelChangedError: the parcel has moved on meanwhile.
    """
    _update(session, parcel, parcel.state, values or {})
    _write(session, parcel, kind, from_=parcel.state, actor=actor, detail=detail)
    return parcel


def _at_the_end(to: ParcelState) -> dict[str, Any]:
    return {"ended_at": clock.now(), "code_key": None, "code_hash": None} if to in FINAL else {"ended_at": None}


def _update(session: Session, parcel: Parcel, from_: ParcelState, changes: dict[str, Any]) -> None:
    session.flush()
    changed = session.execute(
        update(Parcel)
        .where(Parcel.id == parcel.id, Parcel.state == from_, Parcel.sequence == parcel.sequence)
        .values(sequence=Parcel.sequence + 1, **changes)
        .returning(Parcel.id)
        .execution_options(synchronize_session=False)
    ).scalar()
    session.refresh(parcel)
    if changed is None:
        raise ParcelChangedError


def _write(
    session: Session,
    parcel: Parcel,
    kind: str,
    *,
    from_: ParcelState | None,
    actor: str,
    detail: dict[str, Any],
) -> None:
    session.add(
        ParcelEvent(
            site_id=parcel.site_id,
            parcel_id=parcel.id,
            sequence=parcel.sequence,
            at=clock.now(),
            kind=kind,
            from_state=from_,
            to_state=parcel.state,
            actor=actor,
            compartment=session.scalar(select(Compartment.number).where(Compartment.id == parcel.compartment_id)),
            detail=detail,
        )
    )
    session.flush()
    events.publish(session, TOPIC, parcel.site_id)
