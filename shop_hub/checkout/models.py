"""Tables of the checkout: baskets, sales with gapless receipt numbers, refusals for age."""

from datetime import date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import (
    DDL,
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    UniqueConstraint,
    event,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from shop_hub.catalog.models import StockPolicy, Unit
from shop_hub.checkout import triggers
from shop_hub.core.db import Base, BigKey, enum_column
from shop_hub.core.ids import uuid7
from shop_hub.core.triggers import append_only


class Channel(StrEnum):
    """Where a sale is made."""

    KIOSK = "kiosk"
    API = "api"
    VENDING = "vending"


class Rail(StrEnum):
    """How it is paid."""

    ACCOUNT = "account"
    TERMINAL = "terminal"


class BasketState(StrEnum):
    """Life of a basket: open → paying → finalised; paying → open after a payment that failed."""

    OPEN = "open"
    PAYING = "paying"
    FINALISED = "finalised"
    ABANDONED = "abandoned"


class LineKind(StrEnum):
    """Goods, or the deposit (Pfand) of the goods that the line refers to."""

    GOODS = "goods"
    DEPOSIT = "deposit"


class SaleState(StrEnum):
    """The saga of trust.md section 4. DONE and VOID are ends; IN_REVIEW waits for a person."""

    NEW = "new"
    PAY_UNKNOWN = "pay_unknown"
    PAID = "paid"
    OUT = "out"
    ABORT = "abort"
    IN_REVIEW = "in_review"
    DONE = "done"
    VOID = "void"


_LIVE_BASKET = text("state <> 'void' AND basket_id IS NOT NULL")
_LIVE_REVERSAL = text("state <> 'void' AND reverses_id IS NOT NULL")


class Register(Base):
    """A series of receipts: the last number given. Numbers have no gaps and never come twice."""

    __tablename__ = "register"

    site_id: Mapped[int] = mapped_column(ForeignKey("site.id"), primary_key=True)
    code: Mapped[str] = mapped_column(primary_key=True)
    last_number: Mapped[int]


class Basket(Base):
    """What someone is about to buy. Prices hold until `quote_until`; `age_level` is proven for this basket only."""

    __tablename__ = "basket"
    __table_args__ = (
        UniqueConstraint("site_id", "id"),
        ForeignKeyConstraint(["site_id", "kiosk_id"], ["kiosk.site_id", "kiosk.id"]),
        CheckConstraint("age_level IN (0, 16, 18)", name="age_level"),
        Index("ix_basket_live", "state", "touched_at"),
    )

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    public_id: Mapped[UUID] = mapped_column(unique=True, default=uuid7)
    site_id: Mapped[int] = mapped_column(ForeignKey("site.id"))
    kiosk_id: Mapped[int | None]
    register_code: Mapped[str]
    """Series of its receipt, e.g. "K1"."""
    state: Mapped[BasketState] = mapped_column(enum_column(BasketState), default=BasketState.OPEN)
    age_level: Mapped[int] = mapped_column(default=0)
    quote_until: Mapped[datetime]
    created_at: Mapped[datetime]
    touched_at: Mapped[datetime]


class BasketLine(Base):
    """Goods or their deposit in a basket, with everything that was shown when they were added.

    `fixed_total_cents` is the price of the line where the scanned label bears it. `price_before_cents` is the price
    that was shown before, until the customer agrees to the new one.
    """

    __tablename__ = "basket_line"
    __table_args__ = (
        UniqueConstraint("basket_id", "id"),
        ForeignKeyConstraint(["site_id", "basket_id"], ["basket.site_id", "basket.id"]),
        ForeignKeyConstraint(
            ["basket_id", "refers_to_id"], ["basket_line.basket_id", "basket_line.id"], ondelete="CASCADE"
        ),
        CheckConstraint("quantity_milli > 0", name="quantity"),
        CheckConstraint("(kind = 'deposit') = (refers_to_id IS NOT NULL)", name="refers_to"),
        Index("ix_basket_line_basket", "basket_id", "id"),
    )

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    site_id: Mapped[int]
    basket_id: Mapped[int] = mapped_column(BigKey)
    kind: Mapped[LineKind] = mapped_column(enum_column(LineKind))
    refers_to_id: Mapped[int | None] = mapped_column(BigKey)
    product_id: Mapped[int] = mapped_column(ForeignKey("product.id"))
    name: Mapped[str]
    name_en: Mapped[str]
    group_symbol: Mapped[str]
    unit: Mapped[Unit] = mapped_column(enum_column(Unit))
    quantity_milli: Mapped[int]
    unit_price_cents: Mapped[int]
    fixed_total_cents: Mapped[int | None]
    price_before_cents: Mapped[int | None]
    vat_permille: Mapped[int]
    min_age: Mapped[int]
    stock_policy: Mapped[StockPolicy] = mapped_column(enum_column(StockPolicy))
    base_price_cents: Mapped[int | None]
    base_unit: Mapped[str]
    deposit_type_id: Mapped[int | None] = mapped_column(ForeignKey("deposit_type.id"))
    lot: Mapped[str]
    best_before: Mapped[date | None]


class Sale(Base):
    """A sale on its way, and a receipt once it is done. A done sale never changes; a reversal is a sale of its own."""

    __tablename__ = "sale"
    __table_args__ = (
        UniqueConstraint("site_id", "id"),
        UniqueConstraint("site_id", "register_code", "receipt_number"),
        ForeignKeyConstraint(["site_id", "basket_id"], ["basket.site_id", "basket.id"]),
        ForeignKeyConstraint(["site_id", "kiosk_id"], ["kiosk.site_id", "kiosk.id"]),
        ForeignKeyConstraint(["site_id", "reverses_id"], ["sale.site_id", "sale.id"]),
        ForeignKeyConstraint(["site_id", "location_id"], ["location.site_id", "location.id"]),
        CheckConstraint("(state = 'done') = (receipt_number IS NOT NULL)", name="receipt_when_done"),
        CheckConstraint("(state = 'done') = (finalised_at IS NOT NULL)", name="time_when_done"),
        CheckConstraint("rail <> 'account' OR member_id IS NOT NULL", name="account_has_owner"),
        CheckConstraint("(reverses_id IS NULL AND total_cents >= 0) OR reverses_id IS NOT NULL", name="total"),
        Index("uq_sale_basket", "basket_id", unique=True, sqlite_where=_LIVE_BASKET, postgresql_where=_LIVE_BASKET),
        Index(
            "uq_sale_reverses", "reverses_id", unique=True, sqlite_where=_LIVE_REVERSAL, postgresql_where=_LIVE_REVERSAL
        ),
        Index("ix_sale_state", "site_id", "state", "touched_at"),
        Index("ix_sale_finalised", "site_id", "finalised_at"),
        Index("ix_sale_member", "member_id", "finalised_at"),
    )

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    public_id: Mapped[UUID] = mapped_column(unique=True, default=uuid7)
    site_id: Mapped[int] = mapped_column(ForeignKey("site.id"))
    register_code: Mapped[str]
    receipt_number: Mapped[int | None]
    receipt_hash: Mapped[str | None] = mapped_column(unique=True)
    """SHA-256 of the token in the receipt's QR code."""
    state: Mapped[SaleState] = mapped_column(enum_column(SaleState))
    channel: Mapped[Channel] = mapped_column(enum_column(Channel))
    rail: Mapped[Rail] = mapped_column(enum_column(Rail))
    total_cents: Mapped[int]
    member_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    kiosk_id: Mapped[int | None]
    basket_id: Mapped[int | None] = mapped_column(BigKey)
    reverses_id: Mapped[int | None] = mapped_column(BigKey)
    location_id: Mapped[int | None]
    """The slot of a machine the goods come from; None is the shelf."""
    has_reserved: Mapped[bool] = mapped_column(default=False)
    is_cancelled: Mapped[bool] = mapped_column(default=False)
    """The customer wished to stop; an approval that comes later is taken back."""
    reason: Mapped[str] = mapped_column(default="")
    fiscal: Mapped[dict[str, Any]] = mapped_column(default=dict)
    created_at: Mapped[datetime]
    touched_at: Mapped[datetime]
    finalised_at: Mapped[datetime | None]


class SaleLine(Base):
    """A line of a receipt; a reversal has negative quantities. Written once."""

    __tablename__ = "sale_line"
    __table_args__ = (
        ForeignKeyConstraint(["site_id", "sale_id"], ["sale.site_id", "sale.id"]),
        CheckConstraint("quantity_milli <> 0", name="quantity"),
        CheckConstraint("(kind = 'deposit') = (refers_to IS NOT NULL)", name="refers_to"),
        Index("ix_sale_line_product", "site_id", "product_id", "sale_id"),
    )

    sale_id: Mapped[int] = mapped_column(BigKey, primary_key=True, autoincrement=False)
    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    site_id: Mapped[int]
    kind: Mapped[LineKind] = mapped_column(enum_column(LineKind))
    refers_to: Mapped[int | None]
    """Position of the goods whose deposit this is."""
    product_id: Mapped[int] = mapped_column(ForeignKey("product.id"))
    name: Mapped[str]
    name_en: Mapped[str]
    unit: Mapped[Unit] = mapped_column(enum_column(Unit))
    quantity_milli: Mapped[int]
    unit_price_cents: Mapped[int]
    total_cents: Mapped[int]
    vat_permille: Mapped[int]
    base_price_cents: Mapped[int | None]
    base_unit: Mapped[str]
    deposit_type_id: Mapped[int | None] = mapped_column(ForeignKey("deposit_type.id"))
    lot: Mapped[str]


class AgeRefusal(Base):
    """Goods that were not sold for lack of a verified age. Nobody is named."""

    __tablename__ = "age_refusal"

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    site_id: Mapped[int] = mapped_column(ForeignKey("site.id"))
    kiosk_id: Mapped[int | None]
    product_id: Mapped[int] = mapped_column(ForeignKey("product.id"))
    min_age: Mapped[int]
    at: Mapped[datetime] = mapped_column(index=True)


append_only(SaleLine.__table__)
append_only(AgeRefusal.__table__)
for _dialect, _statements in triggers.SALE_FROZEN.items():
    for _statement in _statements:
        _ddl = DDL(_statement)  # type: ignore[no-untyped-call]
        event.listen(Sale.__table__, "after_create", _ddl.execute_if(dialect=_dialect))
