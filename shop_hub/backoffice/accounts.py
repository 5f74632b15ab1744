"""A villager's account as the backoffice shows it; also what personal data of it is given out."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from shop_hub.checkout import queries as checkout
from shop_hub.core.errors import N_, ShopError
from shop_hub.ledger import queries as ledger
from shop_hub.ledger.queries import Movement
from shop_hub.people import privacy, queries

SOURCES = {"cash-box": N_("Cash"), "card-clearing": N_("Card"), "top-up": N_("Bank transfer")}
SHOWN = 10
MOST_EXPORTED = 10_000


class MoneyLeftError(ShopError):
    """There is still money on the account of a person who is to be erased."""

    code = "money-left"
    message = N_("There is still money on this account. Please pay it out first.")


@dataclass(frozen=True)
class VillagerAccount:
    """Balance and newest movements at a site."""

    balance_cents: int
    movements: list[Movement]


def of(session: Session, site_id: int, person_id: int) -> VillagerAccount:
    """Return the account of a person at a site."""
    key = ledger.member_key(person_id)
    return VillagerAccount(
        ledger.balance_cents(session, site_id, key), ledger.history(session, site_id, key, limit=SHOWN)
    )


def register_privacy() -> None:
    """Tell people what the ledger keeps of a person: sums without name, which stay (AO § 147)."""
    privacy.register("account", _export, _refuse_with_money)
    privacy.register("purchases", _export_purchases, lambda _session, _person_id: None)


def _export(session: Session, person_id: int) -> Any:
    person = queries.person(session, person_id)
    key = ledger.member_key(person_id)
    movements = ledger.history(session, person.home_site_id, key, limit=MOST_EXPORTED)
    return [
        {"at": move.at.isoformat(), "kind": move.kind, "cents": move.cents, "balance_cents": move.balance_cents}
        for move in movements
    ]


def _export_purchases(session: Session, person_id: int) -> Any:
    sales = checkout.sales_of_member(session, person_id, limit=MOST_EXPORTED)
    return [{"at": sale.at.isoformat(), "number": sale.number, "total_cents": sale.total_cents} for sale in sales]


def _refuse_with_money(session: Session, person_id: int) -> None:
    person = queries.person(session, person_id)
    if ledger.balance_cents(session, person.home_site_id, ledger.member_key(person_id)):
        raise MoneyLeftError
