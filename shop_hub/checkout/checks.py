"""What `shop-hub verify` recomputes of sales: numbers, lines, ledger and stock of each agree."""

from collections.abc import Iterator

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from shop_hub.checkout.models import LineKind, Register, Sale, SaleLine, SaleState
from shop_hub.core.verify import Check, Deviation
from shop_hub.ledger.models import LedgerEntry, LedgerPosting
from shop_hub.stock.models import StockMove


def receipt_numbers_are_gapless(session: Session) -> Iterator[Deviation]:
    """Each register has given the numbers 1 to its last, each once."""
    given: dict[tuple[int, str], tuple[int, int, int]] = {}
    numbers = (
        select(
            Sale.site_id,
            Sale.register_code,
            func.count(Sale.receipt_number),
            func.min(Sale.receipt_number),
            func.max(Sale.receipt_number),
        )
        .where(Sale.receipt_number.is_not(None))
        .group_by(Sale.site_id, Sale.register_code)
    )
    for site_id, code, count, first, last in session.execute(numbers):
        given[site_id, code] = (count, first or 0, last or 0)
    known = {(row.site_id, row.code): row.last_number for row in session.scalars(select(Register))}
    for key in sorted(given.keys() | known.keys()):
        expected = (known.get(key, 0), 1, known.get(key, 0))
        if given.get(key) != expected:
            thing = f"site:{key[0]} register:{key[1]}"
            yield Deviation("receipt-numbers", thing, _numbers(expected), _numbers(given.get(key, (0, 0, 0))))


def totals_match_lines(session: Session) -> Iterator[Deviation]:
    """The total of each receipt is the sum of its lines."""
    lines = func.coalesce(func.sum(SaleLine.total_cents), 0)
    rows = session.execute(
        select(Sale.public_id, Sale.total_cents, lines.label("lines"))
        .outerjoin(SaleLine, SaleLine.sale_id == Sale.id)
        .where(Sale.state == SaleState.DONE)
        .group_by(Sale.id, Sale.public_id, Sale.total_cents)
        .having(Sale.total_cents != lines)
    )
    for row in rows:
        yield Deviation("sale-total", f"sale:{row.public_id}", str(row.total_cents), str(row.lines))


def sales_are_booked(session: Session) -> Iterator[Deviation]:
    """Each receipt has the ledger entry of its amount, and no other sale has one."""
    booked = {
        (row.site_id, row.ref): int(row.cents)
        for row in session.execute(
            select(LedgerEntry.site_id, LedgerEntry.ref, func.sum(LedgerPosting.cents).label("cents"))
            .join(LedgerPosting, LedgerPosting.entry_id == LedgerEntry.id)
            .where(LedgerEntry.kind == "sale", LedgerPosting.cents > 0)
            .group_by(LedgerEntry.site_id, LedgerEntry.ref)
        )
    }
    done = {
        (row.site_id, str(row.public_id)): row.total_cents
        for row in session.execute(
            select(Sale.site_id, Sale.public_id, Sale.total_cents).where(
                Sale.state == SaleState.DONE, Sale.reverses_id.is_(None), Sale.total_cents > 0
            )
        )
    }
    for key in sorted(booked.keys() | done.keys()):
        if booked.get(key) != done.get(key):
            yield Deviation("sale-booked", f"sale:{key[1]}", str(done.get(key)), str(booked.get(key)))


def goods_have_left(session: Session) -> Iterator[Deviation]:
    """For each product, what receipts say is what moves say."""
    sold = _by_product(
        session,
        select(SaleLine.site_id, SaleLine.product_id, func.sum(SaleLine.quantity_milli))
        .where(SaleLine.kind == LineKind.GOODS)
        .group_by(SaleLine.site_id, SaleLine.product_id),
    )
    done = select(Sale.id, Sale.public_id).where(Sale.state == SaleState.DONE)
    refs = {f"sale:{row.public_id}" for row in session.execute(done)}
    moved: dict[tuple[int, int], int] = {}
    moves = select(StockMove).where(StockMove.ref.like("sale:%"))
    for move in session.scalars(moves).yield_per(1000):
        if move.ref in refs:
            sign = -1 if move.reverses_id is not None else 1
            key = (move.site_id, move.product_id)
            moved[key] = moved.get(key, 0) + sign * move.quantity_milli
    for key in sorted(sold.keys() | moved.keys()):
        if sold.get(key, 0) != moved.get(key, 0):
            thing = f"site:{key[0]} product:{key[1]}"
            yield Deviation("sale-stock", thing, str(sold.get(key, 0)), str(moved.get(key, 0)))


def _by_product(session: Session, statement: object) -> dict[tuple[int, int], int]:
    return {(row[0], row[1]): int(row[2]) for row in session.execute(statement)}  # type: ignore[call-overload]


def _numbers(values: tuple[int, int, int]) -> str:
    count, first, last = values
    return f"{count} from {first} to {last}"


CHECKS: tuple[Check, ...] = (receipt_numbers_are_gapless, totals_match_lines, sales_are_booked, goods_have_left)
