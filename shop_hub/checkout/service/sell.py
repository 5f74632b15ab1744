"""Goods in the hand, paid from a village account: one transaction, done at once (decisions.md 18)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, cast

from sqlalchemy import Table, bindparam, select, update
from sqlalchemy.orm import Session

from shop_hub.catalog import queries as catalog
from shop_hub.catalog.models import Unit
from shop_hub.catalog.queries import FoundProduct
from shop_hub.checkout import rules
from shop_hub.checkout.errors import (
    AgeNotProvenError,
    BasketClosedError,
    BasketEmptyError,
    BasketPayingError,
    PriceChangedError,
    TooExpensiveError,
    TooManyError,
    TotalChangedError,
)
from shop_hub.checkout.lines import Line, lines_of, total
from shop_hub.checkout.models import Basket, BasketLine, BasketState, Channel, LineKind, Rail
from shop_hub.checkout.service.basket import check_dates, refuse_for_age
from shop_hub.checkout.service.booking import Header, Sold, book_new
from shop_hub.core import clock
from shop_hub.core.errors import NotFoundError
from shop_hub.ledger.queries import member_key

_lines = cast("Table", BasketLine.__table__)
_baskets = cast("Table", Basket.__table__)
_read_lines = select(_lines).where(_lines.c.basket_id == bindparam("basket")).order_by(_lines.c.id)
_close = (
    update(_baskets)
    .where(_baskets.c.id == bindparam("basket"), _baskets.c.state == BasketState.OPEN)
    .values(state=bindparam("to"), touched_at=bindparam("now"))
    .returning(
        _baskets.c.site_id,
        _baskets.c.kiosk_id,
        _baskets.c.register_code,
        _baskets.c.age_level,
        _baskets.c.quote_until,
    )
)


class Buyer(Protocol):
    """Whoever pays from a village account: a villager, or what a till knows of one."""

    @property
    def id(self) -> int:
        """Return the villager's number."""

    @property
    def age_level(self) -> int:
        """Return the verified age: 0, 16 or 18."""


@dataclass(frozen=True, slots=True)
class Item:
    """Goods to be sold: what was found, and how much of it in thousandths of its unit."""

    product: FoundProduct
    quantity_milli: int


def find_items(session: Session, site_id: int, wanted: Iterable[tuple[str, int]]) -> list[Item]:
    """Return goods by (scan, how often it is scanned).

    Raises:
        UnknownBarcodeError, WrongCheckDigitError, UnreadableBarcodeError, NoPriceError: see `catalog.find_by_barcode`.
        PastUseByError, PastBestBeforeError: the date in the code has passed.
        TooManyError: more than 99 of one article.
    """
    wanted = list(wanted)
    if not all(1 <= times <= rules.MOST_PIECES for _, times in wanted):
        raise TooManyError(most=rules.MOST_PIECES)
    found = catalog.find_by_barcodes(session, site_id, [scan for scan, _ in wanted])
    for product in found:
        check_dates(session, site_id, product)
    return [_item(product, times) for product, (_, times) in zip(found, wanted, strict=True)]


def sell(
    session: Session,
    site_id: int,
    items: Sequence[Item],
    member: Buyer,
    *,
    channel: Channel = Channel.API,
    register_code: str = rules.API_REGISTER,
) -> Sold:
    """Sell goods in the hand from a village account, at once.

    Raises:
        BasketEmptyError: no items.
        AgeNotProvenError: the member's verified age is below what an article needs; params name the articles.
        InsufficientBalanceError, OutOfStockError, TooExpensiveError, TooManyError: nothing may be kept of this call.
    """
    if not items:
        raise BasketEmptyError
    refused = [item.product for item in items if item.product.min_age > member.age_level]
    if refused:
        refuse_for_age(session, site_id, None, refused)
    lines = as_lines(items)
    check_sum(lines)
    header = Header(
        site_id=site_id,
        register_code=register_code,
        channel=channel,
        rail=Rail.ACCOUNT,
        actor=f"member:{member.id}",
        member_id=member.id,
    )
    return book_new(session, header, lines, paid_from=member_key(member.id))


