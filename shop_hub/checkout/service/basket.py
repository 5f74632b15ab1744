"""Filling a basket. A refused article never touches the rest of it."""

from collections.abc import Iterable, Sequence
from typing import Any, cast

from sqlalchemy import Table, bindparam, delete, func, insert, or_, select, update
from sqlalchemy.orm import Session

from shop_hub.catalog import queries as catalog
from shop_hub.catalog.models import DatePolicy, Unit
from shop_hub.catalog.queries import FoundProduct
from shop_hub.checkout import rules
from shop_hub.checkout.errors import (
    AgeNotProvenError,
    BasketClosedError,
    BasketPayingError,
    FixedQuantityError,
    PastBestBeforeError,
    PastUseByError,
    TooExpensiveError,
    TooManyError,
    UnknownLineError,
)
from shop_hub.checkout.lines import Line, lines_of
from shop_hub.checkout.models import AgeRefusal, Basket, BasketLine, BasketState, LineKind
from shop_hub.climate import holds
from shop_hub.core import clock
from shop_hub.core.db import in_own_transaction
from shop_hub.core.errors import NotFoundError
from shop_hub.core.money import line_total_cents
from shop_hub.core.sites import Site
from shop_hub.fleet import queries as fleet
from shop_hub.stock import tasks

_lines = cast("Table", BasketLine.__table__)
_baskets = cast("Table", Basket.__table__)
_touch = (
    update(_baskets)
    .where(_baskets.c.id == bindparam("basket"), _baskets.c.state == BasketState.OPEN)
    .values(touched_at=bindparam("now"))
)
_read = select(Basket.site_id, Basket.kiosk_id, Basket.state, Basket.age_level).where(Basket.id == bindparam("basket"))
_same = (
    select(_lines.c.id, _lines.c.quantity_milli)
    .where(
        _lines.c.basket_id == bindparam("basket"),
        _lines.c.product_id == bindparam("product"),
        _lines.c.kind == LineKind.GOODS,
        _lines.c.unit == Unit.PIECE,
        _lines.c.unit_price_cents == bindparam("price"),
        _lines.c.fixed_total_cents.is_(None),
        _lines.c.lot == bindparam("lot"),
    )
    .limit(1)
)
_set_quantity = (
    update(_lines)
    .where(
        _lines.c.basket_id == bindparam("basket"),
        or_(_lines.c.id == bindparam("line"), _lines.c.refers_to_id == bindparam("line")),
    )
    .values(quantity_milli=bindparam("quantity"))
)
_insert = insert(_lines).returning(_lines.c.id)
_count = select(func.count()).where(_lines.c.basket_id == bindparam("basket"), _lines.c.kind == LineKind.GOODS)
_sums = select(_lines.c.unit_price_cents, _lines.c.quantity_milli, _lines.c.fixed_total_cents).where(
    _lines.c.basket_id == bindparam("basket")
)


def open_basket(session: Session, site_id: int, kiosk_id: int | None) -> Basket:
    """Start an empty basket; its receipt will be in the series of the kiosk."""
    now = clock.now()
    basket = Basket(
        site_id=site_id,
        kiosk_id=kiosk_id,
        register_code=rules.API_REGISTER if kiosk_id is None else fleet.register_code(session, kiosk_id),
        quote_until=now + rules.quote_valid(),
        created_at=now,
        touched_at=now,
    )
    session.add(basket)
    session.flush()
    return basket


def add_by_barcode(session: Session, basket_id: int, scan: str) -> int:
    """Add what a scan means and return the line's id; the same article again raises its quantity.

    Raises:
        UnknownBarcodeError, WrongCheckDigitError, UnreadableBarcodeError, NoPriceError: see `catalog.find_by_barcode`.
        AgeNotProvenError: the refusal is logged, without a person.
        PastUseByError, PastBestBeforeError: the date in the code has passed.
        TooManyError, TooExpensiveError: over a limit of the shop.
        BasketClosedError: it is being paid, paid or given up.
    """
    basket = _row(session, basket_id)
    found = catalog.find_by_barcode(session, basket.site_id, scan)
    admit(session, basket.site_id, basket.kiosk_id, found, age_level=basket.age_level)
    return add_found(session, basket_id, found)


def find_product(session: Session, site_id: int, product_id: int) -> FoundProduct:
    """Return an article chosen by picture or name.

    Raises:
        UnknownProductError, NoPriceError: see `catalog.product_card`.
        FixedQuantityError: loose goods need the label of the scale.
    """
    found = catalog.product_card(session, site_id, product_id)
    if found.unit is not Unit.PIECE:
        raise FixedQuantityError
    return found


