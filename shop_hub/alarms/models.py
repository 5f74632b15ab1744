"""Tables of the alarms: what needs a person, who is told and how, and who was told what."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, ForeignKeyConstraint, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from shop_hub.core.conditions import Severity
from shop_hub.core.db import Base, BigKey, enum_column
from shop_hub.core.ids import uuid7

_OPEN_SQL = text("ended_at IS NULL")


class Way(StrEnum):
    """How a person is told."""

    MAIL = "mail"
    SERVICE = "service"
    """A push service, messenger or webhook, by its apprise address."""


class News(StrEnum):
    """What was told about an alarm."""

    BEGAN = "began"
    ENDED = "ended"


class Alarm(Base):
    """A condition from when it was first seen until it was gone. The same again soon after is the same alarm."""

    __tablename__ = "alarm"
    __table_args__ = (
        UniqueConstraint("site_id", "id"),
        Index("uq_alarm_open", "site_id", "key", unique=True, sqlite_where=_OPEN_SQL, postgresql_where=_OPEN_SQL),
        Index("ix_alarm_began", "site_id", "began_at"),
        CheckConstraint("(acknowledged_at IS NULL) = (acknowledged_by = '')", name="acknowledged"),
    )

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    public_id: Mapped[UUID] = mapped_column(unique=True, default=uuid7)
    site_id: Mapped[int] = mapped_column(ForeignKey("site.id"))
    key: Mapped[str]
    severity: Mapped[Severity] = mapped_column(enum_column(Severity))
    text: Mapped[str]
    """gettext msgid; `params` fill it."""
    params: Mapped[dict[str, Any]] = mapped_column(default=dict)
    advice: Mapped[str] = mapped_column(default="")
    endpoint: Mapped[str] = mapped_column(default="")
    since: Mapped[datetime]
    """When it began, as the feature says."""
    began_at: Mapped[datetime]
    """When it was first seen, or came back."""
    seen_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    returns: Mapped[int] = mapped_column(default=0)
    """How often it came back soon after it had ended."""
    acknowledged_at: Mapped[datetime | None]
    acknowledged_by: Mapped[str] = mapped_column(default="")
    note: Mapped[str] = mapped_column(default="")


class AlarmContact(Base):
    """Who is told, how, about what, and when not. Quiet hours are minutes of the local day and may span midnight."""

    __tablename__ = "alarm_contact"
    __table_args__ = (
        UniqueConstraint("site_id", "id"),
        CheckConstraint("length(address) > 0", name="address"),
        CheckConstraint("after_minutes BETWEEN 0 AND 1440", name="after"),
        CheckConstraint("(quiet_from IS NULL) = (quiet_to IS NULL)", name="quiet"),
        CheckConstraint("quiet_from BETWEEN 0 AND 1439 AND quiet_to BETWEEN 0 AND 1439", name="quiet_minutes"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    public_id: Mapped[UUID] = mapped_column(unique=True, default=uuid7)
    site_id: Mapped[int] = mapped_column(ForeignKey("site.id"))
    operator_id: Mapped[int] = mapped_column(ForeignKey("operator.id"))
    """Who entered it and may take it back; one who is locked out is told nothing any more."""
    name: Mapped[str]
    way: Mapped[Way] = mapped_column(enum_column(Way))
    address: Mapped[str]
    """May hold a secret of the service; pages show `shown` instead."""
    shown: Mapped[str]
    least: Mapped[Severity] = mapped_column(enum_column(Severity, "least"))
    after_minutes: Mapped[int] = mapped_column(default=0)
    """0: at once. Else only if nobody has acknowledged after so long: escalation."""
    quiet_from: Mapped[int | None]
    quiet_to: Mapped[int | None]
    is_woken: Mapped[bool] = mapped_column(default=True)
    """Whether critical alarms come in quiet hours too."""
    language: Mapped[str] = mapped_column(default="de")


class AlarmNotice(Base):
    """That a contact was told something, once."""

    __tablename__ = "alarm_notice"
    __table_args__ = (
        ForeignKeyConstraint(["site_id", "alarm_id"], ["alarm.site_id", "alarm.id"], ondelete="CASCADE"),
        ForeignKeyConstraint(
            ["site_id", "contact_id"], ["alarm_contact.site_id", "alarm_contact.id"], ondelete="CASCADE"
        ),
    )

    alarm_id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    contact_id: Mapped[int] = mapped_column(primary_key=True)
    news: Mapped[News] = mapped_column(enum_column(News), primary_key=True)
    site_id: Mapped[int]
    at: Mapped[datetime]
