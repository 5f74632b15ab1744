"""Setting up a station: which doors it has and where they are."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from shop_hub.core import audit, clock
from shop_hub.core.ids import uuid7
from shop_hub.fleet import queries as fleet
from shop_hub.lockers.models import Compartment, Door, Locker, Size, Zone


@dataclass(frozen=True)
class NewCompartment:
    """One door. `column` and `row` count from 1, top left, as a person stands before the station."""

    number: int
    node: str
    size: Size
    column: int
    row: int
    is_accessible: bool = False
    zone: Zone = Zone.AMBIENT


def create_locker(
    session: Session, device_id: int, name: str, compartments: Sequence[NewCompartment], *, actor: str = "system"
) -> Locker:
    """Enter a station with its doors, and take what its sensors have said so far.

    Raises:
        NotFoundError: there is no such device.
    """
    device = fleet.device(session, device_id)
    locker = Locker(public_id=uuid7(), site_id=device.site_id, device_id=device_id, name=name)
    session.add(locker)
    session.flush()
    session.add_all(_compartment(session, locker, new) for new in compartments)
    session.flush()
    audit.record(session, locker.site_id, actor, "locker-created", f"locker:{locker.id}", doors=len(compartments))
    return locker


def extend_locker(session: Session, locker: Locker, compartments: Sequence[NewCompartment], *, actor: str) -> None:
    """Enter doors that a station has got in addition."""
    session.add_all(_compartment(session, locker, new) for new in compartments)
    session.flush()
    audit.record(session, locker.site_id, actor, "locker-extended", f"locker:{locker.id}", doors=len(compartments))


def _compartment(session: Session, locker: Locker, new: NewCompartment) -> Compartment:
    now = clock.now()
    door = fleet.property(session, locker.device_id, new.node, "door")
    occupied = fleet.property(session, locker.device_id, new.node, "occupied")
    return Compartment(
        public_id=uuid7(),
        site_id=locker.site_id,
        locker_id=locker.id,
        number=new.number,
        node=new.node,
        size=new.size,
        zone=new.zone,
        is_accessible=new.is_accessible,
        column=new.column,
        row=new.row,
        door=Door(str(door.value)) if door is not None else Door.UNKNOWN,
        presence=occupied.value if occupied is not None and isinstance(occupied.value, bool) else None,
        allocation_since=now,
        door_since=now,
    )
