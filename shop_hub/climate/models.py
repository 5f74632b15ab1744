"""Tables of the climate: probes with their limits, thinned readings, alarms."""

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
