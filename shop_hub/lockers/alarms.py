"""What parcel stations want a person to look at."""

from collections.abc import Iterator

from sqlalchemy.orm import Session

from shop_hub.core import clock
from shop_hub.core.conditions import Condition, Severity
from shop_hub.core.errors import N_
from shop_hub.lockers import queries
from shop_hub.lockers.models import Allocation


def conditions(session: Session, site_id: int) -> Iterator[Condition]:
    """Return compartments of which nobody knows whether something is inside."""
    for locker in queries.stations(session, site_id):
        for door in queries.station(session, locker.id).doors:
            if door.allocation is Allocation.SUSPECT:
                yield Condition(
                    key=f"compartment:{locker.id}:{door.number}:suspect",
                    severity=Severity.WARNING,
                    text=N_("%(station)s: compartment %(number)s needs a look"),
                    params={"station": locker.name, "number": door.number},
                    since=clock.now(),
                    endpoint="lockers.index",
                )
