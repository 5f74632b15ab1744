"""Fills the demo village with people: villagers with cards, operators, carriers with couriers."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TypeVar

from sqlalchemy import select
from sqlalchemy.orm import Session

from shop_hub.core.access import Role
from shop_hub.core.hashing import SecretHasher
from shop_hub.core.ids import random_digits
from shop_hub.core.sites import Site
from shop_hub.demo import tables
from shop_hub.ledger import service as ledger
from shop_hub.people import service as people
from shop_hub.people import staff
from shop_hub.people.models import Carrier, Courier, Notify, Operator, Person
from shop_hub.people.service import NewPerson
from shop_hub.people.staff import NewOperator

Who = TypeVar("Who")
PASSWORD = "kraniche ziehen im herbst"  # noqa: S105 - printed by the demo, for everyone on this machine


@dataclass
class Logins:
    """How to sign in; shown by the demo and written to its JSON file."""

    operators: list[dict[str, str]] = field(default_factory=list)
    members: list[dict[str, str]] = field(default_factory=list)
    couriers: list[dict[str, str]] = field(default_factory=list)


def add_people(session: Session, hasher: SecretHasher, site: Site) -> Logins:
    """Create everyone; about 130 PINs and passwords are hashed, which takes some seconds."""
    logins = Logins()
    _add_operators(session, hasher, site, logins)
    _add_villagers(session, hasher, site, logins)
    _add_carriers(session, hasher, logins)
    return logins


def _add_operators(session: Session, hasher: SecretHasher, site: Site, logins: Logins) -> None:
    operators = []
    for row in tables.rows("staff"):
        new = NewOperator(**{key: row[key] for key in ("user_name", "first_name", "last_name", "email", "language")})
        operator = staff.create_operator(session, new)
        staff.set_role(session, operator.id, site.id, Role(row["role"]))
        operators.append(operator)
        logins.operators.append({"role": row["role"], "user": row["user_name"], "password": PASSWORD})

    def set_password(operator: Operator) -> None:
        operator.password_hash = hasher.hash(f"operator:{operator.public_id}", PASSWORD)

    _in_threads(set_password, operators)


def _add_villagers(session: Session, hasher: SecretHasher, site: Site, logins: Logins) -> None:
    persons = [_add_villager(session, site, row, logins) for row in tables.rows("villagers")]
    pins = {person.id: _pin() for person in persons}

    def set_pin(person: Person) -> None:
        person.pin_hash = people.hash_pin(hasher, f"member:{person.public_id}", pins[person.id])

    _in_threads(set_pin, persons)
    for person, member in zip(persons, logins.members, strict=True):
        member["pin"] = pins[person.id]


def _add_villager(session: Session, site: Site, row: tables.Row, logins: Logins) -> Person:
    new = NewPerson(
        home_site_id=site.id,
        first_name=row["first_name"],
        last_name=row["last_name"],
        street=row["street"],
        house_number=row["house_number"],
        email=row["email"],
        language=row["language"],
        notify=Notify(row["notify"]),
        has_phone=row["has_phone"] == "yes",
        accessible=row["accessible"] == "yes",
        age_level=int(row["age_level"]),
    )
    person = people.create_person(session, new)
    card = people.issue_card(session, person.id)
    logins.members.append({"card": card.text, "pin": "", "name": person.name})
    cents = int(row["balance_cents"])
    if cents:
        ledger.top_up(session, site.id, person.id, cents, source="cash-box", actor="system", ref=f"demo-{person.id}")
    return person


def _add_carriers(session: Session, hasher: SecretHasher, logins: Logins) -> None:
    carriers = {}
    for row in tables.rows("carriers"):
        carriers[row["code"]] = people.create_carrier(
            session,
            Carrier(
                code=row["code"],
                name=row["name"],
                colour=row["colour"],
                text_colour=row["text_colour"],
                label_format=row["label_format"],
                email=row["email"],
            ),
        )
    couriers, pins = [], {}
    for row in tables.rows("couriers"):
        name = f"{row['first_name']} {row['last_name']}"
        courier = people.create_courier(session, carriers[row["carrier"]].id, name, language=row["language"])
        badge = people.issue_badge(session, courier.id)
        pins[courier.id] = _pin()
        couriers.append(courier)
        logins.couriers.append({"badge": badge.text, "pin": pins[courier.id], "carrier": row["carrier"], "name": name})

    def set_pin(courier: Courier) -> None:
        courier.pin_hash = people.hash_pin(hasher, f"courier:{courier.public_id}", pins[courier.id])

    _in_threads(set_pin, couriers)


def person_ids(session: Session) -> list[int]:
    """Return the ids of the villagers, in the order of the table (`number` 1 is the first)."""
    return list(session.scalars(select(Person.id).order_by(Person.id)))


def _pin() -> str:
    pin = random_digits(4)
    while not people.is_strong_pin(pin):
        pin = random_digits(4)
    return pin


def _in_threads(work: Callable[[Who], None], all_of_them: list[Who]) -> None:
    """Hash with two threads: argon2 lets other threads run, and two is what the hub allows at once."""
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(work, all_of_them))
