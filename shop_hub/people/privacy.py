"""One person's data: export and erasure over all features (DSGVO Art. 15, 17, 20).

Features above register what they keep; people knows none of them. Sums, receipts and audit rows stay without name.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from shop_hub.core import audit, clock
from shop_hub.core.sites import Site
from shop_hub.core.tokens import Purpose, Token
from shop_hub.people import queries
from shop_hub.people.models import Notify, Person

Exporter = Callable[[Session, int], Any]
Eraser = Callable[[Session, int], None]

_KEPT_BY_FEATURE: dict[str, tuple[Exporter, Eraser]] = {}
_FIELDS = (
    "first_name",
    "last_name",
    "street",
    "house_number",
    "email",
    "language",
    "notify",
    "text_size",
    "has_phone",
    "accessible",
    "objects_to_lockers",
    "age_level",
    "is_blocked",
)


@dataclass(frozen=True)
class Erasure:
    """A person who was erased; kept to erase again after a restore."""

    public_id: UUID
    site_id: int


def register(feature: str, export: Exporter, erase: Eraser) -> None:
    """Tell how a feature exports (JSON values) and erases what it keeps of a person, by the person's id."""
    _KEPT_BY_FEATURE[feature] = (export, erase)


def export_person(session: Session, person_id: int) -> dict[str, Any]:
    """Return everything that is kept of a person, as JSON values. PIN and cards are not in it, only that they exist."""
    person = queries.person(session, person_id)
    site = session.get_one(Site, person.home_site_id)
    cards = [
        {"number": card.id, "issued_at": card.issued_at.isoformat(), "is_live": card.is_live}
        for card in queries.cards(session, person.id)
    ]
    own = {
        "public_id": str(person.public_id),
        "home_site": site.slug,
        "created_at": person.created_at.isoformat(),
        "has_pin": person.pin_hash is not None,
        **{field: getattr(person, field) for field in _FIELDS},
        "cards": cards,
    }
    kept = {name: export(session, person.id) for name, (export, _) in sorted(_KEPT_BY_FEATURE.items())}
    return {"exported_at": clock.now().isoformat(), "person": own, **kept}


def erase_person(session: Session, person_id: int, *, actor: str = "system") -> None:
    """Erase a person: the rest keeps a number without name. Repeating it changes nothing.

    Raises:
        NotFoundError: no such person, or erased already.
        ShopError: a feature still needs the person, e.g. for money on the account or a parcel in a box.
    """
    person = queries.person(session, person_id)
    for _, erase in _KEPT_BY_FEATURE.values():
        erase(session, person.id)
    session.execute(delete(Token).where(Token.purpose == Purpose.MEMBER, Token.subject_id == person.id))
    person.first_name = person.last_name = person.street = person.house_number = ""
    person.email = person.search_key = ""
    person.notify, person.pin_hash = Notify.KIOSK, None
    person.has_phone = person.accessible = person.objects_to_lockers = False
    person.age_level, person.text_size = 0, 100
    person.is_blocked, person.erased_at = True, clock.now()
    audit.record(session, person.home_site_id, actor, "person-erased", f"person:{person.id}")


def erasures(session: Session) -> list[Erasure]:
    """Return who was erased, to be kept outside the backups."""
    rows = session.execute(
        select(Person.public_id, Person.home_site_id).where(Person.erased_at.is_not(None)).order_by(Person.id)
    )
    return [Erasure(*row) for row in rows]


def erase_again(session: Session, erased: list[Erasure]) -> int:
    """Erase after a restore whoever came back to life; return how many."""
    wanted = [erasure.public_id for erasure in erased]
    returned = session.scalars(select(Person.id).where(Person.public_id.in_(wanted), Person.erased_at.is_(None))).all()
    for person_id in returned:
        erase_person(session, person_id, actor="system")
    return len(returned)
