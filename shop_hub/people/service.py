"""Verbs about villagers, their cards and PINs, and about couriers with their badges."""

import dataclasses
import re
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise
from typing import Any, NamedTuple, cast
from uuid import UUID

from sqlalchemy import Table, select
from sqlalchemy.orm import Session

from shop_hub.core import audit, clock, limits, tokens
from shop_hub.core.db import paused
from shop_hub.core.errors import BadInputError, NotFoundError
from shop_hub.core.hashing import SecretHasher
from shop_hub.core.limits import Limit
from shop_hub.core.prepared import Prepared
from shop_hub.core.tokens import Issued, LiveToken, Purpose, Token
from shop_hub.people import aside, queries
from shop_hub.people.errors import (
    BadMailAddressError,
    MailAddressMissingError,
    NameTakenError,
    UnknownBadgeError,
    UnknownCardError,
    WeakPinError,
    WrongPinError,
)
from shop_hub.people.models import Carrier, Courier, Notify, Person
from shop_hub.people.names import search_key

PIN = re.compile(r"[0-9]{4,6}", re.ASCII)
CARD_LIMIT = Limit("card-pin", tries=5, window=timedelta(minutes=15))
CARD_DAY_LIMIT = Limit(
    "card-pin-day",
    tries=20,
    window=timedelta(days=1),
    first_wait=timedelta(hours=1),
    longest_wait=timedelta(hours=12),
)
PAD_LIMIT = Limit("pad-pin", tries=8, window=timedelta(minutes=15))

_CODE = re.compile(r"[a-z0-9][a-z0-9-]{0,39}", re.ASCII)
_MAIL = re.compile(r"[^\s@<>\"]{1,64}@[^\s@<>\"]{1,190}\.[^\s@<>\".]{2,}")


class Secret(NamedTuple):
    """What was typed, with its owner's context and the stored hash."""

    context: str
    typed: str
    stored: str | None


class CardOwner(NamedTuple):
    """Whom a live card names: what selling needs of a villager, and what the PIN is checked against."""

    card_id: int
    id: int
    public_id: UUID
    age_level: int
    pin_hash: str | None


_token, _person = cast("Table", Token.__table__), cast("Table", Person.__table__)
_find_card_owner = Prepared(
    select(_token.c.id.label("card_id"), _person.c.id, _person.c.public_id, _person.c.age_level, _person.c.pin_hash)
    .join_from(_token, _person, _person.c.id == _token.c.subject_id)
    .where(tokens.is_live(), _person.c.is_blocked.is_(False))
)


@dataclass(frozen=True, kw_only=True)
class NewPerson:
    """What is known of a new villager."""

    home_site_id: int
    first_name: str
    last_name: str
    street: str = ""
    house_number: str = ""
    email: str = ""
    language: str = "de"
    notify: Notify = Notify.KIOSK
    text_size: int = 100
    has_phone: bool = True
    accessible: bool = False
    objects_to_lockers: bool = False
    age_level: int = 0


def create_person(session: Session, new: NewPerson, *, actor: str = "system") -> Person:
    """Enter a villager.

    Raises:
        MailAddressMissingError, BadMailAddressError: mail is wished for, but cannot arrive.
    """
    person = Person(**dataclasses.asdict(new), created_at=clock.now())
    _check_mail(person)
    person.search_key = _search_key(person)
    session.add(person)
    session.flush()
    audit.record(session, person.home_site_id, actor, "person-created", f"person:{person.id}")
    return person


def change_person(session: Session, person_id: int, changes: dict[str, Any], *, actor: str) -> Person:
    """Change fields of `NewPerson`, or `is_blocked`.

    Raises:
        NotFoundError: no such person, or erased.
        MailAddressMissingError, BadMailAddressError: mail is wished for, but cannot arrive.
    """
    person = queries.person(session, person_id)
    changed = sorted(name for name, value in changes.items() if getattr(person, name) != value)
    for name in changed:
        setattr(person, name, changes[name])
    _check_mail(person)
    person.search_key = _search_key(person)
    if changed:
        audit.record(session, person.home_site_id, actor, "person-changed", f"person:{person.id}", fields=changed)
    return person


