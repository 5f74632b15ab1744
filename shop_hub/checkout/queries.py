"""Reads of the checkout: baskets, receipts, lists of sales."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import and_, case, func, select
from sqlalchemy.orm import Session, aliased

from shop_hub.catalog.models import Unit
from shop_hub.checkout import receipts, rules
from shop_hub.checkout.errors import UnknownReceiptError
from shop_hub.checkout.lines import VatRow, vat_rows
from shop_hub.checkout.models import (
    Basket,
    BasketLine,
    BasketState,
    Channel,
    LineKind,
    Rail,
    Sale,
    SaleLine,
    SaleState,
)
from shop_hub.core import clock
from shop_hub.core.errors import NotFoundError
from shop_hub.core.money import line_total_cents
from shop_hub.core.sites import Site


@dataclass(frozen=True, slots=True, kw_only=True)
class BasketRow:
    """Goods in a basket with their deposit, as the screen shows them."""

    id: int
    product_id: int
    name: str
    name_en: str
    symbol: str
    unit: Unit
    quantity_milli: int
    unit_price_cents: int
    price_before_cents: int | None
    total_cents: int
    deposit_each_cents: int
    deposit_cents: int
    base_price_cents: int | None
    base_unit: str
    min_age: int
    is_adjustable: bool
    is_past_best_before: bool

    @property
    def pieces(self) -> int:
        """Return the quantity of goods sold by the piece."""
        return self.quantity_milli // 1000

    def label(self, language: str) -> str:
        """Return the name in `language` as far as there is one."""
        return self.name_en if language == "en" and self.name_en else self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class BasketView:
    """A basket as the screen shows it; the newest article comes first."""

    id: int
    state: BasketState
    age_level: int
    rows: tuple[BasketRow, ...]
    total_cents: int
    deposit_cents: int

    @property
    def is_empty(self) -> bool:
        """Tell whether there is nothing to pay."""
        return not self.rows

    @property
    def pieces(self) -> int:
        """Return how many articles there are; weighed goods count as one."""
        return sum(row.pieces if row.unit is Unit.PIECE else 1 for row in self.rows)

    @property
    def has_new_prices(self) -> bool:
        """Tell whether the customer must look at changed prices before paying."""
        return any(row.price_before_cents is not None for row in self.rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiptLine:
    """A line of a receipt."""

    position: int
    kind: LineKind
    refers_to: int | None
    name: str
    name_en: str
    unit: Unit
    quantity_milli: int
    unit_price_cents: int
    total_cents: int
    vat_permille: int
    base_price_cents: int | None
    base_unit: str

    def label(self, language: str) -> str:
        """Return the name in `language` as far as there is one."""
        return self.name_en if language == "en" and self.name_en else self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """A receipt: everything that stands on paper."""

    public_id: UUID
    number: str
    shop: str
    street: str
    place: str
    at: datetime
    rail: Rail
    channel: Channel
    lines: tuple[ReceiptLine, ...]
    total_cents: int
    goods_cents: int
    deposit_cents: int
    vat: tuple[VatRow, ...]
    reverses: str
    undone_by: str
    member_id: int | None
    undo_until: datetime | None

    @property
    def is_undoable(self) -> bool:
        """Tell whether the customer may undo it now."""
        return self.undo_until is not None and not self.undone_by and clock.now() <= self.undo_until


@dataclass(frozen=True, slots=True, kw_only=True)
class SaleRow:
    """A sale in a list."""

    public_id: UUID
    number: str
    state: SaleState
    channel: Channel
    rail: Rail
    total_cents: int
    reason: str
    is_reversal: bool
    at: datetime


@dataclass(frozen=True, slots=True)
class SalesToday:
    """What was sold on one calendar day of a site; reversals are taken off the sum."""

    count: int
    total_cents: int


_basket_lines = select(BasketLine.__table__).order_by(BasketLine.id)
_receipt_lines = select(SaleLine.__table__).order_by(SaleLine.position)


def basket(session: Session, basket_id: int) -> BasketView:
    """Return a basket.

    Raises:
        NotFoundError: there is none.
    """
    found = session.execute(
        select(Basket.id, Basket.state, Basket.age_level, Site.timezone)
        .join(Site, Site.id == Basket.site_id)
        .where(Basket.id == basket_id)
    ).one_or_none()
    if found is None:
        raise NotFoundError(what="basket")
    lines = session.execute(_basket_lines.where(BasketLine.basket_id == basket_id)).all()
    deposits = {line.refers_to_id: line for line in lines if line.kind is LineKind.DEPOSIT}
    today = clock.today(found.timezone)
    rows = [_row(line, deposits.get(line.id), today) for line in lines if line.kind is LineKind.GOODS]
    deposit = sum(row.deposit_cents for row in rows)
    return BasketView(
        id=found.id,
        state=found.state,
        age_level=found.age_level,
        rows=tuple(reversed(rows)),
        total_cents=sum(row.total_cents for row in rows) + deposit,
        deposit_cents=deposit,
    )


def sale(session: Session, public_id: UUID) -> Sale:
    """Return a sale in whatever state.

    Raises:
        NotFoundError: there is none.
    """
    found = session.scalar(select(Sale).where(Sale.public_id == public_id))
    if found is None:
        raise NotFoundError(what="sale")
    return found


def receipt(session: Session, public_id: UUID) -> Receipt:
    """Return the receipt of a done sale.

    Raises:
        UnknownReceiptError: there is no such sale, or it is not done.
    """
    found = session.scalar(select(Sale).where(Sale.public_id == public_id, Sale.state == SaleState.DONE))
    if found is None:
        raise UnknownReceiptError
    return _receipt(session, found)


def receipt_by_scan(session: Session, scan: str) -> Receipt:
    """Return the receipt whose QR code was scanned; who holds the code may see it.

    Raises:
        UnknownReceiptError: no receipt has this code.
    """
    hash_ = receipts.hash_of_scan(scan)
    found = session.scalar(select(Sale).where(Sale.receipt_hash == hash_)) if hash_ else None
    if found is None:
        raise UnknownReceiptError
    return _receipt(session, found)


def sale_of_basket(session: Session, basket_id: int) -> Sale | None:
    """Return the newest sale that was tried for a basket, or None."""
    return session.scalar(select(Sale).where(Sale.basket_id == basket_id).order_by(Sale.id.desc()).limit(1))


def sales_of_member(session: Session, person_id: int, *, limit: int = 20) -> list[SaleRow]:
    """Return a member's newest receipts."""
    return sale_rows(session, (Sale.member_id == person_id, Sale.state == SaleState.DONE), limit)


