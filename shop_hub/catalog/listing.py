"""What the backoffice reads of the catalogue: also what is not for sale, with codes and the history of prices."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import Row, func, select
from sqlalchemy.orm import Session

from shop_hub.catalog import paging, statements
from shop_hub.catalog.barcodes import short_form
from shop_hub.catalog.errors import UnknownProductError
from shop_hub.catalog.models import (
    DepositRate,
    DepositType,
    Embed,
    Price,
    Product,
    ProductCode,
    ProductGroup,
    Unit,
)
from shop_hub.catalog.queries import BasePrice, base_price
from shop_hub.core import clock

PAGE = 30


class Shown(StrEnum):
    """Which products a list shows."""

    SOLD = "sold"
    UNPRICED = "unpriced"
    DELISTED = "delisted"


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedProduct:
    """A line of the product list."""

    id: int
    public_id: UUID
    name: str
    maker: str
    unit: Unit
    group_name: str
    group_symbol: str
    price_cents: int | None
    base_price: BasePrice | None
    deposit_cents: int
    min_age: int
    is_active: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedProduct:
    """What a line about a product needs to name it."""

    public_id: UUID
    name: str
    unit: Unit


@dataclass(frozen=True, slots=True)
class Listing:
    """A part of the product list; `next` is the cursor of the following part."""

    items: list[ListedProduct]
    next: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeRow:
    """A code of a product, as printed on it."""

    id: int
    text: str
    quantity_milli: int
    template: str
    embed: Embed


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceRow:
    """One price of the history; `is_current` is the one in force, later ones are still to come."""

    cents: int
    valid_from: datetime
    actor: str
    is_current: bool
    is_to_come: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DepositChoice:
    """A deposit type with what it costs now."""

    key: str
    name: str
    cents: int


def products(
    session: Session,
    site_id: int,
    text: str = "",
    *,
    group: str = "",
    shown: Shown = Shown.SOLD,
    cursor: str = "",
    limit: int = PAGE,
) -> Listing:
    """Return a part of the product list, in the order of the names.

    Raises:
        BadInputError: the cursor is not one of ours.
    """
    statement = statements.LIST.add_columns(ProductGroup.name.label("group_name")).where(*paging.has_words(text))
    statement = statement.where(*_SHOWN[shown])
    if group:
        statement = statement.where(ProductGroup.key == group)
    if cursor:
        statement = statement.where(paging.after(cursor))
    rows = session.execute(statement.limit(limit + 1), {"site_id": site_id, "now": clock.now()}).all()
    last = rows[limit - 1] if len(rows) > limit else None
    return Listing([_listed(row) for row in rows[:limit]], paging.cursor(last.search_key, last.id) if last else None)


def count(session: Session) -> int:
    """Return how many products the shop sells."""
    return session.scalar(select(func.count()).select_from(Product).where(Product.is_active)) or 0


def product(session: Session, public_id: UUID) -> Product:
    """Return a product, sold or not.

    Raises:
        UnknownProductError: there is none.
    """
    found = session.scalar(select(Product).where(Product.public_id == public_id))
    if found is None:
        raise UnknownProductError
    return found


def named(session: Session, product_ids: Iterable[int]) -> dict[int, NamedProduct]:
    """Return names of products, sold or not, by id."""
    rows = session.execute(_NAMED.where(Product.id.in_(set(product_ids))))
    return {row.id: NamedProduct(public_id=row.public_id, name=row.name, unit=row.unit) for row in rows}


def listed(session: Session, site_id: int, product_id: int) -> ListedProduct:
    """Return one product as the list shows it."""
    statement = statements.LIST.add_columns(ProductGroup.name.label("group_name")).where(Product.id == product_id)
    return _listed(session.execute(statement, {"site_id": site_id, "now": clock.now()}).one())


def codes(session: Session, product_id: int) -> list[CodeRow]:
    """Return the codes of a product in the order in which they were given."""
    rows = session.scalars(select(ProductCode).where(ProductCode.product_id == product_id).order_by(ProductCode.id))
    return [
        CodeRow(
            id=row.id,
            text=short_form(row.code),
            quantity_milli=row.quantity_milli,
            template=row.template,
            embed=row.embed,
        )
        for row in rows
    ]


def prices(session: Session, site_id: int, product_id: int, *, limit: int = 50) -> list[PriceRow]:
    """Return the history of a product's prices at a site, the newest first, with those to come."""
    now = clock.now()
    rows = session.scalars(
        select(Price)
        .where(Price.site_id == site_id, Price.product_id == product_id)
        .order_by(Price.valid_from.desc(), Price.id.desc())
        .limit(limit)
    ).all()
    current = next((row.id for row in rows if row.valid_from <= now), None)
    return [
        PriceRow(
            cents=row.cents,
            valid_from=row.valid_from,
            actor=row.actor,
            is_current=row.id == current,
            is_to_come=row.valid_from > now,
        )
        for row in rows
    ]


def deposit_choices(session: Session) -> list[DepositChoice]:
    """Return all deposit types with their amounts of today."""
    cents = (
        select(DepositRate.cents)
        .where(DepositRate.deposit_type_id == DepositType.id, DepositRate.valid_from <= clock.now())
        .order_by(DepositRate.valid_from.desc())
        .limit(1)
        .scalar_subquery()
    )
    rows = session.execute(select(DepositType.key, DepositType.name, cents.label("cents")).order_by(DepositType.id))
    return [DepositChoice(key=row.key, name=row.name, cents=row.cents or 0) for row in rows]


def deposit_key(session: Session, type_id: int | None) -> str:
    """Return the key of a deposit type, or nothing."""
    return session.scalar(select(DepositType.key).where(DepositType.id == type_id)) or ""


_NAMED = select(Product.id, Product.public_id, Product.name, Product.unit)
_SHOWN: dict[Shown, tuple[Any, ...]] = {
    Shown.SOLD: (Product.is_active,),
    Shown.UNPRICED: (Product.is_active, statements.PRICE.is_(None)),
    Shown.DELISTED: (Product.is_active.is_(False),),
}


def _listed(row: Row[Any]) -> ListedProduct:
    price = row.unit_price_cents
    content = (row.unit, row.content_milli, row.content_unit, row.drained_milli)
    return ListedProduct(
        id=row.id,
        public_id=row.public_id,
        name=row.name,
        maker=row.maker,
        unit=row.unit,
        group_name=row.group_name,
        group_symbol=row.group_symbol,
        price_cents=price,
        base_price=None if price is None else base_price(price, *content),
        deposit_cents=(row.deposit_cents or 0) + (row.contained_deposit_cents or 0) * (row.contains_pieces or 0),
        min_age=row.min_age,
        is_active=row.is_active,
    )
