"""Arranging the plan of a shop: devices get a name, words for their place and a square; rooms are rectangles."""

from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from shop_hub.core import audit, events
from shop_hub.core.errors import BadInputError, NotFoundError
from shop_hub.fleet.models import PLAN_COLUMNS, PLAN_ROWS, Device, DevicePlace, PlanRoom

STEPS = {"left": (-1, 0), "right": (1, 0), "up": (0, -1), "down": (0, 1)}
SIZES = {"narrower": (-1, 0), "wider": (1, 0), "lower": (0, -1), "higher": (0, 1)}
MOST_ROOMS = 20
LONGEST_NAME = 60
LONGEST_PLACE = 120
Square = tuple[int, int]


def name(session: Session, device: Device, text: str, place: str, *, actor: str) -> None:
    """Name a device, and say in words where it stands.

    Raises:
        BadInputError: no name.
    """
    device.name, of(session, device).words = _name(text), " ".join(place.split())[:LONGEST_PLACE]
    audit.record(session, device.site_id, actor, "device-named", f"device:{device.id}")
    _tell(session, device.site_id)


def place(session: Session, device: Device, square: Square | None, *, actor: str) -> None:
    """Put a device on a square of the plan, or take it off.

    Raises:
        BadInputError: there is no such square.
    """
    if square is not None and square != _inside(square):
        raise BadInputError(field="square")
    spot = of(session, device)
    spot.plan_column, spot.plan_row = square if square is not None else (None, None)
    audit.record(session, device.site_id, actor, "device-placed", f"device:{device.id}")
    _tell(session, device.site_id)


def move(session: Session, device: Device, direction: str, *, actor: str) -> None:
    """Move a device by one square, as far as the plan goes; one without a square comes to the first.

    Raises:
        BadInputError: no direction.
    """
    column, row = _step(STEPS, direction)
    spot = of(session, device)
    if spot.plan_column is None or spot.plan_row is None:
        place(session, device, (1, 1), actor=actor)
    else:
        place(session, device, _inside((spot.plan_column + column, spot.plan_row + row)), actor=actor)


def of(session: Session, device: Device) -> DevicePlace:
    """Return where a device stands."""
    found = session.get(DevicePlace, device.id)
    if found is None:
        found = DevicePlace(device_id=device.id, site_id=device.site_id, words="")
        session.add(found)
    return found


def room(session: Session, site_id: int, public_id: UUID) -> PlanRoom:
    """Return a room of a shop.

    Raises:
        NotFoundError: it has none with this id.
    """
    found = session.scalar(select(PlanRoom).where(PlanRoom.site_id == site_id, PlanRoom.public_id == public_id))
    if found is None:
        raise NotFoundError(what="room")
    return found


def add_room(session: Session, site_id: int, text: str) -> PlanRoom:
    """Add a room at the upper left of the plan.

    Raises:
        BadInputError: no name, or there are too many rooms.
    """
    count = session.scalar(select(func.count()).where(PlanRoom.site_id == site_id)) or 0
    if count >= MOST_ROOMS:
        raise BadInputError(field="room")
    new = PlanRoom(site_id=site_id, name=_name(text), plan_column=1, plan_row=1, width=3, height=2)
    session.add(new)
    _tell(session, site_id)
    return new


def name_room(session: Session, found: PlanRoom, text: str) -> None:
    """Give a room another name.

    Raises:
        BadInputError: no name.
    """
    found.name = _name(text)
    _tell(session, found.site_id)


def change_room(session: Session, found: PlanRoom, word: str) -> None:
    """Move a room by one square, or make it larger or smaller by one, as far as the plan goes.

    Raises:
        BadInputError: neither a direction nor a size.
    """
    if word in SIZES:
        width, height = _step(SIZES, word)
        found.width = min(max(found.width + width, 1), PLAN_COLUMNS + 1 - found.plan_column)
        found.height = min(max(found.height + height, 1), PLAN_ROWS + 1 - found.plan_row)
        _tell(session, found.site_id)
    else:
        column, row = _step(STEPS, word)
        place_room(session, found, (found.plan_column + column, found.plan_row + row))


def place_room(session: Session, found: PlanRoom, square: Square) -> None:
    """Put the upper left corner of a room on a square; it stays whole and inside the plan."""
    found.plan_column = min(max(square[0], 1), PLAN_COLUMNS + 1 - found.width)
    found.plan_row = min(max(square[1], 1), PLAN_ROWS + 1 - found.height)
    _tell(session, found.site_id)


def remove_room(session: Session, found: PlanRoom) -> None:
    """Take a room off the plan; the devices stay where they are."""
    session.delete(found)
    _tell(session, found.site_id)


def _name(text: str) -> str:
    found = " ".join(text.split())[:LONGEST_NAME]
    if not found:
        raise BadInputError(field="name")
    return found


def _step(steps: dict[str, Square], word: str) -> Square:
    if word not in steps:
        raise BadInputError(field="to")
    return steps[word]


def _inside(square: Square) -> Square:
    return min(max(square[0], 1), PLAN_COLUMNS), min(max(square[1], 1), PLAN_ROWS)


def _tell(session: Session, site_id: int) -> None:
    session.flush()
    events.publish(session, "device", site_id)
