"""Tables of the entrance: the door, the opening rules as dated data, and what happened at the door."""

from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, ForeignKeyConstraint, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from shop_hub.core.db import Base, BigKey, enum_column
from shop_hub.core.ids import uuid7

_MINUTES = "opens_minute >= 0 AND closes_minute <= 1440 AND opens_minute < closes_minute"


class Audience(StrEnum):
    """Who may come in."""

    EVERYONE = "everyone"
    MEMBERS = "members"


class HolidayRule(StrEnum):
    """Whether a rule holds on public holidays: then too, not then, or only then."""

    ALSO = "also"
    EXCEPT = "except"
    ONLY = "only"


class SpecialKind(StrEnum):
    """What is special about a day: closed, other hours, or a holiday that only this municipality has."""

    CLOSED = "closed"
    HOURS = "hours"
    HOLIDAY = "holiday"


class DoorAlert(StrEnum):
    """Something at the door that a person must look at."""

    FORCED = "forced"
    HELD_OPEN = "held-open"


class PassageKind(StrEnum):
    """One line of the door's log."""

    UNLOCK = "unlock"
    REFUSED = "refused"
    ENTRY = "entry"
    EXIT = "exit"
    FORCED = "forced"
    HELD_OPEN = "held-open"
    EMPTIED = "emptied"


class UnlockOutcome(StrEnum):
    """How an unlocking ended."""

    PENDING = "pending"
    DONE = "done"
    FAILED = "failed"
    UNKNOWN = "unknown"


class Entrance(Base):
    """The shop's door. Leaving is free by its mechanics; nothing here can change that."""

    __tablename__ = "entrance"
    __table_args__ = (
        UniqueConstraint("site_id", "id"),
        ForeignKeyConstraint(["site_id", "device_id"], ["device.site_id", "device.id"]),
        ForeignKeyConstraint(["site_id", "scanner_id"], ["device.site_id", "device.id"]),
        CheckConstraint("hold_s BETWEEN 1 AND 60", name="hold"),
        CheckConstraint("occupancy >= 0", name="occupancy"),
        CheckConstraint("(alert IS NULL) = (alert_at IS NULL)", name="alert_has_time"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    public_id: Mapped[UUID] = mapped_column(unique=True, default=uuid7)
    site_id: Mapped[int] = mapped_column(ForeignKey("site.id"))
    device_id: Mapped[int] = mapped_column(unique=True)
    scanner_id: Mapped[int | None] = mapped_column(unique=True)
    """The scanner beside the door, if there is one."""
    name: Mapped[str]
    hold_s: Mapped[int] = mapped_column(default=8)
    is_free_for_everyone: Mapped[bool] = mapped_column(default=True)
    """Whether the lock is held free while everyone may come in; else each person touches the kiosk or shows a card."""
    is_kept_closed: Mapped[bool] = mapped_column(default=False)
    """Staff has closed the shop by hand, whatever the rules say."""
    occupancy: Mapped[int] = mapped_column(default=0)
    alert: Mapped[DoorAlert | None] = mapped_column(enum_column(DoorAlert))
    alert_at: Mapped[datetime | None]


class OpeningRule(Base):
    """A weekly window in which an audience may come in. Where no rule allows it the shop is closed.

    Minutes count from local midnight; a window ends at 1440 at the latest. `weekdays` is a sum: Monday 1, Tuesday 2,
    Wednesday 4 … Sunday 64. `christmas_eve_minute` ends the window early on 24 December (closing laws of the Länder).
    """

    __tablename__ = "opening_rule"
    __table_args__ = (
        UniqueConstraint("site_id", "id"),
        CheckConstraint(_MINUTES, name="minutes"),
        CheckConstraint("weekdays BETWEEN 1 AND 127", name="weekdays"),
        CheckConstraint("valid_to IS NULL OR valid_to >= valid_from", name="valid"),
        CheckConstraint("christmas_eve_minute BETWEEN 0 AND 1440", name="christmas_eve"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    public_id: Mapped[UUID] = mapped_column(unique=True, default=uuid7)
    site_id: Mapped[int] = mapped_column(ForeignKey("site.id"))
    audience: Mapped[Audience] = mapped_column(enum_column(Audience))
    weekdays: Mapped[int]
    holidays: Mapped[HolidayRule] = mapped_column(enum_column(HolidayRule), default=HolidayRule.EXCEPT)
    opens_minute: Mapped[int]
    closes_minute: Mapped[int]
    christmas_eve_minute: Mapped[int | None]
    valid_from: Mapped[date]
    valid_to: Mapped[date | None]
    """Last day on which it holds."""
    note: Mapped[str] = mapped_column(default="")


class SpecialDay(Base):
    """One day that differs from the rules; `audience` None means all."""

    __tablename__ = "special_day"
    __table_args__ = (
        UniqueConstraint("site_id", "id"),
        Index("ix_special_day_day", "site_id", "day"),
        CheckConstraint(f"kind <> 'hours' OR ({_MINUTES})", name="hours"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    public_id: Mapped[UUID] = mapped_column(unique=True, default=uuid7)
    site_id: Mapped[int] = mapped_column(ForeignKey("site.id"))
    day: Mapped[date]
    kind: Mapped[SpecialKind] = mapped_column(enum_column(SpecialKind))
    audience: Mapped[Audience | None] = mapped_column(enum_column(Audience))
    opens_minute: Mapped[int | None]
    closes_minute: Mapped[int | None]
    note: Mapped[str] = mapped_column(default="")


class Passage(Base):
    """One line of the door's log. It never says which villager came: that would be a record of movements."""

    __tablename__ = "passage"
    __table_args__ = (
        ForeignKeyConstraint(["site_id", "entrance_id"], ["entrance.site_id", "entrance.id"]),
        Index("ix_passage_at", "entrance_id", "at"),
    )

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    public_id: Mapped[UUID] = mapped_column(unique=True, default=uuid7)
    site_id: Mapped[int]
    entrance_id: Mapped[int]
    at: Mapped[datetime]
    kind: Mapped[PassageKind] = mapped_column(enum_column(PassageKind))
    who: Mapped[str] = mapped_column(default="")
    """everyone, member or staff."""
    code: Mapped[str] = mapped_column(default="")
    outcome: Mapped[UnlockOutcome | None] = mapped_column(enum_column(UnlockOutcome))
    command: Mapped[str | None] = mapped_column(unique=True)
    """ULID of the unlocking command."""


class VisitCount(Base):
    """How many people came in during one hour of a local day. Counts only: nobody is known here, and nobody can be."""

    __tablename__ = "visit_count"
    __table_args__ = (
        ForeignKeyConstraint(["site_id", "entrance_id"], ["entrance.site_id", "entrance.id"]),
        CheckConstraint("hour BETWEEN 0 AND 23", name="hour"),
        CheckConstraint("entries >= 0", name="entries"),
    )

    entrance_id: Mapped[int] = mapped_column(primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    hour: Mapped[int] = mapped_column(primary_key=True)
    site_id: Mapped[int]
    entries: Mapped[int] = mapped_column(default=0)
