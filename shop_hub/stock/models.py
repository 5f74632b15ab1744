"""Tables of stock: locations, lots, append-only moves, and the levels that follow from them."""

from datetime import date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, ForeignKeyConstraint, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from shop_hub.catalog import models as _catalog  # noqa: F401 - tables here refer to product
from shop_hub.core.db import Base, BigKey, enum_column
from shop_hub.core.ids import uuid7
from shop_hub.core.triggers import append_only


class LocationKind(StrEnum):
    """Where goods lie. Of a slot or locker the books must never go below zero, of a shelf or store they may."""

    SHELF = "shelf"
    STORE = "store"
    SLOT = "slot"
    LOCKER = "locker"


HARD_KINDS = frozenset({LocationKind.SLOT, LocationKind.LOCKER})


class MoveReason(StrEnum):
    """Why goods moved. Except for TRANSFER and REVERSAL one end of the move is outside the books."""

    RECEIPT = "receipt"
    SALE = "sale"
    RETURN = "return"
    WASTE = "waste"
    EXPIRED = "expired"
    THEFT = "theft"
    OWN_USE = "own_use"
    COUNT = "count"
    TRANSFER = "transfer"
    REVERSAL = "reversal"


class TaskKind(StrEnum):
    """What someone should do at the shelf."""

    COUNT = "count"
    PULL = "pull"
    UNKNOWN_CODE = "unknown_code"


class TaskState(StrEnum):
    """Life of a task."""

    OPEN = "open"
    DONE = "done"
    DISMISSED = "dismissed"


