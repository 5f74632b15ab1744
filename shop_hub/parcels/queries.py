"""Reads about parcels."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, Select, func, or_, select
from sqlalchemy.orm import Session

from shop_hub.lockers.models import Compartment, Size
from shop_hub.parcels.credentials import COLLECTABLE
from shop_hub.parcels.errors import UnknownParcelError
from shop_hub.parcels.labels import numbers
from shop_hub.parcels.models import FINAL, Parcel, ParcelEvent, ParcelState
from shop_hub.people.models import Carrier, Notify, Person
from shop_hub.people.names import search_key


@dataclass(frozen=True)
class WaitingParcel:
    """A parcel as its recipient sees it."""

    id: int
    public_id: UUID
    carrier: str
    sender: str
    state: ParcelState
    compartment: int
    last_moment: datetime | None
    may_extend: bool
    blocked_reason: str


@dataclass(frozen=True)
class Row:
    """A parcel in a list of the backoffice."""

    public_id: UUID
    number: str
    carrier: str
    recipient: str
    state: ParcelState
    size: Size | None
    compartment: int | None
    announced_at: datetime
    expires_at: datetime | None
    has_recipient: bool


@dataclass(frozen=True)
class Counts:
    """What needs a hand, for dashboard and menu."""

    waiting: int
    expired: int
    disputed: int
    without_recipient: int
    slips: int


def parcel(session: Session, site_id: int, public_id: UUID) -> Parcel:
    """Return a parcel of a site.

    Raises:
        UnknownParcelError: the site has none with this id.
    """
    found = session.scalar(select(Parcel).where(Parcel.site_id == site_id, Parcel.public_id == public_id))
    if found is None:
        raise UnknownParcelError
    return found


def waiting_for(session: Session, person_id: int, site_id: int | None = None) -> list[WaitingParcel]:
    """Return what waits for a villager, the oldest first; at one site, or everywhere."""
    wanted = _waiting().where(Parcel.person_id == person_id)
    if site_id is not None:
        wanted = wanted.where(Parcel.site_id == site_id)
    return [_as_waiting(found, number) for found, number in session.execute(wanted)]


def waiting_with(session: Session, parcel_id: int) -> list[WaitingParcel]:
    """Return a parcel that its code has opened, and whatever else waits for the same villager at the same station."""
    found = session.get_one(Parcel, parcel_id)
    same = Parcel.id == parcel_id
    if found.person_id is not None:
        same = or_(same, (Parcel.person_id == found.person_id) & (Parcel.locker_id == found.locker_id))
    return [_as_waiting(each, number) for each, number in session.execute(_waiting().where(same))]


def recipients(session: Session, site_id: int, text: str, limit: int = 6) -> list[Person]:
    """Return villagers who take parcels in the station and whose name and house fit; three letters are needed."""
    words = search_key(text).split()
    if sum(map(len, words)) < 3:  # noqa: PLR2004 - fewer would list the village
        return []
    wanted = select(Person).where(
        Person.home_site_id == site_id,
        Person.erased_at.is_(None),
        Person.is_blocked.is_(False),
        Person.objects_to_lockers.is_(False),
    )
    for word in words:
        wanted = wanted.where(Person.search_key.contains(word, autoescape=True))
    return list(session.scalars(wanted.order_by(Person.last_name, Person.first_name, Person.id).limit(limit)))


def recipient_of(session: Session, site_id: int, name: str, address: str) -> int | None:
    """Return the one villager with exactly this name and address; None if there is no one, or more than one."""
    wanted = search_key(f"{name} {address}")
    if not name.strip() or not address.strip():
        return None
    found = [person.id for person in recipients(session, site_id, wanted) if _key(person) == wanted]
    return found[0] if len(found) == 1 else None


def _key(person: Person) -> str:
    return search_key(f"{person.name} {person.address}")


def rows(
    session: Session,
    site_id: int,
    *,
    states: tuple[ParcelState, ...] = (),
    text: str = "",
    limit: int = 50,
    offset: int = 0,
) -> list[Row]:
    """Return the parcels of a site, newest first: of these states, or with this number, recipient or house."""
    found = session.execute(
        _listed(site_id, states, text)
        .with_only_columns(Parcel, Compartment.number)
        .order_by(Parcel.id.desc())
        .limit(limit)
        .offset(offset)
    )
    return [_as_row(parcel, number) for parcel, number in found]


def count(session: Session, site_id: int, *, states: tuple[ParcelState, ...] = (), text: str = "") -> int:
    """Return how many `rows` would find without limit."""
    return session.scalar(_listed(site_id, states, text).with_only_columns(func.count(Parcel.id))) or 0


def history(session: Session, parcel_id: int) -> list[ParcelEvent]:
    """Return all that happened to a parcel, in order."""
    wanted = select(ParcelEvent).where(ParcelEvent.parcel_id == parcel_id).order_by(ParcelEvent.sequence)
    return list(session.scalars(wanted))


def behind(session: Session, compartment_ids: list[int]) -> dict[int, Parcel]:
    """Return the parcels behind these doors, by compartment."""
    wanted = select(Parcel).where(
        Parcel.compartment_id.in_(compartment_ids),
        Parcel.state.not_in(FINAL),
    )
    return {parcel.compartment_id or 0: parcel for parcel in session.scalars(wanted)}


def without_slip(session: Session, site_id: int) -> list[Row]:
    """Return waiting parcels whose recipient has no mail and was not told on paper yet."""
    wanted = _listed(site_id, COLLECTABLE, "").where(*_NO_SLIP).order_by(Parcel.id)
    found = session.execute(wanted.with_only_columns(Parcel, Compartment.number))
    return [_as_row(parcel, number) for parcel, number in found]


def counts(session: Session, site_id: int) -> Counts:
    """Return what waits and what needs a hand."""
    here = Parcel.site_id == site_id
    return Counts(
        waiting=_count(session, here, Parcel.state.in_((ParcelState.READY, ParcelState.COLLECTING))),
        expired=_count(session, here, Parcel.state.in_((ParcelState.EXPIRED, ParcelState.RETURNING))),
        disputed=_count(session, here, Parcel.state == ParcelState.DISPUTED),
        without_recipient=_count(session, here, Parcel.state.in_(COLLECTABLE), Parcel.person_id.is_(None)),
        slips=len(without_slip(session, site_id)),
    )


_NO_SLIP = (
    Parcel.told_at.is_(None),
    Parcel.person_id.is_not(None),
    Person.notify == Notify.KIOSK,
)


def _waiting() -> Select[Parcel, int]:
    return (
        select(Parcel, Compartment.number)
        .join(Compartment, Compartment.id == Parcel.compartment_id)
        .where(Parcel.state.in_(COLLECTABLE))
        .order_by(Parcel.id)
    )


def _as_waiting(parcel: Parcel, number: int) -> WaitingParcel:
    return WaitingParcel(
        id=parcel.id,
        public_id=parcel.public_id,
        carrier=parcel.carrier.name,
        sender=parcel.sender,
        state=parcel.state,
        compartment=number,
        last_moment=parcel.last_moment,
        may_extend=parcel.extensions == 0 and parcel.state is not ParcelState.COLLECTING,
        blocked_reason=parcel.blocked_reason,
    )


def _as_row(parcel: Parcel, number: int | None) -> Row:
    return Row(
        public_id=parcel.public_id,
        number=parcel.number,
        carrier=parcel.carrier.name,
        recipient=parcel.person.name if parcel.person is not None else parcel.recipient_name,
        state=parcel.state,
        size=parcel.size,
        compartment=number,
        announced_at=parcel.announced_at,
        expires_at=parcel.last_moment,
        has_recipient=parcel.person_id is not None,
    )


def _count(session: Session, *conditions: ColumnElement[bool]) -> int:
    return session.scalar(select(func.count(Parcel.id)).where(*conditions)) or 0


def _listed(site_id: int, states: tuple[ParcelState, ...], text: str) -> Select[Parcel]:
    wanted = (
        select(Parcel)
        .join(Carrier, Carrier.id == Parcel.carrier_id)
        .outerjoin(Compartment, Compartment.id == Parcel.compartment_id)
        .outerjoin(Person, Person.id == Parcel.person_id)
        .where(Parcel.site_id == site_id)
    )
    if states:
        wanted = wanted.where(Parcel.state.in_(states))
    for word in text.split():
        likes = Person.search_key.contains(search_key(word), autoescape=True)
        wanted = wanted.where(
            or_(
                likes,
                Parcel.number.in_(numbers(word)),
                Parcel.number.contains(word, autoescape=True),
                Parcel.recipient_name.icontains(word, autoescape=True),
            )
        )
    return wanted


def door_number(session: Session, parcel: Parcel) -> int | None:
    """Return the number of a parcel's compartment."""
    return session.scalar(select(Compartment.number).where(Compartment.id == parcel.compartment_id))
