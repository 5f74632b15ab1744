"""Reading stock: levels, what runs low, lots with their dates, moves, tasks."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import and_, bindparam, func, or_, select
from sqlalchemy.orm import Session

from shop_hub.stock.models import (
    Assortment,
    GoodsReceipt,
    GoodsReceiptLine,
    Location,
    LocationKind,
    Lot,
    LotLevel,
    MoveReason,
    ReceiptState,
    StockLevel,
    StockMove,
    Supplier,
    Task,
    TaskKind,
    TaskState,
)

MOST = 200
PAGE = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class LowProduct:
    """A product of which the site has no more than it wants at least, or fewer than none by the books."""

    product_id: int
    on_hand_milli: int
    min_milli: int
    max_milli: int | None
    place: str

    @property
    def missing_milli(self) -> int:
        """Return how much to order: up to the most, or to twice the least if no most is set."""
        return max(0, (self.max_milli or 2 * self.min_milli) - self.on_hand_milli)


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenTask:
    """Something to do at the shelf."""

    public_id: UUID
    kind: TaskKind
    product_id: int | None
    location_id: int | None
    detail: dict[str, Any]
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class LotLeft:
    """What is left of a lot at a location; the nearest date comes first."""

    product_id: int
    lot_id: int
    code: str
    best_before: date | None
    use_by: date | None
    on_hand_milli: int

    @property
    def day(self) -> date | None:
        """Return the date on the goods, whichever it is."""
        return self.use_by or self.best_before


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveSeen:
    """One move; `sign` is +1 if goods came into the books of the site, -1 if they left, 0 if they stayed inside."""

    id: int
    created_at: datetime
    reason: MoveReason
    quantity_milli: int
    sign: int
    lot_code: str
    lot_day: date | None
    actor: str
    ref: str
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What the site wants of a product, and where it lies."""

    min_milli: int = 0
    max_milli: int | None = None
    place: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """How much of a product lies at one location."""

    name: str
    kind: LocationKind
    on_hand_milli: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A goods receipt in a list."""

    id: int
    public_id: UUID
    supplier: str
    delivery_note: str
    state: ReceiptState
    created_at: datetime
    booked_at: datetime | None
    lines: int


@dataclass(frozen=True, slots=True)
class Deliveries:
    """A part of the list of deliveries; `before` asks for the following part."""

    items: list[Delivery]
    before: int | None


def level(session: Session, site_id: int, product_id: int) -> int:
    """Return what a site has of a product in all its locations, in thousandths; may be below zero."""
    return int(session.scalars(_LEVEL, {"site_id": site_id, "product_id": product_id}).one())


def levels(session: Session, site_id: int, product_ids: Iterable[int]) -> dict[int, int]:
    """Return what a site has of several products, in thousandths; 0 for those never seen."""
    ids = list(product_ids)
    rows = session.execute(_LEVELS, {"site_id": site_id, "ids": ids})
    found = {row.product_id: int(row.milli) for row in rows}
    return {product_id: found.get(product_id, 0) for product_id in ids}


def location_level(session: Session, location_id: int, product_id: int) -> int:
    """Return what lies at one location, in thousandths."""
    return session.scalar(_AT_LOCATION, {"location_id": location_id, "product_id": product_id}) or 0


def levels_at(session: Session, location_ids: Iterable[int]) -> dict[tuple[int, int], int]:
    """Return what lies at several locations, in thousandths, by (location, product)."""
    rows = session.execute(
        select(StockLevel.location_id, StockLevel.product_id, StockLevel.on_hand_milli).where(
            StockLevel.location_id.in_(list(location_ids))
        )
    )
    return {(row.location_id, row.product_id): row.on_hand_milli for row in rows}


def low_stock(session: Session, site_id: int, *, limit: int = MOST) -> list[LowProduct]:
    """Return what runs low, the emptiest first."""
    rows = session.execute(_LOW, {"site_id": site_id, "most": limit})
    return [
        LowProduct(
            product_id=row.product_id,
            on_hand_milli=int(row.on_hand),
            min_milli=row.min_milli or 0,
            max_milli=row.max_milli,
            place=row.place or "",
        )
        for row in rows
    ]


def open_tasks(session: Session, site_id: int, *, limit: int = MOST) -> list[OpenTask]:
    """Return open tasks, the oldest first."""
    rows = session.scalars(
        select(Task).where(Task.site_id == site_id, Task.state == TaskState.OPEN).order_by(Task.id).limit(limit)
    )
    return [
        OpenTask(
            public_id=row.public_id,
            kind=row.kind,
            product_id=row.product_id,
            location_id=row.location_id,
            detail=row.detail,
            created_at=row.created_at,
        )
        for row in rows
    ]


def count_tasks(session: Session, site_id: int) -> int:
    """Return how many tasks are open at a site."""
    return session.scalar(select(func.count()).where(Task.site_id == site_id, Task.state == TaskState.OPEN)) or 0


def lots(session: Session, site_id: int, product_id: int | None = None, *, until: date | None = None) -> list[LotLeft]:
    """Return what is left of lots, of one product or of all, optionally only those dated up to a day."""
    day = func.coalesce(Lot.use_by, Lot.best_before)
    statement = (
        select(
            Lot.product_id,
            Lot.id.label("lot_id"),
            Lot.code,
            Lot.best_before,
            Lot.use_by,
            func.sum(LotLevel.on_hand_milli).label("milli"),
        )
        .join(LotLevel, LotLevel.lot_id == Lot.id)
        .where(Lot.site_id == site_id, LotLevel.on_hand_milli > 0)
        .group_by(Lot.id)
        .order_by(day.is_(None), day, Lot.id)
        .limit(MOST)
    )
    if product_id is not None:
        statement = statement.where(Lot.product_id == product_id)
    if until is not None:
        statement = statement.where(day <= until)
    return [
        LotLeft(
            product_id=row.product_id,
            lot_id=row.lot_id,
            code=row.code,
            best_before=row.best_before,
            use_by=row.use_by,
            on_hand_milli=int(row.milli),
        )
        for row in session.execute(statement)
    ]


def moves(session: Session, site_id: int, product_id: int, *, limit: int = 50) -> list[MoveSeen]:
    """Return the newest moves of a product at a site."""
    rows = session.execute(
        select(StockMove, Lot.code, Lot.use_by, Lot.best_before)
        .outerjoin(Lot, Lot.id == StockMove.lot_id)
        .where(StockMove.site_id == site_id, StockMove.product_id == product_id)
        .order_by(StockMove.id.desc())
        .limit(limit)
    )
    return [
        MoveSeen(
            id=move.id,
            created_at=move.created_at,
            reason=move.reason,
            quantity_milli=move.quantity_milli,
            sign=(move.to_id is not None) - (move.from_id is not None),
            lot_code=code or "",
            lot_day=use_by or best_before,
            actor=move.actor,
            ref=move.ref,
            note=move.note,
        )
        for move, code, use_by, best_before in rows
    ]


def wanted(session: Session, site_id: int, product_id: int) -> Wanted:
    """Return what the site wants of a product."""
    row = session.get(Assortment, (site_id, product_id))
    return Wanted(min_milli=row.min_milli, max_milli=row.max_milli, place=row.place) if row else Wanted()


def suppliers(session: Session) -> list[Supplier]:
    """Return the suppliers in use, by name."""
    return list(session.scalars(select(Supplier).where(Supplier.is_active).order_by(Supplier.name)))


def supplier(session: Session, supplier_id: int) -> str:
    """Return the name of a supplier."""
    return session.get_one(Supplier, supplier_id).name


def deliveries(session: Session, site_id: int, *, before: int | None = None, limit: int = PAGE) -> Deliveries:
    """Return a part of a site's deliveries, the newest first."""
    lines = (
        select(func.count()).where(GoodsReceiptLine.receipt_id == GoodsReceipt.id).correlate(GoodsReceipt)
    ).scalar_subquery()
    statement = (
        select(GoodsReceipt, Supplier.name, lines.label("lines"))
        .join(Supplier, Supplier.id == GoodsReceipt.supplier_id)
        .where(GoodsReceipt.site_id == site_id)
        .order_by(GoodsReceipt.id.desc())
        .limit(limit + 1)
    )
    if before is not None:
        statement = statement.where(GoodsReceipt.id < before)
    found = [
        Delivery(
            id=row.id,
            public_id=row.public_id,
            supplier=name,
            delivery_note=row.delivery_note,
            state=row.state,
            created_at=row.created_at,
            booked_at=row.booked_at,
            lines=count,
        )
        for row, name, count in session.execute(statement)
    ]
    return Deliveries(found[:limit], found[limit - 1].id if len(found) > limit else None)


