"""Tables of the vending machine: machine, slots with their goods, every vend, and readings of its own counters."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    LargeBinary,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from shop_hub.core.db import Base, BigKey, enum_column
from shop_hub.core.ids import uuid7

_OPEN_SQL = text("state IN ('dispensing')")


class SlotState(StrEnum):
    """Whether a slot sells. A flagged one waits for whoever fills the machine, a disabled one for an operator."""

    OK = "ok"
    FLAGGED = "flagged"
    DISABLED = "disabled"


class Flag(StrEnum):
    """Why a slot does not sell."""

    JAM = "jam"
    EMPTY = "empty"
    DOUBT = "doubt"
    OFF = "off"


class VendState(StrEnum):
    """Life of a vend: waiting for the money or the machine, dispensing, then one of the ends.

    DOUBT is not an end: nobody knows yet whether the piece has dropped. LOST is: nobody ever will, so the customer
    does not pay and the piece is written off.
    """

    WAITING = "waiting"
    DISPENSING = "dispensing"
    DOUBT = "doubt"
    DROPPED = "dropped"
    FAILED = "failed"
    LOST = "lost"
    CANCELLED = "cancelled"


class VendingMachine(Base):
    """A machine with slots that one device drives."""

    __tablename__ = "vending_machine"
    __table_args__ = (
        UniqueConstraint("site_id", "id"),
        ForeignKeyConstraint(["site_id", "device_id"], ["device.site_id", "device.id"]),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    public_id: Mapped[UUID] = mapped_column(unique=True, default=uuid7)
    site_id: Mapped[int] = mapped_column(ForeignKey("site.id"))
    device_id: Mapped[int] = mapped_column(unique=True)
    name: Mapped[str]
    plan_revision: Mapped[int] = mapped_column(default=0)
    """Revision of the planogram as it stands here; a device that knows another one turns nothing."""


class VendingSlot(Base):
    """One spiral of a machine. Its goods lie at a stock location of their own, whose books never go below zero."""

    __tablename__ = "vending_slot"
    __table_args__ = (
        UniqueConstraint("site_id", "id"),
        UniqueConstraint("machine_id", "number"),
        UniqueConstraint("machine_id", "node"),
        ForeignKeyConstraint(["site_id", "machine_id"], ["vending_machine.site_id", "vending_machine.id"]),
        ForeignKeyConstraint(["site_id", "location_id"], ["location.site_id", "location.id"]),
        CheckConstraint("number BETWEEN 1 AND 999", name="number"),
        CheckConstraint("capacity BETWEEN 1 AND 99", name="capacity"),
        CheckConstraint("jams >= 0", name="jams"),
        Index("uq_vending_slot_selection", "machine_id", "selection", unique=True),
        CheckConstraint("(state = 'ok') = (flag IS NULL)", name="flag"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    public_id: Mapped[UUID] = mapped_column(unique=True, default=uuid7)
    site_id: Mapped[int] = mapped_column(ForeignKey("site.id"))
    machine_id: Mapped[int]
    number: Mapped[int]
    node: Mapped[str]
    location_id: Mapped[int] = mapped_column(unique=True)
    product_id: Mapped[int | None] = mapped_column(ForeignKey("product.id"))
    capacity: Mapped[int]
    state: Mapped[SlotState] = mapped_column(enum_column(SlotState), default=SlotState.OK)
    flag: Mapped[Flag | None] = mapped_column(enum_column(Flag))
    jams: Mapped[int] = mapped_column(default=0)
    """Jams in a row; a piece that drops sets it to 0."""
    fills: Mapped[int] = mapped_column(default=0)
    """How often someone has counted or emptied it: the machine then takes over our number of pieces."""
    renewals: Mapped[int] = mapped_column(default=0)
    """How often someone has said that all of its goods were replaced: only then may a slot that got warm sell again."""
    selection: Mapped[str | None]
    """What the machine itself calls the slot (MDB item number, EVA-DTS selection); None: its number."""


class Vend(Base):
    """One piece that someone buys. Its number is the case number that the customer reads."""

    __tablename__ = "vend"
    __table_args__ = (
        UniqueConstraint("site_id", "id"),
        ForeignKeyConstraint(["site_id", "slot_id"], ["vending_slot.site_id", "vending_slot.id"]),
        ForeignKeyConstraint(["site_id", "machine_id"], ["vending_machine.site_id", "vending_machine.id"]),
        ForeignKeyConstraint(["site_id", "sale_id"], ["sale.site_id", "sale.id"]),
        Index("uq_vend_dispensing", "machine_id", unique=True, sqlite_where=_OPEN_SQL, postgresql_where=_OPEN_SQL),
        Index("ix_vend_state", "state", "touched_at"),
        Index("ix_vend_slot", "slot_id", "id"),
        CheckConstraint("(command IS NOT NULL) OR state IN ('waiting', 'failed', 'cancelled')", name="command"),
    )

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    public_id: Mapped[UUID] = mapped_column(unique=True, default=uuid7)
    site_id: Mapped[int]
    machine_id: Mapped[int]
    slot_id: Mapped[int]
    product_id: Mapped[int] = mapped_column(ForeignKey("product.id"))
    sale_id: Mapped[int] = mapped_column(BigKey, unique=True)
    sale_public_id: Mapped[UUID] = mapped_column(unique=True)
    kiosk_id: Mapped[int | None]
    state: Mapped[VendState] = mapped_column(enum_column(VendState), default=VendState.WAITING)
    command: Mapped[str | None] = mapped_column(unique=True)
    """ULID of the one command that may turn the motor for this vend."""
    code: Mapped[str] = mapped_column(default="")
    late: Mapped[str] = mapped_column(default="")
    """What became known after it was given up."""
    paid_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
    touched_at: Mapped[datetime]


class AuditSource(StrEnum):
    """How an audit file came to us."""

    UPLOAD = "upload"
    DEVICE = "device"


class MachineAudit(Base):
    """A reading of a machine's own counters (EVA-DTS), kept as it came."""

    __tablename__ = "machine_audit"
    __table_args__ = (
        UniqueConstraint("site_id", "id"),
        UniqueConstraint("machine_id", "digest"),
        ForeignKeyConstraint(["site_id", "machine_id"], ["vending_machine.site_id", "vending_machine.id"]),
        Index("ix_machine_audit_read", "machine_id", "read_at", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    public_id: Mapped[UUID] = mapped_column(unique=True, default=uuid7)
    site_id: Mapped[int]
    machine_id: Mapped[int]
    digest: Mapped[str]
    """SHA-256 of the file: the same one twice is one reading."""
    source: Mapped[AuditSource] = mapped_column(enum_column(AuditSource))
    actor: Mapped[str]
    serial: Mapped[str]
    """Serial number of the machine's controller; another one means other counters."""
    model: Mapped[str]
    read_at: Mapped[datetime]
    """When the counters were read: up to here our sales are compared."""
    received_at: Mapped[datetime]
    total_vends: Mapped[int | None] = mapped_column(BigKey)
    total_cents: Mapped[int | None] = mapped_column(BigKey)
    cash_vends: Mapped[int | None] = mapped_column(BigKey)
    cash_cents: Mapped[int | None] = mapped_column(BigKey)
    doubts: Mapped[list[Any]]
    """What does not fit inside the file: `[code, params]` each."""
    content: Mapped[bytes] = mapped_column(LargeBinary, deferred=True)


class AuditCount(Base):
    """Counters of one selection in one reading, since the machine was built; None where it does not count."""

    __tablename__ = "audit_count"
    __table_args__ = (ForeignKeyConstraint(["site_id", "audit_id"], ["machine_audit.site_id", "machine_audit.id"]),)

    audit_id: Mapped[int] = mapped_column(primary_key=True)
    selection: Mapped[str] = mapped_column(primary_key=True)
    site_id: Mapped[int]
    title: Mapped[str]
    price_cents: Mapped[int | None] = mapped_column(BigKey)
    vends: Mapped[int | None] = mapped_column(BigKey)
    cents: Mapped[int | None] = mapped_column(BigKey)
    cash_vends: Mapped[int | None] = mapped_column(BigKey)
    cash_cents: Mapped[int | None] = mapped_column(BigKey)
    tests: Mapped[int | None] = mapped_column(BigKey)
    free: Mapped[int | None] = mapped_column(BigKey)
