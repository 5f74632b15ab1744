"""Tables of the noticeboard: posts, and the days on which an event takes place."""

from datetime import date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, ForeignKeyConstraint, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from shop_hub.core.db import Base, enum_column
from shop_hub.core.ids import uuid7


class PostKind(StrEnum):
    """What a post is about (community.md 3.1)."""

    NOTICE = "notice"
    NEWS = "news"
    OFFER = "offer"
    SEEK = "seek"
    LOST = "lost"
    OFFICIAL = "official"
    HELP = "help"
    EVENT = "event"


class PostState(StrEnum):
    """draft → pending → published → expired or withdrawn; pending → rejected."""

    DRAFT = "draft"
    PENDING = "pending"
    PUBLISHED = "published"
    REJECTED = "rejected"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"


class Origin(StrEnum):
    """Where a post was written."""

    KIOSK = "kiosk"
    OFFICE = "office"


class Contact(StrEnum):
    """Whether `contact_text` is for the shop only, or may be shown to everyone."""

    RELAY = "relay"
    SHOWN = "shown"


class Post(Base):
    """A notice or an event of a site. Texts are plain; nothing in them is ever read as HTML or as a link.

    Attributes:
        translations: by language: {"en": {"title": …, "text": …}}.
        slip_key: keyed hash of the code on the writer's slip; the code itself is not stored.
        sequence: grows with every change after publication (iCalendar SEQUENCE).
        repeat_weeks: an event comes again every so many weeks until `repeat_until`; 0 = once.
        skip_days: days (ISO) on which a repeated event does not take place.
    """

    __tablename__ = "post"
    __table_args__ = (
        UniqueConstraint("site_id", "id"),
        Index("ix_post_shown", "site_id", "state", "kind", "published_at"),
        CheckConstraint("length(title) BETWEEN 1 AND 80", name="title"),
        CheckConstraint("length(text) <= 2000", name="text"),
        CheckConstraint("state <> 'published' OR expires_at IS NOT NULL", name="published_expires"),
        CheckConstraint("state <> 'rejected' OR reject_reason <> ''", name="rejected_reason"),
        CheckConstraint("contact <> 'shown' OR consent_at IS NOT NULL", name="consent"),
        CheckConstraint("(kind = 'event') = (first_day IS NOT NULL)", name="event_day"),
        CheckConstraint("start_minute BETWEEN 0 AND 1439 AND end_minute BETWEEN 1 AND 2880", name="minutes"),
        CheckConstraint("end_minute > start_minute", name="ends_later"),
        CheckConstraint("repeat_weeks IN (0, 1, 2, 4)", name="repeat_weeks"),
        CheckConstraint("(repeat_weeks = 0) = (repeat_until IS NULL)", name="repeat_until"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    public_id: Mapped[UUID] = mapped_column(unique=True, default=uuid7)
    site_id: Mapped[int] = mapped_column(ForeignKey("site.id"))
    kind: Mapped[PostKind] = mapped_column(enum_column(PostKind))
    state: Mapped[PostState] = mapped_column(enum_column(PostState))
    origin: Mapped[Origin] = mapped_column(enum_column(Origin))
    language: Mapped[str] = mapped_column(default="de")
    title: Mapped[str]
    text: Mapped[str]
    translations: Mapped[dict[str, Any]] = mapped_column(default=dict)
    contact: Mapped[Contact] = mapped_column(enum_column(Contact), default=Contact.RELAY)
    contact_text: Mapped[str] = mapped_column(default="")
    consent_at: Mapped[datetime | None]
    person_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"), index=True)
    slip_key: Mapped[str | None] = mapped_column(unique=True)
    reject_reason: Mapped[str] = mapped_column(default="")
    created_at: Mapped[datetime]
    changed_at: Mapped[datetime]
    published_at: Mapped[datetime | None]
    expires_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    sequence: Mapped[int] = mapped_column(default=0)
    place: Mapped[str] = mapped_column(default="")
    first_day: Mapped[date | None]
    start_minute: Mapped[int] = mapped_column(default=0)
    end_minute: Mapped[int] = mapped_column(default=1440)
    is_all_day: Mapped[bool] = mapped_column(default=False)
    repeat_weeks: Mapped[int] = mapped_column(default=0)
    repeat_until: Mapped[date | None]
    skip_days: Mapped[list[Any]] = mapped_column(default=list)
    occurrences: Mapped[list["Occurrence"]] = relationship(
        cascade="all, delete-orphan", order_by="Occurrence.starts_at", back_populates="post"
    )


class Occurrence(Base):
    """One day of an event, in UTC; worked out from local time when the event is saved."""

    __tablename__ = "occurrence"
    __table_args__ = (
        ForeignKeyConstraint(["site_id", "post_id"], ["post.site_id", "post.id"], ondelete="CASCADE"),
        UniqueConstraint("post_id", "day"),
        Index("ix_occurrence_when", "site_id", "starts_at"),
        CheckConstraint("ends_at > starts_at", name="ends_later"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    site_id: Mapped[int]
    post_id: Mapped[int]
    day: Mapped[date]
    starts_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    post: Mapped[Post] = relationship(back_populates="occurrences")
