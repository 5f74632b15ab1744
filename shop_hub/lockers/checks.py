"""What must be true of compartments and openings at any time."""

from collections.abc import Iterator

from sqlalchemy import select
from sqlalchemy.orm import Session

from shop_hub.core.verify import Check, Deviation
from shop_hub.fleet.models import UNRESOLVED, DeviceCommand
from shop_hub.lockers.models import Compartment, DoorOpening, OpeningState


def openings_without_command(session: Session) -> Iterator[Deviation]:
    """Every opening was asked of the station by exactly one command: no door moves without one."""
    for opening_id in session.scalars(select(DoorOpening.id).where(DoorOpening.command_id.is_(None))):
        yield Deviation("door-opening", f"opening {opening_id}", "a command", "none")


def openings_waiting_for_nothing(session: Session) -> Iterator[Deviation]:
    """An opening is only unknown or waiting while its door's story can still go on; commands end."""
    rows = session.execute(
        select(DoorOpening.id, DeviceCommand.state)
        .join(DeviceCommand, DeviceCommand.id == DoorOpening.command_id)
        .where(DoorOpening.state == OpeningState.CLOSED, DeviceCommand.state.in_(UNRESOLVED))
    )
    for opening_id, state in rows:
        yield Deviation("door-opening", f"opening {opening_id}", "a final verdict", state)


def compartments_at_other_site(session: Session) -> Iterator[Deviation]:
    """An opening belongs to the site of its compartment."""
    rows = session.execute(
        select(DoorOpening.id, DoorOpening.site_id, Compartment.site_id)
        .join(Compartment, Compartment.id == DoorOpening.compartment_id)
        .where(DoorOpening.site_id != Compartment.site_id)
    )
    for opening_id, site_id, compartment_site in rows:
        yield Deviation("door-opening", f"opening {opening_id}", f"site {compartment_site}", f"site {site_id}")


CHECKS: tuple[Check, ...] = (openings_without_command, openings_waiting_for_nothing, compartments_at_other_site)