def recent_sales(session: Session, site_id: int, *, limit: int = 50, before: UUID | None = None) -> list[SaleRow]:
    """Return a site's newest sales, those on their way and void ones too; `before` is the last one shown."""
    where: list[Any] = [Sale.site_id == site_id]
    if before is not None:
        where.append(Sale.public_id < before)  # UUIDv7 grows with time
    return sale_rows(session, where, limit)


def in_review(session: Session, site_id: int) -> list[SaleRow]:
    """Return the sales of a site that wait for a person's decision, the oldest last."""
    return sale_rows(session, (Sale.site_id == site_id, Sale.state == SaleState.IN_REVIEW), 200)


def sales_today(session: Session, site_id: int) -> SalesToday:
    """Return number and sum of today's sales, by the calendar of the site."""
    zone = session.get_one(Site, site_id).timezone
    since = clock.local_midnight(clock.today(zone), zone)
    row = session.execute(
        select(
            func.coalesce(func.sum(case((Sale.reverses_id.is_(None), 1), else_=0)), 0),
            func.coalesce(func.sum(Sale.total_cents), 0),
        ).where(Sale.site_id == site_id, Sale.finalised_at >= since)
    ).one()
    return SalesToday(int(row[0]), int(row[1]))


def sale_rows(session: Session, where: Iterable[Any], limit: int) -> list[SaleRow]:
    """Return the newest sales that fulfil all conditions."""
    found = session.execute(select(Sale.__table__).where(and_(*where)).order_by(Sale.id.desc()).limit(limit))
    return [
        SaleRow(
            public_id=row.public_id,
            number=_number(row),
            state=row.state,
            channel=row.channel,
            rail=row.rail,
            total_cents=row.total_cents,
            reason=row.reason,
            is_reversal=row.reverses_id is not None,
            at=row.finalised_at or row.created_at,
        )
        for row in found
    ]


