"""What the courier's two faces share, the kiosk and the phone: sign-in, the label in hand, the steps of a deposit.

Both faces have their own pages; each says where the person goes next by one of the words of `Next`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from flask import flash
from flask import session as visit
from flask_babel import gettext
from sqlalchemy import select

from shop_hub.core import clock
from shop_hub.core.access import principal
from shop_hub.core.errors import BadInputError, ShopError
from shop_hub.core.web import hub, session
from shop_hub.lockers import queries as lockers
from shop_hub.lockers.models import Locker, Size
from shop_hub.parcels import queries, sessions
from shop_hub.parcels import service as parcels
from shop_hub.parcels.errors import (
    CourierPinNeededError,
    DoorStillOpenError,
    NotInYourHandsError,
    SessionOverError,
    StationScanNeededError,
)
from shop_hub.parcels.models import Channel, CourierSession, Parcel
from shop_hub.parcels.service import Reason
from shop_hub.people import queries as people_queries
from shop_hub.people import service as people
from shop_hub.people import signin
from shop_hub.people.models import Person

LABEL = "courier_label"
PIN = "courier_pin"
PLACE = "courier_place"
PLACE_AT = "courier_place_at"
DOORS_WITHIN = timedelta(minutes=15)
"""How long after a scan of the station's code a phone may open doors there."""


class Next(StrEnum):
    """Where the courier goes next."""

    DESK = "desk"
    RECIPIENT = "recipient"
    SIZE = "size"
    PIN = "pin"
    PLACE = "place"


PROOFS: dict[type[ShopError], Next] = {CourierPinNeededError: Next.PIN, StationScanNeededError: Next.PLACE}
"""Where a courier gives the proof that was missing."""
NO_DOOR = frozenset({"inside", "taken"})


def begin(badge: str, channel: Channel) -> None:
    """Sign a courier in by the badge alone: enough to put parcels in.

    Raises:
        UnknownBadgeError: unknown or blocked badge.
    """
    who = people.identify_badge(session(), badge)
    _start(badge, who.id, channel)


def begin_with_pin(badge: str, pin: str, channel: Channel, *, pad: str) -> None:
    """Sign a courier in by badge and PIN: enough to take parcels out, too.

    Raises:
        UnknownBadgeError, WrongPinError, TooManyAttemptsError: see `people.verify_courier`.
    """
    who = people.verify_courier(session(), hub().hasher, badge, pin, pad=pad)
    if channel is Channel.KIOSK and principal().courier_id == who.id and is_at_work():
        signin.courier(session(), badge, who)  # the same courier goes on: what was put in stays in the courier's hands
    else:
        _start(badge, who.id, channel)
    visit[PIN] = who.id


def at_work() -> CourierSession:
    """Return the session of the courier who asks, and note that the courier is there.

    Raises:
        SessionOverError: there is none.
    """
    asking = principal()
    return sessions.of(session(), asking.site, asking.courier_id)


def is_at_work() -> bool:
    """Tell whether the courier who asks has an open session."""
    try:
        at_work()
    except SessionOverError:
        return False
    return True


def has_pin() -> bool:
    """Tell whether this courier's PIN was right in this visit."""
    return visit.get(PIN) is not None and visit.get(PIN) == principal().courier_id


def arrive(locker: Locker) -> None:
    """Note that the station's code of this minute was scanned."""
    visit.update({PLACE: locker.id, "site_id": locker.site_id, PLACE_AT: clock.now().isoformat()})


def is_here(within: timedelta) -> bool:
    """Tell whether a station's code was scanned within the last minutes."""
    at = visit.get(PLACE_AT) if PLACE in visit else None
    return at is not None and timedelta(0) <= clock.now() - datetime.fromisoformat(at) <= within


def leave() -> None:
    """End the courier's session.

    Raises:
        DoorStillOpenError: a parcel is not finished.
    """
    current = at_work()
    parcel = parcels.in_hand(session(), current) or parcels.taking_out(session(), current)
    if parcel is not None:
        raise DoorStillOpenError(number=queries.door_number(session(), parcel))
    sessions.end(session(), current)
    forget_label()
    visit.pop(PIN, None)
    signin.courier_out()


def scan(code: str) -> Next:
    """Take a scanned or typed label: open a door, or say what is missing. Refusals become a line on the page."""
    current = touched()
    found = attempt(lambda: parcels.look_up(session(), current, code))
    if found is None:
        return Next.DESK
    visit[LABEL] = {"number": found.number, "person": found.parcel.person_id if found.parcel else None}
    if found.parcel is None:
        return Next.RECIPIENT
    if found.size is None and found.parcel.compartment_id is None:
        return Next.SIZE
    return deposit()


def choose_recipient(public_id: str) -> Next:
    """Note who the parcel is for; empty leaves it to the operator."""
    label = _label()
    person = session().scalar(select(Person).where(Person.public_id == _uuid(public_id))) if public_id else None
    visit[LABEL] = {**label, "person": person.id if person is not None else None}
    return Next.SIZE


