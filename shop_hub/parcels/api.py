"""API of carriers: announce parcels and follow the own ones. A carrier never sees another's."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from flask import Blueprint
from pydantic import Field
from sqlalchemy import select

from shop_hub.core.access import Role, principal
from shop_hub.core.api import PREFIX, ApiModel, BadCursorError, Page, PageQuery, decode_cursor, encode_cursor, operation
from shop_hub.core.errors import NotAllowedError, NotFoundError
from shop_hub.core.web import session
from shop_hub.lockers.errors import UnknownLockerError
from shop_hub.lockers.models import Size, Zone
from shop_hub.parcels import queries
from shop_hub.parcels.errors import NotAParcelLabelError, ParcelKnownError, RecipientObjectsError
from shop_hub.parcels.models import Parcel, ParcelState
from shop_hub.parcels.service import announcements
from shop_hub.parcels.service.announcements import NewParcel

blueprint = Blueprint("parcels_api", __name__, url_prefix=PREFIX)


class ParcelIn(ApiModel):
    """A parcel that will be brought. Name and address find the villager who wants to be told."""

    number: str = Field(min_length=1, max_length=64)
    recipient_name: str = Field(default="", max_length=120)
    recipient_address: str = Field(default="", max_length=120)
    size: Literal["S", "M", "L", "XL"] | None = None
    zone: Literal["ambient", "cool", "frozen"] = "ambient"
    sender: str = Field(default="", max_length=120)


class ParcelOut(ApiModel):
    """A parcel, without the names of people."""

    id: str
    number: str
    state: ParcelState
    size: Size | None
    announced_at: datetime
    ready_at: datetime | None
    expires_at: datetime | None
    ended_at: datetime | None


@operation(
    blueprint,
    "POST",
    "/parcels",
    roles=(Role.CARRIER,),
    body=ParcelIn,
    result=ParcelOut,
    status=201,
    idempotent=True,
    errors=(NotAParcelLabelError, ParcelKnownError, RecipientObjectsError, UnknownLockerError, NotAllowedError),
)
def announce_parcel(body: ParcelIn) -> ParcelOut:
    """Announce a parcel for the site's station."""
    new = NewParcel(
        carrier_id=_carrier(),
        number=body.number,
        recipient_name=body.recipient_name,
        person_id=queries.recipient_of(session(), principal().site, body.recipient_name, body.recipient_address),
        size=Size(body.size) if body.size else None,
        zone=Zone(body.zone),
        sender=body.sender,
    )
    return _out(announcements.announce(session(), principal().site, new, actor=principal().actor))


@operation(
    blueprint,
    "GET",
    "/parcels",
    roles=(Role.CARRIER,),
    query=PageQuery,
    result=Page[ParcelOut],
    errors=(BadCursorError, NotAllowedError),
)
def list_parcels(query: PageQuery) -> Page[ParcelOut]:
    """List the carrier's own parcels, newest first."""
    wanted = select(Parcel).where(Parcel.site_id == principal().site, Parcel.carrier_id == _carrier())
    before = decode_cursor(query.cursor)
    if before is not None:
        if not before.isdigit():
            raise BadCursorError
        wanted = wanted.where(Parcel.id < int(before))
    found = session().scalars(wanted.order_by(Parcel.id.desc()).limit(query.limit + 1)).all()
    cursor = encode_cursor(str(found[query.limit - 1].id)) if len(found) > query.limit else None
    return Page[ParcelOut](items=[_out(parcel) for parcel in found[: query.limit]], next=cursor)


@operation(
    blueprint, "GET", "/parcels/<uuid:parcel_id>", roles=(Role.CARRIER,), result=ParcelOut, errors=(NotFoundError,)
)
def get_parcel(parcel_id: UUID) -> ParcelOut:
    """Return one of the carrier's own parcels."""
    parcel = queries.parcel(session(), principal().site, parcel_id)
    if parcel.carrier_id != _carrier():
        raise NotFoundError(what="parcel")
    return _out(parcel)


def _carrier() -> int:
    carrier_id = principal().carrier_id
    if carrier_id is None:
        raise NotAllowedError
    return carrier_id


def _out(parcel: Parcel) -> ParcelOut:
    return ParcelOut(
        id=str(parcel.public_id),
        number=parcel.number,
        state=parcel.state,
        size=parcel.size,
        announced_at=parcel.announced_at,
        ready_at=parcel.ready_at,
        expires_at=parcel.expires_at,
        ended_at=parcel.ended_at,
    )