def _receipt(session: Session, found: Sale) -> Receipt:
    other = aliased(Sale)
    reverses = session.scalar(select(other).where(other.id == found.reverses_id)) if found.reverses_id else None
    undone = session.scalar(select(other).where(other.reverses_id == found.id, other.state != SaleState.VOID))
    site = session.get_one(Site, found.site_id)
    lines = session.execute(_receipt_lines.where(SaleLine.sale_id == found.id)).all()
    deposit = sum(line.total_cents for line in lines if line.kind is LineKind.DEPOSIT)
    return Receipt(
        public_id=found.public_id,
        number=_number(found),
        shop=site.name,
        street=site.street,
        place=f"{site.postcode} {site.place}".strip(),
        at=found.finalised_at or found.created_at,
        rail=found.rail,
        channel=found.channel,
        lines=_receipt_lines_of(lines),
        total_cents=found.total_cents,
        goods_cents=found.total_cents - deposit,
        deposit_cents=deposit,
        vat=tuple(vat_rows((line.vat_permille, line.total_cents) for line in lines)),
        reverses=_number(reverses) if reverses else "",
        undone_by=(_number(undone) or "…") if undone else "",
        member_id=found.member_id,
        undo_until=_undo_until(found),
    )


def _receipt_lines_of(lines: Sequence[Any]) -> tuple[ReceiptLine, ...]:
    return tuple(
        ReceiptLine(
            position=line.position,
            kind=line.kind,
            refers_to=line.refers_to,
            name=line.name,
            name_en=line.name_en,
            unit=line.unit,
            quantity_milli=line.quantity_milli,
            unit_price_cents=line.unit_price_cents,
            total_cents=line.total_cents,
            vat_permille=line.vat_permille,
            base_price_cents=line.base_price_cents,
            base_unit=line.base_unit,
        )
        for line in lines
    )


def _undo_until(found: Sale) -> datetime | None:
    if found.finalised_at is None or found.reverses_id is not None or found.location_id is not None:
        return None
    return found.finalised_at + rules.undo_time()


def _number(row: Any) -> str:
    return "" if row.receipt_number is None else f"{row.register_code}-{row.receipt_number}"


def _row(line: Any, deposit: Any, today: date) -> BasketRow:
    fixed = line.fixed_total_cents
    total = line_total_cents(line.unit_price_cents, line.quantity_milli) if fixed is None else fixed
    return BasketRow(
        id=line.id,
        product_id=line.product_id,
        name=line.name,
        name_en=line.name_en,
        symbol=line.group_symbol,
        unit=line.unit,
        quantity_milli=line.quantity_milli,
        unit_price_cents=line.unit_price_cents,
        price_before_cents=line.price_before_cents,
        total_cents=total,
        deposit_each_cents=deposit.unit_price_cents if deposit else 0,
        deposit_cents=line_total_cents(deposit.unit_price_cents, deposit.quantity_milli) if deposit else 0,
        base_price_cents=line.base_price_cents,
        base_unit=line.base_unit,
        min_age=line.min_age,
        is_adjustable=line.unit is Unit.PIECE and fixed is None,
        is_past_best_before=line.best_before is not None and line.best_before < today,
    )