def choose_size(size: str) -> Next:
    """Note how large it is, and open a door."""
    if size not in set(Size):
        raise BadInputError(field="size")
    visit[LABEL] = {**_label(), "size": size}
    return deposit()


def deposit() -> Next:
    """Open a door for the label in hand."""
    label, current = _label(), touched()
    size = Size(label["size"]) if label.get("size") else None
    done, next_ = _at_door(
        current, lambda: parcels.deposit(session(), current, label["number"], size=size, person_id=label.get("person"))
    )
    if done is not None:
        forget_label()
    return next_


def act(parcel: Parcel, what: str) -> Next:
    """Do what a key of the desk says: another try, another compartment, take it out again, or insist.

    Raises:
        BadInputError: there is no such key.
    """
    current = touched()
    verb = _ACTS.get(what)
    if verb is None:
        raise BadInputError(field="act")
    run = _run if what in NO_DOOR else lambda work: _at_door(current, work)
    done, next_ = run(lambda: verb(current, parcel))
    if done is not None and what == Reason.TOO_SMALL:
        visit[LABEL] = {"number": parcel.number, "person": parcel.person_id}
    return next_


def attempt(work: Callable[[], Any]) -> Any:
    """Run `work` so that a refusal leaves nothing behind and is shown as a line on the next page; None then."""
    return _run(work)[0]


def touched() -> CourierSession:
    """Return the courier's session, noting that the courier is there."""
    current = at_work()
    sessions.touch(current)
    return current


@dataclass(frozen=True)
class Sizes:
    """The sizes to choose from for the label in hand.

    Attributes:
        free: free compartments of each size; only low ones if the recipient needs one.
        fitting: sizes for which a compartment of that size or a larger one is free.
        is_low: the recipient needs a low compartment.
    """

    free: Mapping[Size, int]
    fitting: frozenset[Size]
    is_low: bool


def sizes() -> Sizes:
    """Return which sizes the label in hand may have here."""
    person_id = _label().get("person")
    is_low = person_id is not None and people_queries.person(session(), person_id).accessible
    free = lockers.availability(session(), at_work().locker_id, accessible=is_low)
    largest = max((size.rank for size, count in free.items() if count), default=-1)
    return Sizes(free, frozenset(size for size in Size if size.rank <= largest), is_low)


def label() -> dict[str, Any] | None:
    """Return the label in hand for which something is still to be asked."""
    found: dict[str, Any] | None = visit.get(LABEL)
    return found


def forget_label() -> None:
    """Put the label aside."""
    visit.pop(LABEL, None)


def parcel(public_id: UUID) -> Parcel:
    """Return a parcel of the courier's own carrier.

    Raises:
        NotInYourHandsError: it belongs to another carrier.
    """
    found = queries.parcel(session(), principal().site, public_id)
    if found.carrier_id != at_work().carrier_id:
        raise NotInYourHandsError
    return found


def _start(badge: str, courier_id: int, channel: Channel) -> None:
    asking = principal()
    courier = people.identify_badge(session(), badge)
    assert courier.id == courier_id  # noqa: S101 - the same badge
    place = visit.get(PLACE) if channel is Channel.PHONE else None
    locker = session().get_one(Locker, place) if place else lockers.station_of(session(), asking.site)
    signin.courier(session(), badge, courier)
    visit.pop(PIN, None)
    forget_label()
    sessions.start(session(), locker, courier, channel, kiosk_id=asking.kiosk_id)


def _at_door(current: CourierSession, work: Callable[[], Any]) -> tuple[Any, Next]:
    """Run `work`, which opens a door: a phone must stand before it."""

    def checked() -> Any:
        if current.channel is Channel.PHONE and not (visit.get(PLACE) == current.locker_id and is_here(DOORS_WITHIN)):
            raise StationScanNeededError
        return work()

    return _run(checked)


def _run(work: Callable[[], Any]) -> tuple[Any, Next]:
    try:
        with session().begin_nested():
            return work(), Next.DESK
    except ShopError as error:
        session().expire_all()
        flash(gettext(error.message, **error.params), "warning")
        return None, PROOFS.get(type(error), Next.DESK)


def _label() -> dict[str, Any]:
    found = label()
    if found is None:
        raise BadInputError(field="label")
    return found


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise BadInputError(field="person") from error


def _undo(reason: Reason) -> Callable[[CourierSession, Parcel], Parcel]:
    return lambda current, parcel: parcels.undo_deposit(session(), current, parcel, reason, has_pin=has_pin())


_ACTS: dict[str, Callable[[CourierSession, Parcel], Parcel]] = {
    "retry": lambda current, parcel: parcels.retry_open(session(), current, parcel, has_pin=has_pin()),
    "other": lambda current, parcel: parcels.other_compartment(session(), current, parcel),
    "inside": lambda current, parcel: parcels.say_inside(session(), current, parcel),
    "take": lambda current, parcel: parcels.take_out(session(), current, parcel, has_pin=has_pin()),
    "taken": lambda current, parcel: parcels.confirm_taken_out(
        session(), parcel, actor=f"courier:{current.courier_id}"
    ),
    **{reason.value: _undo(reason) for reason in Reason},
}
