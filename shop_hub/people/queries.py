"""Reads about people; lists cost the same number of statements for 1 and for 1,000 rows."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Select, exists, func, select
from sqlalchemy.orm import Session

from shop_hub.core import clock
from shop_hub.core.errors import NotFoundError
from shop_hub.core.sites import Site
from shop_hub.core.tokens import Purpose, Token, TokenState
from shop_hub.people.models import Carrier, Courier, Operator, OperatorRole, Person
from shop_hub.people.names import search_key

MOST_FOUND = 50


@dataclass(frozen=True)
class Card:
    """A member card or badge, without its secret."""

    id: int
    issued_at: datetime
    is_live: bool


@dataclass(frozen=True)
class CourierRow:
    """A courier as shown in a list."""

    public_id: UUID
    name: str
    language: str
    has_badge: bool
    has_pin: bool
    is_blocked: bool


@dataclass(frozen=True)
class ApiToken:
    """A program's access, without its secret."""

    id: int
    label: str
    role: str
    carrier: str
    issued_at: datetime
    expires_at: datetime | None
    is_live: bool


def person(session: Session, person_id: int) -> Person:
    """Return a villager whose record has not been erased.

    Raises:
        NotFoundError: no such person, or erased.
    """
    found = session.get(Person, person_id)
    if found is None or found.erased_at is not None:
        raise NotFoundError(what="person")
    return found


def courier(session: Session, courier_id: int) -> Courier:
    """Return a courier.

    Raises:
        NotFoundError: there is none.
    """
    found = session.get(Courier, courier_id)
    if found is None:
        raise NotFoundError(what="courier")
    return found


def courier_by_public_id(session: Session, public_id: UUID) -> Courier:
    """Return a courier.

    Raises:
        NotFoundError: there is none.
    """
    found = session.scalar(select(Courier).where(Courier.public_id == public_id))
    if found is None:
        raise NotFoundError(what="courier")
    return found


def person_by_public_id(session: Session, public_id: UUID) -> Person:
    """Return a villager whose record has not been erased.

    Raises:
        NotFoundError: no such person, or erased.
    """
    found = session.scalar(select(Person).where(Person.public_id == public_id, Person.erased_at.is_(None)))
    if found is None:
        raise NotFoundError(what="person")
    return found


def find_people(session: Session, site_id: int, text: str, *, limit: int = MOST_FOUND, offset: int = 0) -> list[Person]:
    """Return living records of a site whose name or address holds every word of `text`, sorted by name."""
    return list(
        session.scalars(_matching(site_id, text).order_by(Person.search_key, Person.id).limit(limit).offset(offset))
    )


def count_people(session: Session, site_id: int, text: str = "") -> int:
    """Return how many `find_people` would find without limit."""
    return session.scalar(select(func.count()).select_from(_matching(site_id, text).subquery())) or 0


def live_cards(session: Session, person_ids: list[int]) -> dict[int, int]:
    """Return how many live cards each of these people has; those without are not in it."""
    rows = session.execute(
        select(Token.subject_id, func.count(Token.id))
        .where(Token.purpose == Purpose.MEMBER, Token.state == TokenState.ISSUED, Token.subject_id.in_(person_ids))
        .group_by(Token.subject_id)
    )
    return {row[0]: row[1] for row in rows}


def cards(session: Session, person_id: int) -> list[Card]:
    """Return all cards of a person, newest first."""
    return _cards(session, Purpose.MEMBER, person_id)


def operators(session: Session, site_id: int) -> list[Operator]:
    """Return who works at a site, sorted by user name."""
    return list(
        session.scalars(
            select(Operator).join(OperatorRole).where(OperatorRole.site_id == site_id).order_by(Operator.user_name)
        )
    )


def operator_by_public_id(session: Session, public_id: UUID) -> Operator | None:
    """Return an operator, or None."""
    return session.scalar(select(Operator).where(Operator.public_id == public_id))


def sites_of(session: Session, operator: Operator) -> list[Site]:
    """Return the sites that an operator serves, sorted by name."""
    ids = [row.site_id for row in operator.roles]
    return list(session.scalars(select(Site).where(Site.id.in_(ids)).order_by(Site.name)))


def carriers(session: Session) -> list[Carrier]:
    """Return all carriers, sorted by name."""
    return list(session.scalars(select(Carrier).order_by(Carrier.name)))


def carrier_by_code(session: Session, code: str) -> Carrier | None:
    """Return the carrier with this code, or None."""
    return session.scalar(select(Carrier).where(Carrier.code == code))


def couriers(session: Session, carrier_id: int) -> list[CourierRow]:
    """Return the couriers of a carrier, sorted by name."""
    badge = exists().where(
        Token.purpose == Purpose.COURIER, Token.subject_id == Courier.id, Token.state == TokenState.ISSUED
    )
    rows = session.execute(
        select(
            Courier.public_id, Courier.name, Courier.language, badge, Courier.pin_hash.is_not(None), Courier.is_blocked
        )
        .where(Courier.carrier_id == carrier_id)
        .order_by(Courier.name)
    )
    return [CourierRow(*row) for row in rows]


def api_tokens(session: Session, site_id: int) -> list[ApiToken]:
    """Return the programs that may call the API of a site, newest first."""
    names = {row.id: row.name for row in session.execute(select(Carrier.id, Carrier.name))}
    found = session.scalars(
        select(Token).where(Token.purpose == Purpose.API, Token.site_id == site_id).order_by(Token.id.desc())
    )
    return [
        ApiToken(
            token.id,
            token.label,
            token.data["role"],
            names.get(token.data.get("carrier_id") or 0, ""),
            token.issued_at,
            token.expires_at,
            _is_live(token),
        )
        for token in found
    ]


def _matching(site_id: int, text: str) -> Select[Person]:
    found = select(Person).where(Person.home_site_id == site_id, Person.erased_at.is_(None))
    for word in search_key(text).split():
        found = found.where(Person.search_key.contains(word, autoescape=True))
    return found


def _cards(session: Session, purpose: Purpose, subject_id: int) -> list[Card]:
    found = session.scalars(
        select(Token).where(Token.purpose == purpose, Token.subject_id == subject_id).order_by(Token.id.desc())
    )
    return [Card(token.id, token.issued_at, _is_live(token)) for token in found]


def _is_live(token: Token) -> bool:
    is_over = token.expires_at is not None and token.expires_at <= clock.now()
    return token.state is TokenState.ISSUED and not is_over
