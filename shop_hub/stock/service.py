"""Moving goods. Nothing here commits; a caller that is refused rolls its transaction back."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import cast

from sqlalchemy import Table, bindparam, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from shop_hub.core import audit, clock, events
from shop_hub.core.ids import uuid7
from shop_hub.core.prepared import Prepared
from shop_hub.stock import books, tasks
from shop_hub.stock.books import Booking, Line
from shop_hub.stock.errors import (
    AlreadyReversedError,
    BadLotError,
    BadQuantityError,
    UnknownLocationError,
    UnknownMoveError,
)
from shop_hub.stock.models import (
    HARD_KINDS,
    Assortment,
    Location,
    LocationKind,
    Lot,
    MoveReason,
    StockMove,
)

SHELF = "Laden"


@dataclass(frozen=True, kw_only=True)
class NewLot:
    """A batch as printed on the goods: at most one of the two dates."""

    code: str = ""
    best_before: date | None = None
    use_by: date | None = None


def shelf(session: Session, site_id: int) -> int:
    """Return the location where customers take goods from; made at first use."""
    found = _SHELF.value(session, {"site_id": site_id})
    return found or put_location(session, site_id, LocationKind.SHELF, SHELF)


def put_location(session: Session, site_id: int, kind: LocationKind, name: str) -> int:
    """Return the location of this kind and name at a site; made at first use."""
    values = {"site_id": site_id, "kind": kind, "name": name, "public_id": uuid7()}
    session.execute(insert(session)(Location).values(values).on_conflict_do_nothing())
    where = (Location.site_id == site_id, Location.kind == kind, Location.name == name)
    return int(session.scalars(select(Location.id).where(*where)).one())


def take_soft(
    session: Session, site_id: int, product_id: int, quantity_milli: int, *, reason: MoveReason, ref: str, actor: str
) -> None:
    """Take goods from the shelf which the customer holds in the hand: never refused.

    The books may go below zero; then one count task is opened (decisions.md 10).

    Args:
        quantity_milli: thousandths of the product's unit, at least 1.
        ref: what it belongs to, e.g. "sale:12"; `put_back_ref` finds the moves by it.

    Raises:
        BadQuantityError: not above zero.
    """
    take_lines(
        session,
        site_id,
        [Line(product_id=product_id, quantity_milli=quantity_milli)],
        reason=reason,
        ref=ref,
        actor=actor,
    )


def take_lines(
    session: Session, site_id: int, lines: Sequence[Line], *, reason: MoveReason, ref: str, actor: str
) -> None:
    """Take the goods of a whole basket from the shelf, in four statements however long it is.

    Raises:
        OutOfStockError: a hard line finds too few; roll the whole transaction back.
        BadQuantityError: not above zero.
    """
    booking = Booking(site_id=site_id, reason=reason, actor=actor, from_id=shelf(session, site_id), ref=ref)
    books.book(session, booking, lines)


def take_hard(
    session: Session,
    location_id: int,
    product_id: int,
    quantity_milli: int,
    *,
    reason: MoveReason,
    ref: str,
    actor: str,
) -> None:
    """Take goods of which the books must never go below zero (slots, lockers, reserved pieces).

    Safe under concurrency: the level is checked and lowered by one UPDATE.

    Raises:
        OutOfStockError: fewer are left; nothing has changed.
    """
    place = _place(session, location_id)
    booking = Booking(site_id=place.site_id, reason=reason, actor=actor, from_id=location_id, ref=ref)
    books.book(session, booking, [Line(product_id=product_id, quantity_milli=quantity_milli, is_hard=True)])


def receive(
    session: Session,
    site_id: int,
    product_id: int,
    quantity_milli: int,
    *,
    lot: NewLot | None = None,
    actor: str,
    ref: str = "",
    location_id: int | None = None,
) -> None:
    """Bring goods from outside to the shelf, or to another location of the site.

    Raises:
        BadQuantityError: not above zero.
        BadLotError: two dates.
    """
    target = _place(session, location_id or shelf(session, site_id), site_id)
    lot_id = put_lot(session, site_id, product_id, lot) if lot else None
    booking = Booking(
        site_id=site_id,
        reason=MoveReason.RECEIPT,
        actor=actor,
        to_id=target.id,
        to_is_hard=target.kind in HARD_KINDS,
        ref=ref,
    )
    books.book(session, booking, [Line(product_id=product_id, quantity_milli=quantity_milli, lot_id=lot_id)])
    events.publish(session, "stock", site_id, product=product_id)


def move(
    session: Session,
    from_id: int,
    to_id: int,
    product_id: int,
    quantity_milli: int,
    *,
    actor: str,
    ref: str = "",
) -> None:
    """Carry goods between two locations of a site, e.g. from the shelf into a slot; lots go along.

    Raises:
        OutOfStockError: a slot or locker holds fewer.
        UnknownLocationError: the locations are the same, or of different sites.
    """
    source = _place(session, from_id)
    target = _place(session, to_id, source.site_id)
    if from_id == to_id:
        raise UnknownLocationError
    booking = Booking(
        site_id=source.site_id,
        reason=MoveReason.TRANSFER,
        actor=actor,
        from_id=from_id,
        to_id=to_id,
        to_is_hard=target.kind in HARD_KINDS,
        ref=ref,
    )
    is_hard = source.kind in HARD_KINDS
    books.book(session, booking, [Line(product_id=product_id, quantity_milli=quantity_milli, is_hard=is_hard)])


def put_back(session: Session, move_id: int, *, actor: str, ref: str = "") -> None:
    """Undo a move by its opposite: same goods, same lot, other direction; each move at most once.

    Raises:
        UnknownMoveError: there is none, or it is itself a reversal.
        AlreadyReversedError: it was undone before.
        OutOfStockError: the goods have left a slot or locker meanwhile.
    """
    done = session.get(StockMove, move_id)
    if done is None or done.reverses_id is not None:
        raise UnknownMoveError
    values = {
        "site_id": done.site_id,
        "product_id": done.product_id,
        "lot_id": done.lot_id,
        "from_id": done.to_id,
        "to_id": done.from_id,
        "quantity_milli": done.quantity_milli,
        "reason": MoveReason.REVERSAL,
        "ref": ref or done.ref,
        "note": "",
        "actor": actor,
        "created_at": clock.now(),
        "reverses_id": move_id,
    }
    statement = insert(session)(StockMove).values(values).on_conflict_do_nothing(index_elements=["reverses_id"])
    if session.execute(statement.returning(StockMove.id)).one_or_none() is None:
        raise AlreadyReversedError
    for location_id, sign in sorted([(done.to_id, -1), (done.from_id, 1)], key=lambda end: end[0] or 0):
        if location_id is not None:
            _add(session, done, location_id, sign * done.quantity_milli)


def put_back_ref(session: Session, site_id: int, ref: str, *, actor: str) -> None:
    """Undo all moves of a thing, e.g. of "sale:12".

    Raises:
        UnknownMoveError: nothing was moved for it.
        AlreadyReversedError: it was undone before, in whole or in part; nothing may be kept of this call.
    """
    moves = session.scalars(
        select(StockMove.id)
        .where(StockMove.site_id == site_id, StockMove.ref == ref, StockMove.reverses_id.is_(None))
        .order_by(StockMove.product_id, StockMove.id)
    ).all()
    if not moves:
        raise UnknownMoveError
    for move_id in moves:
        put_back(session, move_id, actor=actor)


def correct(
    session: Session,
    site_id: int,
    product_id: int,
    *,
    counted_milli: int,
    actor: str,
    reason: MoveReason = MoveReason.COUNT,
    location_id: int | None = None,
    note: str = "",
) -> int:
    """Bring a level to what was counted just now, and end the open count task.

    Returns:
        The difference booked, in thousandths: counted minus books.

    Raises:
        BadQuantityError: a negative count.
    """
    place = _place(session, location_id or shelf(session, site_id), site_id)
    if not 0 <= counted_milli <= books.MOST_MILLI:
        raise BadQuantityError
    is_hard = place.kind in HARD_KINDS
    before = books.add_level(session, site_id, place.id, product_id, delta=0, is_hard=is_hard)
    difference = counted_milli - before
    if difference:
        booking = Booking(
            site_id=site_id,
            reason=reason,
            actor=actor,
            from_id=place.id if difference < 0 else None,
            to_id=place.id if difference > 0 else None,
            to_is_hard=is_hard,
            note=note,
        )
        books.book(session, booking, [Line(product_id=product_id, quantity_milli=abs(difference), is_hard=is_hard)])
    tasks.counted(session, site_id, place.id, product_id, actor=actor)
    events.publish(session, "stock", site_id, product=product_id)
    detail = {"location": place.id, "before_milli": before, "counted_milli": counted_milli, "reason": reason.value}
    audit.record(session, site_id, actor, "stock-corrected", f"product:{product_id}", **detail)
    return difference


def waste(
    session: Session,
    site_id: int,
    product_id: int,
    quantity_milli: int,
    *,
    actor: str,
    reason: MoveReason = MoveReason.WASTE,
    location_id: int | None = None,
    lot_id: int | None = None,
    note: str = "",
) -> None:
    """Take goods out of the books that nobody will buy: broken, expired, eaten, stolen.

    Raises:
        BadQuantityError: not above zero.
        OutOfStockError: a slot or locker holds fewer.
    """
    place = _place(session, location_id or shelf(session, site_id), site_id)
    booking = Booking(site_id=site_id, reason=reason, actor=actor, from_id=place.id, note=note)
    line = Line(product_id=product_id, quantity_milli=quantity_milli, is_hard=place.kind in HARD_KINDS, lot_id=lot_id)
    books.book(session, booking, [line])
    events.publish(session, "stock", site_id, product=product_id)
    detail = {"quantity_milli": quantity_milli, "reason": reason.value, "location": place.id}
    audit.record(session, site_id, actor, "goods-wasted", f"product:{product_id}", **detail)


def put_lot(session: Session, site_id: int, product_id: int, lot: NewLot) -> int | None:
    """Return the id of a batch; the same batch is one row. None for a batch without number and date.

    Raises:
        BadLotError: both dates are given.
    """
    if lot.best_before and lot.use_by:
        raise BadLotError
    code = " ".join(lot.code.upper().split())[:40]
    if not (code or lot.best_before or lot.use_by):
        return None
    key = f"{code}|{lot.best_before or ''}|{lot.use_by or ''}"
    values = {"site_id": site_id, "product_id": product_id, "key": key, "code": code, "created_at": clock.now()}
    values |= {"best_before": lot.best_before, "use_by": lot.use_by}
    session.execute(insert(session)(Lot).values(values).on_conflict_do_nothing())
    return int(
        session.scalars(
            select(Lot.id).where(Lot.site_id == site_id, Lot.product_id == product_id, Lot.key == key)
        ).one()
    )


def set_assortment(
    session: Session,
    site_id: int,
    product_id: int,
    *,
    min_milli: int = 0,
    max_milli: int | None = None,
    place: str = "",
    actor: str = "system",
) -> None:
    """Say how much of a product a site wants to have, and on which board it lies.

    Raises:
        BadQuantityError: negative, or the most is less than the least.
    """
    if min_milli < 0 or (max_milli is not None and max_milli < min_milli):
        raise BadQuantityError
    row = Assortment(
        site_id=site_id, product_id=product_id, min_milli=min_milli, max_milli=max_milli, place=place.strip()[:60]
    )
    session.merge(row)
    session.flush()
    if actor != "system":
        detail = {"min_milli": min_milli, "max_milli": max_milli, "place": row.place}
        audit.record(session, site_id, actor, "assortment-set", f"product:{product_id}", **detail)


def _place(session: Session, location_id: int, site_id: int | None = None) -> Location:
    place = session.get(Location, location_id)
    if place is None or (site_id is not None and place.site_id != site_id):
        raise UnknownLocationError
    return place


def _add(session: Session, done: StockMove, location_id: int, delta: int) -> None:
    """Change level and lot by the reversal of a move."""
    is_hard = _place(session, location_id).kind in HARD_KINDS
    if is_hard and delta < 0:
        books.take_level(session, location_id, done.product_id, -delta)
    else:
        after = books.add_level(session, done.site_id, location_id, done.product_id, delta=delta, is_hard=is_hard)
        if after < 0:
            tasks.open_counts(session, done.site_id, location_id, [done.product_id])
    if done.lot_id is not None:
        books.add_lot_level(session, done.site_id, location_id, done.lot_id, delta)


def insert(session: Session) -> type[sqlite.Insert] | type[postgresql.Insert]:
    """Return the INSERT of the session's database that knows ON CONFLICT."""
    return sqlite.Insert if session.info["database"].is_sqlite else postgresql.Insert


_location = cast("Table", Location.__table__).c
_SHELF = Prepared(
    select(_location.id).where(_location.site_id == bindparam("site_id"), _location.kind == LocationKind.SHELF)
)