def places(session: Session, site_id: int, product_id: int) -> list[Place]:
    """Return where a product lies, the shelf first."""
    rows = session.execute(
        select(Location.name, Location.kind, StockLevel.on_hand_milli)
        .join(Location, Location.id == StockLevel.location_id)
        .where(StockLevel.site_id == site_id, StockLevel.product_id == product_id)
        .order_by(Location.id)
    )
    return [Place(name=row.name, kind=row.kind, on_hand_milli=row.on_hand_milli) for row in rows]


def shelf_level(session: Session, site_id: int, product_id: int) -> int:
    """Return what should lie on the shelf, in thousandths."""
    return sum(
        place.on_hand_milli for place in places(session, site_id, product_id) if place.kind == LocationKind.SHELF
    )


_LEVEL = select(func.coalesce(func.sum(StockLevel.on_hand_milli), 0)).where(
    StockLevel.site_id == bindparam("site_id"), StockLevel.product_id == bindparam("product_id")
)
_LEVELS = (
    select(StockLevel.product_id, func.sum(StockLevel.on_hand_milli).label("milli"))
    .where(StockLevel.site_id == bindparam("site_id"), StockLevel.product_id.in_(bindparam("ids", expanding=True)))
    .group_by(StockLevel.product_id)
)
_AT_LOCATION = select(StockLevel.on_hand_milli).where(
    StockLevel.location_id == bindparam("location_id"), StockLevel.product_id == bindparam("product_id")
)
_sums = (
    select(StockLevel.product_id, func.sum(StockLevel.on_hand_milli).label("milli"))
    .where(StockLevel.site_id == bindparam("site_id"))
    .group_by(StockLevel.product_id)
    .subquery()
)
_wishes = select(Assortment).where(Assortment.site_id == bindparam("site_id")).subquery()
_on_hand = func.coalesce(_sums.c.milli, 0)
_LOW = (
    select(
        func.coalesce(_wishes.c.product_id, _sums.c.product_id).label("product_id"),
        _on_hand.label("on_hand"),
        _wishes.c.min_milli,
        _wishes.c.max_milli,
        _wishes.c.place,
    )
    .select_from(_wishes.join(_sums, _sums.c.product_id == _wishes.c.product_id, full=True))
    .where(or_(_on_hand < 0, and_(_wishes.c.min_milli > 0, _on_hand <= _wishes.c.min_milli)))
    .order_by(_on_hand, "product_id")
    .limit(bindparam("most"))
)