def admit(session: Session, site_id: int, kiosk_id: int | None, found: FoundProduct, *, age_level: int) -> None:
    """Check that goods may be sold to whoever stands at the till. Call it before anything was written.

    Raises:
        AgeNotProvenError: the refusal is logged, without a person.
        PastUseByError, PastBestBeforeError: the date in the code has passed.
        GoodsHeldError: their cooling failed.
    """
    if found.min_age > age_level:
        refuse_for_age(session, site_id, kiosk_id, [found])
    check_dates(session, site_id, found)
    holds.check(session, site_id, [found.product_id])


def add_found(session: Session, basket_id: int, found: FoundProduct) -> int:
    """Add admitted goods to a basket and return the line's id; the same article again raises its quantity.

    Raises:
        TooManyError, TooExpensiveError: over a limit of the shop; the transaction must be rolled back.
        BasketPayingError, BasketClosedError: it is being paid, paid or given up.
    """
    _hold(session, basket_id)
    line_id = _raise_quantity(session, basket_id, found)
    if line_id is None:
        _check_quantity(found.unit, found.quantity_milli)
        if (session.scalar(_count, {"basket": basket_id}) or 0) >= rules.MOST_LINES:
            raise TooManyError(most=rules.MOST_LINES)
        line_id = insert_lines(session, _row(session, basket_id).site_id, basket_id, lines_of(found, 1), found)
    _check_total(session, basket_id)
    return line_id


def change_quantity(session: Session, basket_id: int, line_id: int, pieces: int) -> None:
    """Set how many pieces of a line are in the basket, its deposit with it; 0 removes both.

    Raises:
        UnknownLineError: the basket has no such goods.
        FixedQuantityError: weighed goods and labels with a price come as they are; only 0 is possible.
        TooManyError, TooExpensiveError, BasketClosedError: as `add_by_barcode`.
    """
    _hold(session, basket_id)
    row = session.execute(
        select(_lines.c.unit, _lines.c.fixed_total_cents).where(
            _lines.c.basket_id == basket_id, _lines.c.id == line_id, _lines.c.kind == LineKind.GOODS
        )
    ).one_or_none()
    if row is None:
        raise UnknownLineError
    if pieces <= 0:
        session.execute(delete(_lines).where(_lines.c.basket_id == basket_id, _lines.c.refers_to_id == line_id))
        session.execute(delete(_lines).where(_lines.c.basket_id == basket_id, _lines.c.id == line_id))
        return
    if row.unit != Unit.PIECE or row.fixed_total_cents is not None:
        raise FixedQuantityError
    _put_quantity(session, basket_id, line_id, pieces * 1000)
    _check_total(session, basket_id)


def prove_age(session: Session, basket_id: int, level: int) -> None:
    """Note that whoever stands at the till has shown an age of `level` (0, 16, 18); it ends with the basket."""
    session.execute(
        update(_baskets)
        .where(_baskets.c.id == basket_id, _baskets.c.state == BasketState.OPEN, _baskets.c.age_level < level)
        .values(age_level=level)
    )


def requote(session: Session, basket_id: int) -> bool:
    """Look at the prices again once the quote has ended; tell whether any is different now.

    The new prices are in the basket then, with the old ones beside them; the customer agrees by paying the new total.
    Goods that are not sold any more stay at the price that was shown.
    """
    basket = session.get_one(Basket, basket_id, populate_existing=True)
    now = clock.now()
    if basket.state is not BasketState.OPEN or now <= basket.quote_until:
        return False
    rows = session.execute(select(_lines).where(_lines.c.basket_id == basket_id, _lines.c.kind == LineKind.GOODS)).all()
    cards = catalog.product_cards(session, basket.site_id, {row.product_id for row in rows})
    changes = [change for row in rows if row.product_id in cards for change in _changes(row, cards[row.product_id])]
    for change in changes:
        session.execute(update(_lines).where(change.pop("where")).values(**change))
    basket.quote_until = now + rules.quote_valid()
    session.flush()
    return bool(changes)


def abandon(session: Session, basket_id: int) -> None:
    """Give a basket up; one that is being paid stays until its payment has ended."""
    session.execute(
        update(_baskets)
        .where(_baskets.c.id == basket_id, _baskets.c.state == BasketState.OPEN)
        .values(state=BasketState.ABANDONED, touched_at=clock.now())
    )


def check_dates(session: Session, site_id: int, found: FoundProduct) -> None:
    """Check the date that a code bears. Call it before anything was written.

    Raises:
        PastUseByError: it is unsafe; staff are asked to pull the goods.
        PastBestBeforeError: the product's policy forbids it.
    """
    if found.use_by is None and found.best_before is None:
        return
    today = clock.today(session.get_one(Site, site_id).timezone)
    if found.use_by is not None and found.use_by < today:
        with in_own_transaction(session) as own:
            tasks.open_pull(own, site_id, found.product_id, lot=found.lot or "", day=found.use_by.isoformat())
        raise PastUseByError
    if found.best_before is not None and found.best_before < today and found.date_policy is DatePolicy.BLOCK:
        raise PastBestBeforeError


