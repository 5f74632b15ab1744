"""Fills the demo village's parcel station, and announces what couriers will bring."""

from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from shop_hub.core import clock
from shop_hub.core.sites import Site
from shop_hub.demo import tables
from shop_hub.demo.people import person_ids
from shop_hub.lockers import doors
from shop_hub.lockers import queries as locker_queries
from shop_hub.lockers import service as lockers
from shop_hub.lockers.models import Allocation, Compartment, Door, Size, Zone
from shop_hub.parcels import states
from shop_hub.parcels.models import ParcelState
from shop_hub.parcels.service import announcements, deposits
from shop_hub.parcels.service.announcements import NewParcel
from shop_hub.people import queries as people


def add_parcels(session: Session, site: Site) -> list[str]:
    """Enter all parcels; return the nodes of the compartments that are full, for the simulated station."""
    carriers = {carrier.code: carrier.id for carrier in people.carriers(session)}
    persons = person_ids(session)
    occupied = []
    for row in tables.rows("parcels"):
        new = NewParcel(
            carrier_id=carriers[row["carrier"]],
            number=row["tracking_number"],
            person_id=persons[int(row["recipient"]) - 1],
            recipient_name=people.person(session, persons[int(row["recipient"]) - 1]).name,
            size=Size(row["size"]),
            sender=row["sender"],
        )
        waiting = timedelta(days=tables.number(row["days_waiting"]) or 0, hours=3)
        with clock.shifted(-waiting):
            parcel = announcements.announce(session, site.id, new, actor="system")
            if row["state"] != "waiting":
                continue
            compartment = _free(session, site, Size(row["size"]))
            doors.record_door(session, compartment, Door.CLOSED)  # the machines are not switched on yet
            lockers.take(session, compartment.id)
            values = {"compartment_id": compartment.id}
            states.transition(session, parcel, ParcelState.DEPOSITING, "door-opened", actor="system", values=values)
            deposits.confirm_deposit(session, parcel, actor="system")
            occupied.append(compartment.node)
    return occupied


def _free(session: Session, site: Site, size: Size) -> Compartment:
    station = locker_queries.station_of(session, site.id)
    fitting = [each for each in Size if each.rank >= size.rank]
    free = session.scalars(
        select(Compartment)
        .where(
            Compartment.locker_id == station.id,
            Compartment.allocation == Allocation.FREE,
            Compartment.zone == Zone.AMBIENT,
            Compartment.is_accessible.is_(False),
            Compartment.size.in_(fitting),
        )
        .order_by(Compartment.number)
    )
    return min(free, key=lambda compartment: compartment.size.rank)
