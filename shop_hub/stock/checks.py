"""`shop-hub verify`: levels are the sums of their moves, those of the lots too."""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import ColumnElement, func, select, union_all
from sqlalchemy.orm import Session

from shop_hub.core.verify import Check, Deviation
from shop_hub.stock.models import LotLevel, StockLevel, StockMove


def levels_are_sums(session: Session) -> Iterator[Deviation]:
    """Recompute every level from all moves."""
    sums = _sums(session, StockMove.product_id)
    kept = session.execute(select(StockLevel.location_id, StockLevel.product_id, StockLevel.on_hand_milli))
    yield from _differences("stock-level", sums, {(row[0], row[1]): row[2] for row in kept})


def lot_levels_are_sums(session: Session) -> Iterator[Deviation]:
    """Recompute what is left of every lot."""
    sums = _sums(session, StockMove.lot_id, StockMove.lot_id.is_not(None))
    kept = session.execute(select(LotLevel.location_id, LotLevel.lot_id, LotLevel.on_hand_milli))
    yield from _differences("lot-level", sums, {(row[0], row[1]): row[2] for row in kept})


CHECKS: tuple[Check, ...] = (levels_are_sums, lot_levels_are_sums)


def _sums(session: Session, thing: Any, *where: ColumnElement[bool]) -> dict[tuple[int, int], int]:
    ends = union_all(
        select(StockMove.to_id.label("place"), thing.label("thing"), StockMove.quantity_milli.label("milli")).where(
            StockMove.to_id.is_not(None), *where
        ),
        select(StockMove.from_id, thing, -StockMove.quantity_milli).where(StockMove.from_id.is_not(None), *where),
    ).subquery()
    rows = session.execute(
        select(ends.c.place, ends.c.thing, func.sum(ends.c.milli)).group_by(ends.c.place, ends.c.thing)
    )
    return {(row[0], row[1]): int(row[2]) for row in rows}


def _differences(
    check: str, expected: dict[tuple[int, int], int], found: dict[tuple[int, int], int]
) -> Iterator[Deviation]:
    for key in sorted(expected.keys() | found.keys()):
        if expected.get(key, 0) != found.get(key, 0):
            yield Deviation(check, f"{key[0]}/{key[1]}", str(expected.get(key, 0)), str(found.get(key, 0)))
