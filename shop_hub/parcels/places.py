"""The station's front as screens draw it."""

from dataclasses import dataclass

from sqlalchemy.orm import Session

from shop_hub.lockers import queries as lockers


@dataclass(frozen=True)
class Box:
    """One door in the drawing."""

    label: str
    size: str


def columns(session: Session, site_id: int) -> list[list[Box]]:
    """Return the doors of the site's station, column by column as a person stands before it."""
    station = lockers.station(session, lockers.station_of(session, site_id).id)
    return [[Box(str(door.number), door.size) for door in column] for column in station.columns]