def pay_from_account(session: Session, basket_id: int, member: Buyer, *, expected_cents: int | None = None) -> Sold:
    """Pay a basket from a village account, whose owner has proven to be there by card and PIN.

    Args:
        expected_cents: the total that was shown; a basket that has changed meanwhile is refused.

    Raises:
        BasketEmptyError, BasketClosedError, BasketPayingError: there is nothing to pay.
        PriceChangedError: the quote has ended; call `requote`, show the basket again.
        TotalChangedError: the basket is not what was shown.
        AgeNotProvenError: neither the basket nor the member has the age for a line.
        InsufficientBalanceError, OutOfStockError: nothing may be kept of this call.
    """
    basket = close(session, basket_id, BasketState.FINALISED)
    lines = checked_lines(session, basket_id, basket, member=member, expected_cents=expected_cents)
    header = Header(
        site_id=basket.site_id,
        register_code=basket.register_code,
        channel=Channel.KIOSK,
        rail=Rail.ACCOUNT,
        actor=f"member:{member.id}",
        member_id=member.id,
        kiosk_id=basket.kiosk_id,
        basket_id=basket_id,
    )
    return book_new(session, header, lines, paid_from=member_key(member.id))


def close(session: Session, basket_id: int, to: BasketState) -> Any:
    """Move an open basket on, once; return its row.

    Raises:
        BasketPayingError, BasketClosedError: it is not open.
        NotFoundError: there is none.
    """
    values = {"basket": basket_id, "to": to, "now": clock.now()}
    row = session.execute(_close, values).one_or_none()
    if row is not None:
        return row
    state = session.scalar(select(Basket.state).where(Basket.id == basket_id))
    if state is None:
        raise NotFoundError(what="basket")
    if state is BasketState.PAYING:
        raise BasketPayingError
    raise BasketClosedError


def checked_lines(
    session: Session, basket_id: int, basket: Any, *, member: Buyer | None, expected_cents: int | None
) -> list[Line]:
    """Return the lines of a basket that may be paid now, with the VAT rates of this moment (UStG §27(1)).

    Raises:
        BasketEmptyError, PriceChangedError, TotalChangedError, AgeNotProvenError: see `pay_from_account`.
    """
    lines = read_lines(session, basket.site_id, basket_id)
    if not lines:
        raise BasketEmptyError
    if clock.now() > basket.quote_until:
        raise PriceChangedError
    if expected_cents is not None and expected_cents != total(lines):
        raise TotalChangedError
    level = max(basket.age_level, member.age_level if member else 0)
    needed = max(line.min_age for line in lines)
    if needed > level:
        raise AgeNotProvenError(min_age=needed, products=[line.name for line in lines if line.min_age > level])
    return lines


def read_lines(session: Session, site_id: int, basket_id: int) -> list[Line]:
    """Return a basket's lines in order, positions counted from 1, with the VAT rates in force now."""
    rows = session.execute(_read_lines, {"basket": basket_id}).all()
    cards = catalog.product_cards(session, site_id, {row.product_id for row in rows}) if rows else {}
    places = {row.id: place for place, row in enumerate(rows, 1)}
    return [_line(row, places, cards.get(row.product_id)) for row in rows]


def as_lines(items: Iterable[Item]) -> list[Line]:
    """Return items as lines, each with its deposit."""
    lines: list[Line] = []
    for item in items:
        most = rules.MOST_PIECES * 1000 if item.product.unit is Unit.PIECE else rules.MOST_LOOSE_MILLI
        if not 0 < item.quantity_milli <= most:
            raise TooManyError(most=most // 1000)
        lines += lines_of(item.product, len(lines) + 1, item.quantity_milli)
    return lines


def check_sum(lines: Iterable[Line]) -> None:
    """Refuse what is over the shop's limit for one basket.

    Raises:
        TooExpensiveError: over the limit.
    """
    if total(lines) > rules.largest_basket_cents():
        raise TooExpensiveError(most_euro=rules.largest_basket_cents() // 100)


def _item(product: FoundProduct, times: int) -> Item:
    if product.fixed_total_cents is not None:
        product = replace(product, fixed_total_cents=product.fixed_total_cents * times)
    return Item(product, product.quantity_milli * times)


def _line(row: Any, places: dict[int, int], card: FoundProduct | None) -> Line:
    return Line(
        position=places[row.id],
        kind=LineKind(row.kind),
        refers_to=None if row.refers_to_id is None else places[row.refers_to_id],
        product_id=row.product_id,
        name=row.name,
        name_en=row.name_en,
        unit=row.unit,
        quantity_milli=row.quantity_milli,
        unit_price_cents=row.unit_price_cents,
        fixed_total_cents=row.fixed_total_cents,
        vat_permille=row.vat_permille if card is None else card.vat_permille,
        base_price_cents=row.base_price_cents,
        base_unit=row.base_unit,
        deposit_type_id=row.deposit_type_id,
        lot=row.lot,
        stock_policy=row.stock_policy,
        min_age=row.min_age,
    )