class Location(Base):
    """A place of a site where goods lie. The shelf is one place in the books; `Assortment.place` names the board."""

    __tablename__ = "location"
    __table_args__ = (
        UniqueConstraint("site_id", "id"),
        UniqueConstraint("site_id", "kind", "name"),
        Index(
            "ix_location_one_shelf",
            "site_id",
            unique=True,
            sqlite_where=text("kind = 'shelf'"),
            postgresql_where=text("kind = 'shelf'"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    public_id: Mapped[UUID] = mapped_column(unique=True, default=uuid7)
    site_id: Mapped[int] = mapped_column(ForeignKey("site.id"))
    kind: Mapped[LocationKind] = mapped_column(enum_column(LocationKind))
    name: Mapped[str]


class Assortment(Base):
    """What a site wants of a product: between which quantities, and on which board it lies."""

    __tablename__ = "assortment"
    __table_args__ = (
        CheckConstraint("min_milli >= 0", name="min"),
        CheckConstraint("max_milli >= min_milli", name="max"),
    )

    site_id: Mapped[int] = mapped_column(ForeignKey("site.id"), primary_key=True)
    product_id: Mapped[int] = mapped_column(ForeignKey("product.id"), primary_key=True)
    min_milli: Mapped[int] = mapped_column(default=0)
    max_milli: Mapped[int | None]
    place: Mapped[str] = mapped_column(default="")


class Lot(Base):
    """Goods of one batch. `key` makes the same batch one row: a UNIQUE over nullable columns guards nothing."""

    __tablename__ = "lot"
    __table_args__ = (
        UniqueConstraint("site_id", "id"),
        UniqueConstraint("site_id", "product_id", "key"),
        CheckConstraint("best_before IS NULL OR use_by IS NULL", name="one_date"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    site_id: Mapped[int] = mapped_column(ForeignKey("site.id"))
    product_id: Mapped[int] = mapped_column(ForeignKey("product.id"))
    key: Mapped[str]
    code: Mapped[str] = mapped_column(default="")
    best_before: Mapped[date | None]
    use_by: Mapped[date | None]
    created_at: Mapped[datetime]


class StockLevel(Base):
    """What lies where, in thousandths: the sum of all moves, changed in the transaction of each move."""

    __tablename__ = "stock_level"
    __table_args__ = (
        ForeignKeyConstraint(["site_id", "location_id"], ["location.site_id", "location.id"]),
        CheckConstraint("on_hand_milli >= 0 OR NOT is_hard", name="never_below_zero"),
        Index("ix_stock_level_product", "site_id", "product_id"),
    )

    location_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    product_id: Mapped[int] = mapped_column(ForeignKey("product.id"), primary_key=True)
    site_id: Mapped[int]
    is_hard: Mapped[bool]
    on_hand_milli: Mapped[int] = mapped_column(BigInteger)


class LotLevel(Base):
    """What is left of a lot at a location. Goods without a known lot appear in StockLevel only.

    Sales never take a lot below zero; undoing a receipt of which some was sold may.
    """

    __tablename__ = "lot_level"
    __table_args__ = (
        ForeignKeyConstraint(["site_id", "location_id"], ["location.site_id", "location.id"]),
        ForeignKeyConstraint(["site_id", "lot_id"], ["lot.site_id", "lot.id"]),
        Index("ix_lot_level_product", "location_id", "product_id"),
    )

    location_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    lot_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    site_id: Mapped[int]
    product_id: Mapped[int] = mapped_column(ForeignKey("product.id"))
    on_hand_milli: Mapped[int] = mapped_column(BigInteger)


class StockMove(Base):
    """Goods going from one location to another; None is outside the books. Never changed: a mistake is moved back."""

    __tablename__ = "stock_move"
    __table_args__ = (
        UniqueConstraint("reverses_id"),
        ForeignKeyConstraint(["site_id", "from_id"], ["location.site_id", "location.id"]),
        ForeignKeyConstraint(["site_id", "to_id"], ["location.site_id", "location.id"]),
        ForeignKeyConstraint(["site_id", "lot_id"], ["lot.site_id", "lot.id"]),
        CheckConstraint("quantity_milli > 0", name="quantity"),
        CheckConstraint("from_id IS NOT NULL OR to_id IS NOT NULL", name="somewhere"),
        CheckConstraint("from_id <> to_id", name="elsewhere"),
        CheckConstraint("(reason = 'reversal') = (reverses_id IS NOT NULL)", name="reversal"),
        Index("ix_stock_move_product", "site_id", "product_id", "id"),
        Index("ix_stock_move_ref", "site_id", "ref"),
    )

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    site_id: Mapped[int] = mapped_column(ForeignKey("site.id"))
    product_id: Mapped[int] = mapped_column(ForeignKey("product.id"))
    lot_id: Mapped[int | None]
    from_id: Mapped[int | None]
    to_id: Mapped[int | None]
    quantity_milli: Mapped[int] = mapped_column(BigInteger)
    reason: Mapped[MoveReason] = mapped_column(enum_column(MoveReason))
    ref: Mapped[str] = mapped_column(default="")
    note: Mapped[str] = mapped_column(default="")
    actor: Mapped[str]
    created_at: Mapped[datetime]
    reverses_id: Mapped[int | None] = mapped_column(BigKey, ForeignKey("stock_move.id"))


append_only(StockMove.__table__)


class Supplier(Base):
    """Who delivers goods. Global: several shops may share one."""

    __tablename__ = "supplier"
    __table_args__ = (CheckConstraint("length(name) BETWEEN 1 AND 200", name="name"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    public_id: Mapped[UUID] = mapped_column(unique=True, default=uuid7)
    name: Mapped[str] = mapped_column(unique=True)
    email: Mapped[str] = mapped_column(default="")
    phone: Mapped[str] = mapped_column(default="")
    is_active: Mapped[bool] = mapped_column(default=True)


class ReceiptState(StrEnum):
    """Life of a goods receipt."""

    OPEN = "open"
    BOOKED = "booked"
    UNDONE = "undone"


class GoodsReceipt(Base):
    """A delivery. A delivery note is booked once: `delivery_note` is kept in capitals, without spaces."""

    __tablename__ = "goods_receipt"
    __table_args__ = (
        UniqueConstraint("site_id", "id"),
        Index(
            "ix_goods_receipt_note",
            "supplier_id",
            "delivery_note",
            unique=True,
            sqlite_where=text("state <> 'undone'"),
            postgresql_where=text("state <> 'undone'"),
        ),
        Index("ix_goods_receipt_site", "site_id", "id"),
        CheckConstraint("length(delivery_note) BETWEEN 1 AND 60", name="delivery_note"),
        CheckConstraint("(state = 'open') = (booked_at IS NULL)", name="booked"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    public_id: Mapped[UUID] = mapped_column(unique=True, default=uuid7)
    site_id: Mapped[int] = mapped_column(ForeignKey("site.id"))
    supplier_id: Mapped[int] = mapped_column(ForeignKey("supplier.id"))
    delivery_note: Mapped[str]
    state: Mapped[ReceiptState] = mapped_column(enum_column(ReceiptState), default=ReceiptState.OPEN)
    actor: Mapped[str]
    created_at: Mapped[datetime]
    booked_at: Mapped[datetime | None]


class GoodsReceiptLine(Base):
    """One article of a delivery: what came in good order, and what came broken and goes to waste at once."""

    __tablename__ = "goods_receipt_line"
    __table_args__ = (
        ForeignKeyConstraint(["site_id", "receipt_id"], ["goods_receipt.site_id", "goods_receipt.id"]),
        CheckConstraint("good_milli >= 0 AND broken_milli >= 0 AND good_milli + broken_milli > 0", name="quantity"),
        CheckConstraint("best_before IS NULL OR use_by IS NULL", name="one_date"),
        Index("ix_goods_receipt_line_receipt", "receipt_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    receipt_id: Mapped[int]
    site_id: Mapped[int]
    product_id: Mapped[int] = mapped_column(ForeignKey("product.id"))
    good_milli: Mapped[int] = mapped_column(BigInteger)
    broken_milli: Mapped[int] = mapped_column(BigInteger, default=0)
    lot_code: Mapped[str] = mapped_column(default="")
    best_before: Mapped[date | None]
    use_by: Mapped[date | None]


class Task(Base):
    """Something to do at the shelf; at most one open task of a kind per thing (`subject`)."""

    __tablename__ = "stock_task"
    __table_args__ = (
        Index(
            "ix_stock_task_open",
            "site_id",
            "kind",
            "subject",
            unique=True,
            sqlite_where=text("state = 'open'"),
            postgresql_where=text("state = 'open'"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    public_id: Mapped[UUID] = mapped_column(unique=True, default=uuid7)
    site_id: Mapped[int] = mapped_column(ForeignKey("site.id"))
    kind: Mapped[TaskKind] = mapped_column(enum_column(TaskKind))
    subject: Mapped[str]
    product_id: Mapped[int | None] = mapped_column(ForeignKey("product.id"))
    location_id: Mapped[int | None]
    detail: Mapped[dict[str, Any]] = mapped_column(default=dict)
    state: Mapped[TaskState] = mapped_column(enum_column(TaskState), default=TaskState.OPEN)
    created_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]
    closed_by: Mapped[str] = mapped_column(default="")
