"""Tables of the climate: probes with their limits, thinned readings, alarms, goods under watch, sale-blocks."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, ForeignKeyConstraint, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from shop_hub.core.db import Base, BigKey, enum_column
from shop_hub.core.ids import uuid7

_OPEN_SQL = text("ended_at IS NULL")


class Side(StrEnum):
    """Which limit was passed."""

    TOO_COLD = "too-cold"
    TOO_WARM = "too-warm"


class Stand(StrEnum):
    """Where watched goods stand: which way of selling a block stops."""

    SHELF = "shelf"
    MACHINE = "machine"


class Decision(StrEnum):
    """What became of blocked goods."""

    RELEASED = "released"
    """Looked at and measured: still good."""
    MOVED = "moved"
    """Put into another fridge in time."""
    DISCARDED = "discarded"


class Probe(Base):
    """A thermometer in a fridge, a freezer or a room. Temperatures in thousandths of a degree Celsius."""

    __tablename__ = "probe"
    __table_args__ = (
        UniqueConstraint("site_id", "id"),
        ForeignKeyConstraint(["site_id", "device_id"], ["device.site_id", "device.id"]),
        CheckConstraint("min_milli < max_milli", name="limits"),
        CheckConstraint("alarm_after_s BETWEEN 0 AND 86400", name="alarm_after"),
        CheckConstraint("(outside_since IS NULL) = (outside_milli IS NULL)", name="outside"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    public_id: Mapped[UUID] = mapped_column(unique=True, default=uuid7)
    site_id: Mapped[int] = mapped_column(ForeignKey("site.id"))
    device_id: Mapped[int] = mapped_column(unique=True)
    name: Mapped[str]
    min_milli: Mapped[int]
    max_milli: Mapped[int]
    alarm_after_s: Mapped[int] = mapped_column(default=1200)
    """So long it must be outside before it counts: a door stands open while goods are put in."""
    last_milli: Mapped[int | None]
    last_at: Mapped[datetime | None]
    outside_since: Mapped[datetime | None]
    outside_milli: Mapped[int | None]
    """The worst temperature since then."""


class ClimateReading(Base):
    """One reading in five minutes, and those at which an alarm began or ended."""

    __tablename__ = "climate_reading"
    __table_args__ = (Index("ix_climate_reading_at", "probe_id", "at"),)

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    probe_id: Mapped[int] = mapped_column(ForeignKey("probe.id"))
    at: Mapped[datetime]
    milli: Mapped[int]


class ClimateAlarm(Base):
    """A time outside the limits; open while `ended_at` is None. `note` says what was done with the goods."""

    __tablename__ = "climate_alarm"
    __table_args__ = (
        Index("ix_climate_alarm_at", "probe_id", "began_at"),
        Index(
            "uq_climate_alarm_open",
            "probe_id",
            unique=True,
            sqlite_where=_OPEN_SQL,
            postgresql_where=_OPEN_SQL,
        ),
        CheckConstraint("ended_at IS NULL OR ended_at >= began_at", name="ends_after_beginning"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    public_id: Mapped[UUID] = mapped_column(unique=True, default=uuid7)
    probe_id: Mapped[int] = mapped_column(ForeignKey("probe.id"))
    side: Mapped[Side] = mapped_column(enum_column(Side))
    began_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    worst_milli: Mapped[int]
    note: Mapped[str] = mapped_column(default="")
    noted_by: Mapped[str] = mapped_column(default="")


class WatchedGoods(Base):
    """A product group in the reach of a probe, with the limit that its goods must keep (HACCP).

    `outside_since` is None unless the last reading was above the limit; `worst_milli` is the warmest since then.
    """

    __tablename__ = "watched_goods"
    __table_args__ = (
        UniqueConstraint("site_id", "id"),
        UniqueConstraint("probe_id", "group_id"),
        ForeignKeyConstraint(["site_id", "probe_id"], ["probe.site_id", "probe.id"]),
        CheckConstraint("max_milli BETWEEN -100000 AND 150000", name="limit"),
        CheckConstraint("block_after_s BETWEEN 0 AND 86400", name="block_after"),
        CheckConstraint("(outside_since IS NULL) = (worst_milli IS NULL)", name="outside"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    public_id: Mapped[UUID] = mapped_column(unique=True, default=uuid7)
    site_id: Mapped[int] = mapped_column(ForeignKey("site.id"))
    probe_id: Mapped[int]
    group_id: Mapped[int] = mapped_column(ForeignKey("product_group.id"))
    stand: Mapped[Stand] = mapped_column(enum_column(Stand), default=Stand.SHELF)
    max_milli: Mapped[int]
    block_after_s: Mapped[int]
    outside_since: Mapped[datetime | None]
    worst_milli: Mapped[int | None]


class SaleBlock(Base):
    """Goods that are not sold, because they were too warm for too long. Rows are never deleted: they are the proof.

    A block ends when a person has decided about the goods and the place is cold again: `ended_at`.
    """

    __tablename__ = "sale_block"
    __table_args__ = (
        UniqueConstraint("site_id", "id"),
        ForeignKeyConstraint(["site_id", "probe_id"], ["probe.site_id", "probe.id"]),
        Index(
            "uq_sale_block_open",
            "probe_id",
            "group_id",
            unique=True,
            sqlite_where=_OPEN_SQL,
            postgresql_where=_OPEN_SQL,
        ),
        Index("ix_sale_block_stops", "site_id", "stand", sqlite_where=_OPEN_SQL, postgresql_where=_OPEN_SQL),
        Index("ix_sale_block_began", "probe_id", "began_at"),
        CheckConstraint("(decision IS NULL) = (decided_at IS NULL)", name="decision_has_time"),
        CheckConstraint("decision IS NULL OR length(reason) > 0", name="decision_has_reason"),
        CheckConstraint("ended_at IS NULL OR decision IS NOT NULL", name="ends_by_decision"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    public_id: Mapped[UUID] = mapped_column(unique=True, default=uuid7)
    site_id: Mapped[int] = mapped_column(ForeignKey("site.id"))
    probe_id: Mapped[int]
    group_id: Mapped[int] = mapped_column(ForeignKey("product_group.id"))
    stand: Mapped[Stand] = mapped_column(enum_column(Stand))
    outside_since: Mapped[datetime]
    began_at: Mapped[datetime]
    max_milli: Mapped[int]
    """The limit that held."""
    worst_milli: Mapped[int]
    decision: Mapped[Decision | None] = mapped_column(enum_column(Decision))
    decided_at: Mapped[datetime | None]
    decided_by: Mapped[str] = mapped_column(default="")
    reason: Mapped[str] = mapped_column(default="")
    ended_at: Mapped[datetime | None]


class UncooledProduct(Base):
    """A product of a watched group that stands elsewhere and needs no cooling, e.g. long-life milk."""

    __tablename__ = "uncooled_product"

    site_id: Mapped[int] = mapped_column(ForeignKey("site.id"), primary_key=True)
    product_id: Mapped[int] = mapped_column(ForeignKey("product.id"), primary_key=True)
