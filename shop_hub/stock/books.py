"""How goods move: levels, lots and the move itself change in one transaction. Used by the verbs of stock.

The level is changed first. On PostgreSQL its row stays locked until the end of the transaction, so that what follows
(which lot is next, is a count task due) cannot be overtaken; on SQLite there is one writer at a time anyway.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, cast

from sqlalchemy import Table, bindparam, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from shop_hub.core import clock
from shop_hub.core.prepared import Prepared, among
from shop_hub.stock import tasks
from shop_hub.stock.errors import BadQuantityError, OutOfStockError
from shop_hub.stock.models import Lot, LotLevel, MoveReason, StockLevel, StockMove

MOST_MILLI = 100_000_000
FAR = date.max


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """Goods to move. `is_hard`: the books decide whether there are enough. `lot_id`: the lot that is known."""

    product_id: int
    quantity_milli: int
    is_hard: bool = False
    lot_id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Booking:
    """What the moves of one act have in common. Locations: None is outside the books."""

    site_id: int
    reason: MoveReason
    actor: str
    from_id: int | None = None
    to_id: int | None = None
    to_is_hard: bool = False
    ref: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class _Part:
    product_id: int
    lot_id: int | None
    quantity_milli: int


def book(session: Session, booking: Booking, lines: Sequence[Line]) -> None:
    """Move goods.

    Raises:
        OutOfStockError: a hard line finds too few; the caller's transaction must be rolled back.
        BadQuantityError: not above zero, or beyond all reason.
    """
    if not lines or any(not 0 < line.quantity_milli <= MOST_MILLI for line in lines):
        raise BadQuantityError
    lines = sorted(lines, key=lambda line: line.product_id)  # one order for all: no deadlock
    parts = [_Part(line.product_id, line.lot_id, line.quantity_milli) for line in lines]
    if booking.from_id is not None:
        _lower(session, booking, lines)
        parts = _take_from_lots(session, booking.from_id, lines)
    if booking.to_id is not None:
        after = _raise(session, booking, lines)
        if booking.from_id is None:
            parts = _without_sold(parts, after)
        _add_to_lots(session, booking, parts)
    _write_moves(session, booking, parts)


def add_level(session: Session, site_id: int, location_id: int, product_id: int, *, delta: int, is_hard: bool) -> int:
    """Change a level and return what it is then; a delta of 0 locks and reads it.

    Not for lowering a hard level: both databases test CHECK on the row to be inserted, before they see the conflict.
    """
    row = {
        "site_id": site_id,
        "location_id": location_id,
        "product_id": product_id,
        "is_hard": is_hard,
        "on_hand_milli": delta,
    }
    return int(_ADD_LEVEL.value(session, row))


def take_level(session: Session, location_id: int, product_id: int, quantity_milli: int) -> None:
    """Lower a level if it is high enough, in one UPDATE.

    Raises:
        OutOfStockError: it is not; nothing has changed.
    """
    values = {"location": location_id, "product": product_id, "quantity": quantity_milli}
    if not _TAKE_HARD.run(session, values):
        raise OutOfStockError(product_id=product_id, wanted_milli=quantity_milli)


def _lower(session: Session, booking: Booking, lines: Sequence[Line]) -> None:
    soft = _sums(line for line in lines if not line.is_hard)
    if soft:
        location = cast("int", booking.from_id)
        rows = [_level_row(booking, location, product, -quantity, is_hard=False) for product, quantity in soft.items()]
        _UPSERT_LEVEL.run_many(session, rows)
        below_zero = _BELOW_ZERO.all(session, {"location": location, "products": soft})
        tasks.open_counts(session, booking.site_id, location, [level.product_id for level in below_zero])
    for product_id, quantity in _sums(line for line in lines if line.is_hard).items():
        take_level(session, cast("int", booking.from_id), product_id, quantity)


def _raise(session: Session, booking: Booking, lines: Sequence[Line]) -> dict[int, int]:
    rows = [
        _level_row(booking, cast("int", booking.to_id), *item, is_hard=booking.to_is_hard)
        for item in _sums(lines).items()
    ]
    _UPSERT_LEVEL.run_many(session, rows)
    where = {"location": booking.to_id, "products": [row["product_id"] for row in rows]}
    return {row.product_id: row.on_hand_milli for row in _LEVELS.all(session, where)}


def _sums(lines: Iterable[Line]) -> dict[int, int]:
    sums: dict[int, int] = {}
    for line in lines:
        sums[line.product_id] = sums.get(line.product_id, 0) + line.quantity_milli
    return sums


def _level_row(booking: Booking, location_id: int, product_id: int, delta: int, *, is_hard: bool) -> dict[str, Any]:
    return {
        "site_id": booking.site_id,
        "location_id": location_id,
        "product_id": product_id,
        "is_hard": is_hard,
        "on_hand_milli": delta,
    }


def _take_from_lots(session: Session, location_id: int, lines: Sequence[Line]) -> list[_Part]:
    """Choose lots: the known one first, then the earliest date (FEFO), then the oldest; the rest has no known lot."""
    wanted = {"location": location_id, "products": sorted({line.product_id for line in lines})}
    lots: dict[int, list[list[Any]]] = {}
    for row in _LOTS.all(session, wanted):
        lots.setdefault(row.product_id, []).append(
            [row.use_by or row.best_before or FAR, row.lot_id, row.on_hand_milli]
        )
    parts: list[_Part] = []
    for line in lines:
        parts += _choose(line, lots.get(line.product_id, []))
    lowered = [
        {"location": location_id, "lot": part.lot_id, "quantity": part.quantity_milli}
        for part in parts
        if part.lot_id is not None
    ]
    if lowered:
        _LOWER_LOT.run_many(session, lowered)
    return parts


def _choose(line: Line, lots: list[list[Any]]) -> list[_Part]:
    parts, left = [], line.quantity_milli
    for lot in sorted(lots, key=lambda lot: (lot[1] != line.lot_id, lot[0], lot[1])):
        taken = min(left, lot[2])
        if taken > 0:
            lot[2] -= taken
            left -= taken
            parts.append(_Part(line.product_id, lot[1], taken))
    if left:
        parts.append(_Part(line.product_id, None, left))
    return parts


def _without_sold(parts: Sequence[_Part], after: dict[int, int]) -> list[_Part]:
    """Name no lot for what fills a level below zero: those goods were sold before they were booked."""
    split: list[_Part] = []
    for part in parts:
        here = max(0, min(part.quantity_milli, after[part.product_id]))
        if part.lot_id is None or here == part.quantity_milli:
            split.append(part)
            continue
        split.append(_Part(part.product_id, None, part.quantity_milli - here))
        if here:
            split.append(_Part(part.product_id, part.lot_id, here))
    return split


def _add_to_lots(session: Session, booking: Booking, parts: Sequence[_Part]) -> None:
    for part in parts:
        if part.lot_id is not None:
            add_lot_level(session, booking.site_id, cast("int", booking.to_id), part.lot_id, part.quantity_milli)


def add_lot_level(session: Session, site_id: int, location_id: int, lot_id: int, delta: int) -> None:
    """Change what is left of a lot at a location."""
    product = select(Lot.product_id).where(Lot.id == lot_id).scalar_subquery()
    values = {"site_id": site_id, "location_id": location_id, "lot_id": lot_id, "product_id": product}
    statement = _insert(session)(LotLevel).values(**values, on_hand_milli=delta)
    session.execute(
        statement.on_conflict_do_update(
            index_elements=["location_id", "lot_id"],
            set_={"on_hand_milli": LotLevel.on_hand_milli + statement.excluded.on_hand_milli},
        )
    )


def _write_moves(session: Session, booking: Booking, parts: Sequence[_Part]) -> None:
    now = clock.now()
    _MOVE.run_many(
        session,
        [
            {
                "site_id": booking.site_id,
                "product_id": part.product_id,
                "lot_id": part.lot_id,
                "from_id": booking.from_id,
                "to_id": booking.to_id,
                "quantity_milli": part.quantity_milli,
                "reason": booking.reason,
                "ref": booking.ref,
                "note": booking.note,
                "actor": booking.actor,
                "created_at": now,
            }
            for part in parts
        ],
    )


def _insert(session: Session) -> Any:
    return sqlite.insert if session.info["database"].is_sqlite else postgresql.insert


def _build_upsert(dialect_insert: Any) -> Any:
    statement = dialect_insert(_level)
    return statement.on_conflict_do_update(
        index_elements=["location_id", "product_id"],
        set_={"on_hand_milli": _level.c.on_hand_milli + statement.excluded.on_hand_milli},
    )


_level = cast("Table", StockLevel.__table__)
_UPSERT_LEVEL = Prepared(_build_upsert)
_ADD_LEVEL = Prepared(lambda insert: _build_upsert(insert).returning(_level.c.on_hand_milli))
_levels = select(_level.c.product_id, _level.c.on_hand_milli).where(
    _level.c.location_id == bindparam("location"), among(_level.c.product_id, "products")
)
_LEVELS = Prepared(_levels)
_BELOW_ZERO = Prepared(_levels.where(_level.c.on_hand_milli < 0))
_TAKE_HARD = Prepared(
    update(_level)
    .where(
        _level.c.location_id == bindparam("location"),
        _level.c.product_id == bindparam("product"),
        _level.c.on_hand_milli >= bindparam("quantity"),
    )
    .values(on_hand_milli=_level.c.on_hand_milli - bindparam("quantity"))
)
_lot = cast("Table", Lot.__table__).c
_lots_left = cast("Table", LotLevel.__table__)
_LOTS = Prepared(
    select(_lots_left.c.product_id, _lots_left.c.lot_id, _lots_left.c.on_hand_milli, _lot.best_before, _lot.use_by)
    .join(Lot.__table__, _lot.id == _lots_left.c.lot_id)
    .where(
        _lots_left.c.location_id == bindparam("location"),
        among(_lots_left.c.product_id, "products"),
        _lots_left.c.on_hand_milli > 0,
    )
)
_LOWER_LOT = Prepared(
    update(_lots_left)
    .where(_lots_left.c.location_id == bindparam("location"), _lots_left.c.lot_id == bindparam("lot"))
    .values(on_hand_milli=_lots_left.c.on_hand_milli - bindparam("quantity"))
)
_MOVE = Prepared(insert(cast("Table", StockMove.__table__)))
