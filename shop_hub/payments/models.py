"""Payment intents: what was asked of a card terminal, and what is certain about it."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index, UniqueConstraint, false, text
from sqlalchemy.orm import Mapped, mapped_column

from shop_hub.core.db import Base, BigKey, enum_column
from shop_hub.core.ids import uuid7


class IntentState(StrEnum):
    """Life of an intent. An unknown end never leads to a second charge: it is asked for, or taken back."""

    SENT = "sent"
    UNKNOWN = "unknown"
    APPROVED = "approved"
    REVERSING = "reversing"
    CAPTURED = "captured"
    DECLINED = "declined"
    CANCELLED = "cancelled"
    REVERSED = "reversed"
    REVERSAL_FAILED = "reversal_failed"


OPEN = (IntentState.SENT, IntentState.UNKNOWN, IntentState.APPROVED, IntentState.REVERSING)
_OPEN_SQL = text("state IN ('sent', 'unknown', 'approved', 'reversing')")


class PaymentIntent(Base):
    """One attempt to take money at a terminal for one sale. `reference` is ours; the terminal is asked by it.

    `next_op` ("status", "reverse" or empty) is what the terminal is to be asked at `next_try_at`.
    """

    __tablename__ = "payment_intent"
    __table_args__ = (
        UniqueConstraint("site_id", "id"),
        ForeignKeyConstraint(["site_id", "device_id"], ["device.site_id", "device.id"]),
        ForeignKeyConstraint(["site_id", "sale_id"], ["sale.site_id", "sale.id"]),
        CheckConstraint("cents > 0", name="cents"),
        CheckConstraint("next_op IN ('', 'status', 'reverse')", name="next_op"),
        Index("ix_payment_intent_sale", "sale_id"),
        Index("ix_payment_intent_due", "state", "next_try_at"),
        Index("uq_payment_intent_open", "sale_id", unique=True, sqlite_where=_OPEN_SQL, postgresql_where=_OPEN_SQL),
    )

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    public_id: Mapped[UUID] = mapped_column(unique=True, default=uuid7)
    site_id: Mapped[int]
    sale_id: Mapped[int] = mapped_column(BigKey)
    device_id: Mapped[int]
    cents: Mapped[int]
    reference: Mapped[str] = mapped_column(unique=True)
    state: Mapped[IntentState] = mapped_column(enum_column(IntentState), default=IntentState.SENT)
    code: Mapped[str] = mapped_column(default="")
    """Why, in the terminal's or the protocol's word."""
    trace: Mapped[str] = mapped_column(default="")
    receipt: Mapped[str] = mapped_column(default="")
    next_op: Mapped[str] = mapped_column(default="")
    next_try_at: Mapped[datetime | None]
    tries: Mapped[int] = mapped_column(default=0)
    refusals: Mapped[int] = mapped_column(default=0)
    """How often the terminal has refused to take the payment back."""
    is_refund: Mapped[bool] = mapped_column(default=False)
    """A booked payment that goes back because the purchase was undone."""
    is_taken: Mapped[bool] = mapped_column(default=False, server_default=false())
    """The terminal has approved it: should it forget that, nothing went back by itself."""
    created_at: Mapped[datetime]
    touched_at: Mapped[datetime]