def set_pin(session: Session, hasher: SecretHasher, person_id: int, pin: str) -> None:
    """Give a villager a new PIN of 4 to 6 digits.

    Raises:
        WeakPinError: not 4 to 6 digits, or easy to guess.
        NotFoundError: no such person.
    """
    person = queries.person(session, person_id)
    _check_strong(pin)
    person.pin_hash = aside.slow_hash(session, hasher, f"member:{person.public_id}", pin)


def set_courier_pin(session: Session, hasher: SecretHasher, courier_id: int, pin: str) -> None:
    """Give a courier a new PIN of 4 to 6 digits.

    Raises:
        WeakPinError: not 4 to 6 digits, or easy to guess.
        NotFoundError: no such courier.
    """
    courier = queries.courier(session, courier_id)
    _check_strong(pin)
    courier.pin_hash = aside.slow_hash(session, hasher, f"courier:{courier.public_id}", pin)


def hash_pin(hasher: SecretHasher, context: str, pin: str) -> str:
    """Hash a PIN for its owner, `context` being "member:<public id>" or "courier:<public id>"; takes about 80 ms.

    Raises:
        WeakPinError: not 4 to 6 digits, or easy to guess.
    """
    _check_strong(pin)
    return hasher.hash(context, pin)


def is_strong_pin(pin: str) -> bool:
    """Tell whether a PIN has 4 to 6 digits and is neither 1111 nor 1234 nor 4321."""
    steps = {ord(b) - ord(a) for a, b in pairwise(pin)}
    return bool(PIN.fullmatch(pin)) and steps not in ({0}, {1}, {-1})


def issue_card(session: Session, person_id: int, *, actor: str = "system") -> Issued:
    """Make a member card; its text (`D1M…`) is shown once, as QR code on the printed card."""
    person = queries.person(session, person_id)
    card = tokens.issue(session, Purpose.MEMBER, person.id, site_id=person.home_site_id)
    audit.record(session, person.home_site_id, actor, "card-issued", f"person:{person.id}", card=card.id)
    return card


def block_card(session: Session, token_id: int, *, actor: str) -> None:
    """Make a card worthless at once: the next look at it, and any sign-in made with it, fail.

    Raises:
        NotFoundError: no such card.
    """
    card = session.get(Token, token_id)
    if card is None or card.purpose is not Purpose.MEMBER:
        raise NotFoundError(what="card")
    if tokens.move(session, card.id, tokens.TokenState.ISSUED, tokens.TokenState.REVOKED):
        person = session.get_one(Person, card.subject_id)
        audit.record(session, person.home_site_id, actor, "card-blocked", f"person:{person.id}", card=card.id)


def identify_card(session: Session, text: str) -> Person:
    """Return the owner of a member card. A card alone says who, it proves nothing: show no balance and no parcel.

    Raises:
        UnknownCardError: unknown or blocked card, or blocked owner.
    """
    return session.get_one(Person, _card_owner(session, text).id)


def card_id(session: Session, text: str) -> int:
    """Return the number of a live card.

    Raises:
        UnknownCardError: unknown or blocked card, or blocked owner.
    """
    return _card_owner(session, text).card_id


def verify_member(
    session: Session, hasher: SecretHasher, card_text: str, pin: str, *, pad: str | None = None
) -> Person:
    """Return the owner of a card after checking the PIN; call it before anything was written.

    The try is counted before the PIN is looked at: per card (5 in 15 minutes, 20 a day) and per pad.

    Args:
        pad: where the PIN was typed, e.g. "kiosk:3" or "token:7"; its delay grows with wrong tries.

    Raises:
        UnknownCardError: unknown or blocked card.
        TooManyAttemptsError: the PIN was not looked at.
        WrongPinError: wrong PIN, or the person has none.
    """
    return session.get_one(Person, verify_card(session, hasher, card_text, pin, pad=pad).id)


def verify_card(
    session: Session, hasher: SecretHasher, card_text: str, pin: str, *, pad: str | None = None
) -> CardOwner:
    """Do as `verify_member`, but return only what a till needs of the owner."""
    owner = _card_owner(session, card_text)
    _check_pin(session, hasher, owner.card_id, Secret(f"member:{owner.public_id}", pin, owner.pin_hash), pad)
    return owner