def insert_lines(session: Session, site_id: int, basket_id: int, lines: Sequence[Line], shown: FoundProduct) -> int:
    """Write goods and their deposit, and return the id of the goods' line."""
    first = 0
    for line in lines:
        values = _values(line, shown) | {"site_id": site_id, "basket_id": basket_id, "refers_to_id": None}
        if line.kind is LineKind.DEPOSIT:
            values["refers_to_id"] = first
        line_id = int(session.execute(_insert, values).scalar_one())
        first = first or line_id
    return first


def _row(session: Session, basket_id: int) -> Any:
    row = session.execute(_read, {"basket": basket_id}).one_or_none()
    if row is None:
        raise NotFoundError(what="basket")
    return row


def _hold(session: Session, basket_id: int) -> None:
    """Note that the basket is in use; on PostgreSQL its row stays locked until the end of the transaction."""
    if session.execute(_touch, {"basket": basket_id, "now": clock.now()}).rowcount:  # type: ignore[attr-defined]
        return
    if _row(session, basket_id).state is BasketState.PAYING:
        raise BasketPayingError
    raise BasketClosedError


def _raise_quantity(session: Session, basket_id: int, found: FoundProduct) -> int | None:
    """Add to a line that is there already; weighed goods and labels with a price stay lines of their own."""
    if found.unit is not Unit.PIECE or found.fixed_total_cents is not None:
        return None
    same = {
        "basket": basket_id,
        "product": found.product_id,
        "price": found.unit_price_cents,
        "lot": found.lot or "",
    }
    row = session.execute(_same, same).one_or_none()
    if row is None:
        return None
    _put_quantity(session, basket_id, row.id, row.quantity_milli + found.quantity_milli)
    return int(row.id)


def _put_quantity(session: Session, basket_id: int, line_id: int, quantity_milli: int) -> None:
    _check_quantity(Unit.PIECE, quantity_milli)
    session.execute(_set_quantity, {"basket": basket_id, "line": line_id, "quantity": quantity_milli})


def _check_quantity(unit: Unit, quantity_milli: int) -> None:
    if unit is Unit.PIECE and quantity_milli > rules.MOST_PIECES * 1000:
        raise TooManyError(most=rules.MOST_PIECES)
    if quantity_milli > max(rules.MOST_LOOSE_MILLI, rules.MOST_PIECES * 1000):
        raise TooManyError(most=rules.MOST_LOOSE_MILLI // 1000)


def _check_total(session: Session, basket_id: int) -> None:
    cents = sum(
        line_total_cents(row.unit_price_cents, row.quantity_milli)
        if row.fixed_total_cents is None
        else row.fixed_total_cents
        for row in session.execute(_sums, {"basket": basket_id})
    )
    if cents > rules.largest_basket_cents():
        raise TooExpensiveError(most_euro=rules.largest_basket_cents() // 100)


def refuse_for_age(session: Session, site_id: int, kiosk_id: int | None, goods: Iterable[FoundProduct]) -> None:
    """Log that goods were refused for lack of a verified age, without the person, and refuse.

    Call it before anything was written.

    Raises:
        AgeNotProvenError: always.
    """
    refused = list(goods)
    with in_own_transaction(session) as own:
        now = clock.now()
        own.execute(
            insert(AgeRefusal),
            [
                {
                    "site_id": site_id,
                    "kiosk_id": kiosk_id,
                    "product_id": it.product_id,
                    "min_age": it.min_age,
                    "at": now,
                }
                for it in refused
            ],
        )
    raise AgeNotProvenError(min_age=max(it.min_age for it in refused), products=[it.name for it in refused])


def _changes(row: Any, card: FoundProduct) -> Iterable[dict[str, Any]]:
    """Yield what a line and its deposit must become at today's prices. A price printed on the label holds."""
    if row.fixed_total_cents is None and row.unit_price_cents != card.unit_price_cents:
        yield {
            "where": _lines.c.id == row.id,
            "unit_price_cents": card.unit_price_cents,
            "price_before_cents": row.unit_price_cents,
            "base_price_cents": card.base_price.cents if card.base_price else None,
        }


def _values(line: Line, shown: FoundProduct) -> dict[str, Any]:
    return {
        "kind": line.kind,
        "product_id": line.product_id,
        "name": line.name,
        "name_en": line.name_en,
        "group_symbol": shown.group_symbol,
        "unit": line.unit,
        "quantity_milli": line.quantity_milli,
        "unit_price_cents": line.unit_price_cents,
        "fixed_total_cents": line.fixed_total_cents,
        "price_before_cents": None,
        "vat_permille": line.vat_permille,
        "min_age": line.min_age,
        "stock_policy": line.stock_policy,
        "base_price_cents": line.base_price_cents,
        "base_unit": line.base_unit,
        "deposit_type_id": line.deposit_type_id,
        "lot": line.lot,
        "best_before": shown.best_before,
    }
