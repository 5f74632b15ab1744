"""API of the parcel station."""

from uuid import UUID

from flask import Blueprint

from shop_hub.core.access import Role, principal
from shop_hub.core.api import PREFIX, ApiModel, Page, operation
from shop_hub.core.web import session
from shop_hub.fleet import queries as fleet
from shop_hub.lockers import queries
from shop_hub.lockers.errors import UnknownLockerError
from shop_hub.lockers.models import Locker

blueprint = Blueprint("lockers_api", __name__, url_prefix=PREFIX)
READERS = (Role.CARRIER, Role.TILL, Role.MONITOR)


class LockerOut(ApiModel):
    """A station."""

    id: str
    name: str
    is_online: bool


class AvailabilityOut(ApiModel):
    """How many compartments of each size could be given out now; all 0 while the station does not answer."""

    id: str
    is_online: bool
    free: dict[str, int]


@operation(blueprint, "GET", "/lockers", roles=READERS, result=Page[LockerOut])
def list_lockers() -> Page[LockerOut]:
    """List the site's stations."""
    stations = queries.stations(session(), principal().site)
    items = [LockerOut(id=str(row.public_id), name=row.name, is_online=_is_online(row)) for row in stations]
    return Page[LockerOut](items=items)


@operation(
    blueprint,
    "GET",
    "/lockers/<uuid:locker_id>/availability",
    roles=READERS,
    result=AvailabilityOut,
    errors=(UnknownLockerError,),
)
def get_availability(locker_id: UUID) -> AvailabilityOut:
    """Return what is free, before driving there."""
    row = queries.locker(session(), principal().site, locker_id)
    free = {size.value: count for size, count in queries.availability(session(), row.id).items()}
    return AvailabilityOut(id=str(row.public_id), is_online=_is_online(row), free=free)


def _is_online(row: Locker) -> bool:
    return fleet.is_ready(session(), row.device_id)
