"""What couriers and recipients see of the door they stand before, and the courier's desk between two labels."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from shop_hub.core import clock
from shop_hub.lockers import queries as lockers
from shop_hub.lockers.models import Compartment, DoorOpening, OpeningState, Purpose, Size
from shop_hub.lockers.queries import OpeningView
from shop_hub.parcels import rules
from shop_hub.parcels.credentials import COLLECTABLE
from shop_hub.parcels.models import CourierSession, Parcel, ParcelState
from shop_hub.parcels.service import deposits, handbacks


class Step(StrEnum):
    """What the screen shows a person who waits for a door."""

    READY = "ready"
    OPENING = "opening"
    OPEN = "open"
    LEFT_OPEN = "left-open"
    NOT_OPENED = "not-opened"
    UNKNOWN = "unknown"
    ASK = "ask"
    DONE = "done"
    STOPPED = "stopped"


@dataclass(frozen=True)
class DoorView:
    """A parcel and its door, as shown to who stands before it."""

    parcel: Parcel
    step: Step
    number: int | None
    tries: int
    can_reopen: bool


@dataclass(frozen=True)
class DoneView:
    """A parcel that a courier has finished in this session."""

    public_id: UUID
    number: str
    compartment: int | None
    state: ParcelState
    may_undo: bool


@dataclass(frozen=True)
class Desk:
    """A courier's desk: what is in hand, what is done, what there is to do."""

    current: DoorView | None
    done: tuple[DoneView, ...]
    free: dict[Size, int]
    to_bring: int
    to_take: int

    @property
    def key(self) -> str:
        """Return a short text that changes when something in hand has happened."""
        return "" if self.current is None else f"{self.current.parcel.id}.{self.current.parcel.sequence}"


def door(session: Session, parcel: Parcel) -> DoorView:
    """Return how far the door of a parcel is."""
    opening = lockers.opening(session, parcel.opening_id) if parcel.opening_id is not None else None
    number = opening.number if opening is not None else _number(session, parcel.compartment_id)
    is_depositing = parcel.state is ParcelState.DEPOSITING
    return DoorView(
        parcel=parcel,
        step=_step(parcel, opening),
        number=number,
        tries=deposits.tries(session, parcel) if is_depositing else 0,
        can_reopen=_can_reopen(session, parcel),
    )


def desk(session: Session, at_work: CourierSession) -> Desk:
    """Return what a courier sees between two labels."""
    current = deposits.in_hand(session, at_work) or handbacks.taking_out(session, at_work) or _asked(session, at_work)
    done = session.execute(
        select(Parcel, Compartment.number)
        .outerjoin(Compartment, Compartment.id == Parcel.compartment_id)
        .where(Parcel.session_id == at_work.id, Parcel.state.in_((*COLLECTABLE, ParcelState.RETURNED)))
        .order_by(Parcel.ready_at.desc(), Parcel.id.desc())
        .limit(30)
    )
    return Desk(
        current=door(session, current) if current is not None else None,
        done=tuple(_as_done(parcel, number) for parcel, number in done),
        free=dict(lockers.availability(session, at_work.locker_id)),
        to_bring=_count(session, *_of_carrier(at_work), Parcel.state == ParcelState.ANNOUNCED),
        to_take=_count(session, *_of_carrier(at_work), Parcel.state.in_((ParcelState.EXPIRED, ParcelState.RETURNING))),
    )


def to_bring(session: Session, at_work: CourierSession) -> list[Parcel]:
    """Return what the courier's carrier has announced for this station."""
    wanted = select(Parcel).where(*_of_carrier(at_work), Parcel.state == ParcelState.ANNOUNCED)
    return list(session.scalars(wanted.order_by(Parcel.id)))


def to_take(session: Session, at_work: CourierSession) -> list[tuple[Parcel, int]]:
    """Return what the courier is to take back, with its doors."""
    wanted = (
        select(Parcel, Compartment.number)
        .join(Compartment, Compartment.id == Parcel.compartment_id)
        .where(*_of_carrier(at_work), Parcel.state.in_((ParcelState.EXPIRED, ParcelState.RETURNING)))
        .order_by(Compartment.number)
    )
    return [(parcel, number) for parcel, number in session.execute(wanted)]


def _count(session: Session, *conditions: ColumnElement[bool]) -> int:
    return session.scalar(select(func.count(Parcel.id)).where(*conditions)) or 0


def _number(session: Session, compartment_id: int | None) -> int | None:
    return session.scalar(select(Compartment.number).where(Compartment.id == compartment_id))


def _as_done(parcel: Parcel, number: int | None) -> DoneView:
    return DoneView(
        public_id=parcel.public_id,
        number=parcel.number,
        compartment=number,
        state=parcel.state,
        may_undo=parcel.state is ParcelState.READY,
    )


def _step(parcel: Parcel, opening: OpeningView | None) -> Step:
    if parcel.state in (ParcelState.COLLECTED, ParcelState.RETURNED):
        return Step.DONE
    if parcel.state is ParcelState.DISPUTED:
        return Step.STOPPED
    if opening is None:
        return Step.READY
    if opening.is_left_open:
        return Step.LEFT_OPEN
    if opening.state is OpeningState.CLOSED:
        return Step.READY if parcel.state in (ParcelState.READY, ParcelState.EXPIRED) else Step.ASK
    return {
        OpeningState.REQUESTED: Step.OPENING,
        OpeningState.OPENED: Step.OPEN,
        OpeningState.UNKNOWN: Step.UNKNOWN,
    }.get(opening.state, Step.NOT_OPENED)


def _can_reopen(session: Session, parcel: Parcel) -> bool:
    if parcel.opening_id is None or parcel.state not in (ParcelState.COLLECTED, ParcelState.COLLECTING):
        return False
    closed_at = session.scalar(select(DoorOpening.closed_at).where(DoorOpening.id == parcel.opening_id))
    return closed_at is not None and clock.now() - closed_at <= rules.reopen_grace()


def _asked(session: Session, at_work: CourierSession) -> Parcel | None:
    """Return a parcel of which no sensor can say whether the courier has taken it out."""
    return session.scalar(
        select(Parcel)
        .join(DoorOpening, DoorOpening.id == Parcel.opening_id)
        .where(
            Parcel.session_id == at_work.id,
            Parcel.state == ParcelState.RETURNING,
            DoorOpening.purpose == Purpose.HANDBACK,
            DoorOpening.state == OpeningState.CLOSED,
            DoorOpening.presence_after.is_(None),
            DoorOpening.closed_at > clock.now() - timedelta(minutes=10),
        )
    )


def _of_carrier(at_work: CourierSession) -> tuple[ColumnElement[bool], ...]:
    return (Parcel.locker_id == at_work.locker_id, Parcel.carrier_id == at_work.carrier_id)
