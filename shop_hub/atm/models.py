"""Tables of the cash machine: what it reported last, what the public is shown, and how that changed."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, ForeignKeyConstraint, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from shop_hub.core.db import Base, BigKey, enum_column
from shop_hub.core.ids import uuid7


class Service(StrEnum):
    """What the public is told about a machine."""

    IN_SERVICE = "in-service"
    OUT_OF_SERVICE = "out-of-service"
    MAINTENANCE = "maintenance"
    UNKNOWN = "unknown"


class Withdrawal(StrEnum):
    """Whether it pays out. `none` means empty or inoperative: the public is not told which."""

    OK = "ok"
    LOW = "low"
    NONE = "none"


class CashMachine(Base):
    """A bank's machine in the shop.

    `report` is the last status as it came, for operators only: it may hold cassette levels. The `public_` columns are
    what was last shown; `public_since` is empty where telling it would give away when the machine is filled.
    """

    __tablename__ = "cash_machine"
    __table_args__ = (
        UniqueConstraint("site_id", "id"),
        ForeignKeyConstraint(["site_id", "device_id"], ["device.site_id", "device.id"]),
        CheckConstraint("stale_after_s BETWEEN 5 AND 604800", name="stale_after"),
        CheckConstraint("public_service = 'in-service' OR public_withdrawal IS NULL", name="withdrawal_needs_service"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    public_id: Mapped[UUID] = mapped_column(unique=True, default=uuid7)
    site_id: Mapped[int] = mapped_column(ForeignKey("site.id"))
    device_id: Mapped[int | None] = mapped_column(unique=True)
    bank: Mapped[str]
    place: Mapped[str] = mapped_column(default="")
    fee_note: Mapped[str] = mapped_column(default="")
    stale_after_s: Mapped[int] = mapped_column(default=60)
    report: Mapped[dict[str, Any]] = mapped_column(default=dict)
    reported_at: Mapped[datetime | None]
    report_valid_s: Mapped[int] = mapped_column(default=60)
    is_manual: Mapped[bool] = mapped_column(default=False)
    public_service: Mapped[Service] = mapped_column(enum_column(Service), default=Service.UNKNOWN)
    public_withdrawal: Mapped[Withdrawal | None] = mapped_column(enum_column(Withdrawal))
    public_since: Mapped[datetime | None]


class CashMachineChange(Base):
    """One change of what the public is shown. Rows are only added."""

    __tablename__ = "cash_machine_change"
    __table_args__ = (Index("ix_cash_machine_change_machine", "machine_id", "at"),)

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    machine_id: Mapped[int] = mapped_column(ForeignKey("cash_machine.id"))
    at: Mapped[datetime]
    service: Mapped[Service] = mapped_column(enum_column(Service))
    withdrawal: Mapped[Withdrawal | None] = mapped_column(enum_column(Withdrawal))
    since: Mapped[datetime | None]
    reason: Mapped[str] = mapped_column(default="")
    source: Mapped[str] = mapped_column(default="")
