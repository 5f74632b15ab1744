"""Parcels that a carrier announces, and whom they belong to."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from shop_hub.core import clock
from shop_hub.core.errors import NotFoundError
from shop_hub.core.ids import uuid7
from shop_hub.lockers import queries as lockers
from shop_hub.lockers.models import Size, Zone
from shop_hub.parcels import labels, notify, states
from shop_hub.parcels.deadlines import deadline
from shop_hub.parcels.errors import (
    ExtendedAlreadyError,
    ParcelChangedError,
    ParcelKnownError,
    RecipientObjectsError,
)
from shop_hub.parcels.models import FINAL, Parcel, ParcelState
from shop_hub.people import queries as people
from shop_hub.people.models import Carrier

EXTENSION_DAYS = 3


@dataclass(frozen=True, kw_only=True)
class NewParcel:
    """What is known before it arrives. `number` as the carrier writes it; `recipient_name` as on the label."""

    carrier_id: int
    number: str
    recipient_name: str = ""
    person_id: int | None = None
    size: Size | None = None
    zone: Zone = Zone.AMBIENT
    sender: str = ""
    blocked_reason: str = ""


def announce(session: Session, site_id: int, new: NewParcel, *, actor: str) -> Parcel:
    """Enter a parcel that will be brought to the site's station.

    Raises:
        NotAParcelLabelError: the carrier does not write numbers like this.
        ParcelKnownError: it is on its way or here already.
        RecipientObjectsError: the recipient wants no parcels in the station.
        UnknownLockerError: the site has no station.
    """
    carrier = session.get(Carrier, new.carrier_id)
    if carrier is None:
        raise NotFoundError(what="carrier")
    number = labels.choose(new.number, carrier.label_format)
    if active(session, site_id, [number], carrier_id=carrier.id):
        raise ParcelKnownError
    check_recipient(session, new.person_id)
    parcel = Parcel(
        public_id=uuid7(),
        site_id=site_id,
        carrier=carrier,
        number=number,
        state=ParcelState.ANNOUNCED,
        size=new.size,
        zone=new.zone,
        sender=new.sender,
        blocked_reason=new.blocked_reason,
        recipient_name=new.recipient_name,
        person_id=new.person_id,
        locker_id=lockers.station_of(session, site_id).id,
        announced_at=clock.now(),
    )
    return states.begin(session, parcel, "announced", actor=actor)


def active(session: Session, site_id: int, numbers: list[str], *, carrier_id: int | None = None) -> list[Parcel]:
    """Return the parcels under way or here with one of these numbers."""
    wanted = select(Parcel).where(Parcel.site_id == site_id, Parcel.number.in_(numbers), Parcel.state.not_in(FINAL))
    if carrier_id is not None:
        wanted = wanted.where(Parcel.carrier_id == carrier_id)
    return list(session.scalars(wanted.order_by(Parcel.id)).unique())


def check_recipient(session: Session, person_id: int | None) -> bool:
    """Return whether the recipient needs a compartment within easy reach.

    Raises:
        RecipientObjectsError: the recipient wants no parcels in the station (PostG § 13(3) sentence 3).
        NotFoundError: there is no such person.
    """
    if person_id is None:
        return False
    person = people.person(session, person_id)
    if person.objects_to_lockers or person.is_blocked:
        raise RecipientObjectsError
    return person.accessible


def cancel(session: Session, parcel: Parcel, *, actor: str) -> Parcel:
    """Take back an announcement; the parcel must not have arrived yet.

    Raises:
        ParcelChangedError: it has been put in already.
    """
    if parcel.state is not ParcelState.ANNOUNCED:
        raise ParcelChangedError
    return states.transition(session, parcel, ParcelState.CANCELLED, "cancelled", actor=actor)


def assign(session: Session, parcel: Parcel, person_id: int, *, actor: str) -> Parcel:
    """Say whom a parcel belongs to; who got it before loses every code for it.

    Raises:
        RecipientObjectsError: the recipient wants no parcels in the station.
        ParcelChangedError: it is gone, or just being collected.
    """
    if parcel.state in FINAL or parcel.state is ParcelState.COLLECTING:
        raise ParcelChangedError
    check_recipient(session, person_id)
    states.note(session, parcel, "recipient-assigned", actor=actor, values={"person_id": person_id})
    notify.forget_codes(session, parcel)
    if parcel.state is ParcelState.READY:
        notify.ready(session, parcel)
    return parcel


def hold(session: Session, parcel: Parcel, reason: str, *, actor: str) -> Parcel:
    """Forbid to move a parcel, with a reason that is shown; an empty reason of staff lifts it.

    Raises:
        ParcelChangedError: it is gone already.
    """
    if parcel.state in FINAL:
        raise ParcelChangedError
    kind = "put-on-hold" if reason else "hold-lifted"
    return states.note(session, parcel, kind, actor=actor, values={"blocked_reason": reason.strip()})


def extend(session: Session, parcel: Parcel, *, actor: str, by_staff: bool = False) -> datetime:
    """Keep a waiting parcel three days longer; recipients may do so once, staff as often as needed.

    Raises:
        ExtendedAlreadyError: a recipient asks for the second time.
        ParcelChangedError: it does not wait any more.
    """
    if parcel.state not in (ParcelState.READY, ParcelState.EXPIRED):
        raise ParcelChangedError
    if parcel.extensions and not by_staff:
        raise ExtendedAlreadyError
    start = max(clock.now(), parcel.expires_at or clock.now())
    until = deadline(session, parcel.site_id, start, EXTENSION_DAYS)
    values = {"expires_at": until, "extensions": parcel.extensions + 1}
    if parcel.state is ParcelState.EXPIRED:
        states.transition(session, parcel, ParcelState.READY, "extended", actor=actor, values=values)
    else:
        states.note(session, parcel, "extended", actor=actor, values=values)
    return until
