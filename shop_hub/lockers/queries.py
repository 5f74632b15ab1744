"""Reads of the parcel station."""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from shop_hub.fleet import queries as fleet
from shop_hub.lockers.errors import UnknownCompartmentError, UnknownLockerError
from shop_hub.lockers.models import (
    Allocation,
    Compartment,
    Door,
    DoorOpening,
    Locker,
    OpeningState,
    Service,
    Size,
    Zone,
)
from shop_hub.lockers.service import ALLOCATABLE


@dataclass(frozen=True)
class DoorView:
    """One door of the station's front, without a word about whose parcel is behind it."""

    id: int
    public_id: UUID
    number: int
    size: Size
    zone: Zone
    is_accessible: bool
    column: int
    row: int
    allocation: Allocation
    suspect_reason: str
    door: Door
    presence: bool | None
    service: Service
    service_reason: str
    is_to_check: bool

    @property
    def is_usable(self) -> bool:
        """Tell whether it could be given out, as far as the hub knows."""
        return (
            self.allocation is Allocation.FREE
            and self.door is Door.CLOSED
            and self.service is Service.IN_SERVICE
            and self.presence is not True
        )


@dataclass(frozen=True)
class StationView:
    """The station's front as a person stands before it: columns from the left, doors from the top."""

    id: int
    public_id: UUID
    name: str
    is_ready: bool
    columns: tuple[tuple[DoorView, ...], ...]

    @property
    def doors(self) -> list[DoorView]:
        """Return all doors by number."""
        return sorted((door for column in self.columns for door in column), key=lambda door: door.number)


@dataclass(frozen=True)
class OpeningView:
    """How far the opening of a door has come."""

    id: int
    public_id: UUID
    compartment_id: int
    number: int
    state: OpeningState
    is_left_open: bool
    presence_after: bool | None


_DOOR = (
    Compartment.id,
    Compartment.public_id,
    Compartment.number,
    Compartment.size,
    Compartment.zone,
    Compartment.is_accessible,
    Compartment.column,
    Compartment.row,
    Compartment.allocation,
    Compartment.suspect_reason,
    Compartment.door,
    Compartment.presence,
    Compartment.service,
    Compartment.service_reason,
    Compartment.is_to_check,
)


def stations(session: Session, site_id: int) -> list[Locker]:
    """Return the stations of a site, the oldest first."""
    return list(session.scalars(select(Locker).where(Locker.site_id == site_id).order_by(Locker.id)))


def locker(session: Session, site_id: int, public_id: UUID) -> Locker:
    """Return a station of a site.

    Raises:
        UnknownLockerError: the site has none with this id.
    """
    found = session.scalar(select(Locker).where(Locker.site_id == site_id, Locker.public_id == public_id))
    if found is None:
        raise UnknownLockerError
    return found


def station_of(session: Session, site_id: int) -> Locker:
    """Return the site's station; a kiosk stands before the first one.

    Raises:
        UnknownLockerError: the site has none.
    """
    found = next(iter(stations(session, site_id)), None)
    if found is None:
        raise UnknownLockerError
    return found


def station(session: Session, locker_id: int) -> StationView:
    """Return the front of a station."""
    row = session.get_one(Locker, locker_id)
    doors = [
        DoorView(**door)
        for door in session.execute(
            select(*_DOOR).where(Compartment.locker_id == locker_id).order_by(Compartment.column, Compartment.row)
        ).mappings()
    ]
    columns = tuple(
        tuple(door for door in doors if door.column == column) for column in sorted({door.column for door in doors})
    )
    return StationView(row.id, row.public_id, row.name, fleet.is_ready(session, row.device_id), columns)


def compartment(session: Session, site_id: int, public_id: UUID) -> Compartment:
    """Return a compartment of a site.

    Raises:
        UnknownCompartmentError: the site has none with this id.
    """
    found = session.scalar(
        select(Compartment).where(Compartment.site_id == site_id, Compartment.public_id == public_id)
    )
    if found is None:
        raise UnknownCompartmentError
    return found


def sizes(session: Session, device_id: int) -> dict[int, Size]:
    """Return the sizes of a station's compartments by number."""
    rows = session.execute(
        select(Compartment.number, Compartment.size)
        .join(Locker, Locker.id == Compartment.locker_id)
        .where(Locker.device_id == device_id)
    )
    return {number: size for number, size in rows}  # noqa: C416 - rows are no pairs for mypy


def availability(session: Session, locker_id: int, *, accessible: bool = False) -> Mapping[Size, int]:
    """Return how many compartments of each size could be given out now; all 0 while the station does not answer.

    Args:
        accessible: count only those within easy reach.
    """
    device_id = session.get_one(Locker, locker_id).device_id
    free = dict.fromkeys(Size, 0)
    if fleet.is_ready(session, device_id):
        wanted = select(Compartment.size, func.count()).where(Compartment.locker_id == locker_id, *ALLOCATABLE)
        if accessible:
            wanted = wanted.where(Compartment.is_accessible)
        rows = session.execute(wanted.group_by(Compartment.size))
        free.update(dict(rows.all()))
    return free


def opening(session: Session, opening_id: int) -> OpeningView:
    """Return how far an opening has come."""
    row = session.execute(
        select(DoorOpening, Compartment.number)
        .join(Compartment, Compartment.id == DoorOpening.compartment_id)
        .where(DoorOpening.id == opening_id)
    ).one()
    found: DoorOpening = row.DoorOpening
    return OpeningView(
        id=found.id,
        public_id=found.public_id,
        compartment_id=found.compartment_id,
        number=row.number,
        state=found.state,
        is_left_open=found.left_open_at is not None and found.state is OpeningState.OPENED,
        presence_after=found.presence_after,
    )


def openings_of(session: Session, compartment_id: int, limit: int = 20) -> list[DoorOpening]:
    """Return the last openings of a door, newest first."""
    return list(
        session.scalars(
            select(DoorOpening)
            .where(DoorOpening.compartment_id == compartment_id)
            .order_by(DoorOpening.id.desc())
            .limit(limit)
        )
    )