def create_carrier(session: Session, carrier: Carrier) -> Carrier:
    """Enter a carrier.

    Raises:
        BadInputError: its name is empty, or its code is not made of small letters, digits and hyphens.
        NameTakenError: the code exists.
    """
    if not carrier.name or not _CODE.fullmatch(carrier.code):
        raise BadInputError(field="code")
    if queries.carrier_by_code(session, carrier.code) is not None:
        raise NameTakenError(field="code")
    session.add(carrier)
    session.flush()
    return carrier


def create_courier(session: Session, carrier_id: int, name: str, *, language: str = "de") -> Courier:
    """Enter a courier of a carrier.

    Raises:
        NotFoundError: no such carrier.
    """
    carrier = session.get(Carrier, carrier_id)
    if carrier is None:
        raise NotFoundError(what="carrier")
    courier = Courier(carrier=carrier, name=name, language=language, created_at=clock.now())
    session.add(courier)
    session.flush()
    return courier


def issue_badge(session: Session, courier_id: int) -> Issued:
    """Make a courier's badge (`D1C…`); earlier badges of the courier end."""
    courier = queries.courier(session, courier_id)
    tokens.revoke_all(session, Purpose.COURIER, courier.id)
    return tokens.issue(session, Purpose.COURIER, courier.id)


def block_badges(session: Session, courier_id: int) -> None:
    """Make every badge of a courier worthless at once."""
    tokens.revoke_all(session, Purpose.COURIER, queries.courier(session, courier_id).id)


def identify_badge(session: Session, text: str) -> Courier:
    """Return the courier of a badge.

    Raises:
        UnknownBadgeError: unknown or blocked badge, courier or carrier.
    """
    return _badge_owner(session, text)[1]


def badge_id(session: Session, text: str) -> int:
    """Return the number of a live badge.

    Raises:
        UnknownBadgeError: unknown or blocked badge, courier or carrier.
    """
    return _badge_owner(session, text)[0].id


def verify_courier(
    session: Session, hasher: SecretHasher, badge_text: str, pin: str, *, pad: str | None = None
) -> Courier:
    """Return the courier of a badge after checking the PIN; counted as in `verify_member`.

    Raises:
        UnknownBadgeError: unknown or blocked badge.
        TooManyAttemptsError: the PIN was not looked at.
        WrongPinError: wrong PIN, or the courier has none.
    """
    badge, courier = _badge_owner(session, badge_text)
    _check_pin(session, hasher, badge.id, Secret(f"courier:{courier.public_id}", pin, courier.pin_hash), pad)
    return courier


def _card_owner(session: Session, text: str) -> CardOwner:
    row = _find_card_owner.first(session, tokens.looking_for(Purpose.MEMBER, text))
    if row is None:
        raise UnknownCardError
    return CardOwner._make(row)


def _badge_owner(session: Session, text: str) -> tuple[LiveToken, Courier]:
    badge = tokens.find(session, Purpose.COURIER, text)
    courier = session.get(Courier, badge.subject_id) if badge else None
    if badge is None or courier is None or courier.is_blocked or courier.carrier.is_blocked:
        raise UnknownBadgeError
    return badge, courier


def _check_pin(session: Session, hasher: SecretHasher, card_id: int, secret: Secret, pad: str | None) -> None:
    """Count a try per card and per pad before the PIN is looked at; take it back when the PIN is right.

    A PIN that was right a moment ago is recognised without counting and without slow hash, unless tries must wait.
    """
    counters = [(CARD_LIMIT, str(card_id)), (CARD_DAY_LIMIT, str(card_id))]
    if pad is not None:
        counters.append((PAD_LIMIT, pad))
    limits.check(session, *counters)
    if hasher.remembers(*secret):
        return
    limits.count(session, *counters)
    with paused(session):
        is_right = hasher.verify(*secret)
    if not is_right:
        raise WrongPinError
    limits.take_back(session, *counters)


def _check_strong(pin: str) -> None:
    if not is_strong_pin(pin):
        raise WeakPinError(field="pin")


def _check_mail(person: Person) -> None:
    if person.email and not _MAIL.fullmatch(person.email):
        raise BadMailAddressError(field="email")
    if person.notify is Notify.MAIL and not person.email:
        raise MailAddressMissingError(field="email")


def _search_key(person: Person) -> str:
    return search_key(person.last_name, person.first_name, person.last_name, person.street, person.house_number)
