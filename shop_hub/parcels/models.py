"""Tables of parcels: parcels, what happened to them, couriers' sessions at a station."""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, ForeignKeyConstraint, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from shop_hub.core.db import Base, BigKey, enum_column
from shop_hub.core.ids import uuid7
from shop_hub.core.triggers import append_only
from shop_hub.lockers.models import Size, Zone
from shop_hub.people.models import Carrier, Courier, Person


class ParcelState(StrEnum):
    """Where a parcel stands (parcels.md 4, flow to the recipient)."""

    ANNOUNCED = "announced"
    DEPOSITING = "depositing"
    READY = "ready_for_pickup"
    COLLECTING = "collecting"
    EXPIRED = "expired"
    RETURNING = "returning"
    DISPUTED = "disputed"
    COLLECTED = "collected"
    RETURNED = "returned_to_carrier"
    CANCELLED = "cancelled"
    REJECTED = "rejected"
    LOST = "lost"


FINAL = (
    ParcelState.COLLECTED,
    ParcelState.RETURNED,
    ParcelState.CANCELLED,
    ParcelState.REJECTED,
    ParcelState.LOST,
)
STORED = (ParcelState.READY, ParcelState.COLLECTING, ParcelState.EXPIRED, ParcelState.RETURNING)
"""States in which the parcel lies behind a door, as far as anyone knows."""

_FINAL_SQL = ", ".join(f"'{state.value}'" for state in FINAL)
_STORED_SQL = ", ".join(f"'{state.value}'" for state in STORED)


class Channel(StrEnum):
    """Where a courier works: at the kiosk's screen or on a phone."""

    KIOSK = "kiosk"
    PHONE = "phone"


class Parcel(Base):
    """One parcel. `number` is the carrier's, in its canonical form; `sequence` counts its events.

    `recipient_name` is what the carrier or courier wrote; `person_id` the villager it belongs to, once known. Both are
    emptied some days after the end (`purged_at`). The pick-up code is kept as a look-up key and a slow hash only.
    """

    __tablename__ = "parcel"
    __table_args__ = (
        UniqueConstraint("site_id", "id"),
        ForeignKeyConstraint(["site_id", "locker_id"], ["locker.site_id", "locker.id"]),
        ForeignKeyConstraint(["site_id", "compartment_id"], ["compartment.site_id", "compartment.id"]),
        ForeignKeyConstraint(["site_id", "opening_id"], ["door_opening.site_id", "door_opening.id"]),
        ForeignKeyConstraint(["site_id", "session_id"], ["courier_session.site_id", "courier_session.id"]),
        Index(
            "ux_parcel_active_number",
            "site_id",
            "carrier_id",
            "number",
            unique=True,
            sqlite_where=text(f"state NOT IN ({_FINAL_SQL})"),
            postgresql_where=text(f"state NOT IN ({_FINAL_SQL})"),
        ),
        Index(
            "ux_parcel_stored_compartment",
            "compartment_id",
            unique=True,
            sqlite_where=text(f"state IN ('depositing', {_STORED_SQL})"),
            postgresql_where=text(f"state IN ('depositing', {_STORED_SQL})"),
        ),
        Index("ix_parcel_code_key", "code_key"),
        Index("ix_parcel_person", "person_id", "state"),
        Index("ix_parcel_site_state", "site_id", "state", "id"),
        CheckConstraint(
            f"state NOT IN ('depositing', {_STORED_SQL}) OR compartment_id IS NOT NULL", name="stored_has_compartment"
        ),
        CheckConstraint("state <> 'ready_for_pickup' OR expires_at IS NOT NULL", name="ready_has_deadline"),
        CheckConstraint("(code_key IS NULL) = (code_hash IS NULL)", name="code_whole"),
        CheckConstraint(f"code_key IS NULL OR state NOT IN ({_FINAL_SQL})", name="no_code_at_end"),
        CheckConstraint(f"(state IN ({_FINAL_SQL})) = (ended_at IS NOT NULL)", name="end_has_time"),
        CheckConstraint("sequence >= 1", name="sequence"),
        CheckConstraint("length(number) BETWEEN 1 AND 64", name="number"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    public_id: Mapped[UUID] = mapped_column(unique=True, default=uuid7)
    site_id: Mapped[int] = mapped_column(ForeignKey("site.id"))
    carrier_id: Mapped[int] = mapped_column(ForeignKey("carrier.id"))
    number: Mapped[str]
    state: Mapped[ParcelState] = mapped_column(enum_column(ParcelState))
    sequence: Mapped[int]
    size: Mapped[Size | None] = mapped_column(enum_column(Size))
    zone: Mapped[Zone] = mapped_column(enum_column(Zone), default=Zone.AMBIENT)
    is_captured: Mapped[bool] = mapped_column(default=False)
    """Nobody had announced it: the courier's scan made it known."""
    blocked_reason: Mapped[str] = mapped_column(default="")
    sender: Mapped[str] = mapped_column(default="")
    recipient_name: Mapped[str] = mapped_column(default="")
    person_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    locker_id: Mapped[int]
    compartment_id: Mapped[int | None]
    opening_id: Mapped[int | None]
    """The last opening of a door for this parcel."""
    session_id: Mapped[int | None]
    """The courier's session in which it was put in."""
    code_key: Mapped[str | None]
    code_hash: Mapped[str | None]
    announced_at: Mapped[datetime]
    ready_at: Mapped[datetime | None]
    expires_at: Mapped[datetime | None]
    extensions: Mapped[int] = mapped_column(default=0)
    told_at: Mapped[datetime | None]
    """When the recipient was last told by mail or slip."""
    ended_at: Mapped[datetime | None]
    purged_at: Mapped[datetime | None]
    carrier: Mapped[Carrier] = relationship(lazy="joined")
    person: Mapped[Person | None] = relationship(lazy="joined")

    @property
    def last_moment(self) -> datetime | None:
        """Return the last second in which it waits; `expires_at` is the midnight after it."""
        return None if self.expires_at is None else self.expires_at - timedelta(seconds=1)


class ParcelEvent(Base):
    """One thing that happened to a parcel. Rows are never changed or deleted; triggers refuse it.

    The state of a parcel is the `to_state` of its newest event. `detail` holds no names.
    """

    __tablename__ = "parcel_event"
    __table_args__ = (
        UniqueConstraint("parcel_id", "sequence"),
        ForeignKeyConstraint(["site_id", "parcel_id"], ["parcel.site_id", "parcel.id"]),
        Index("ix_parcel_event_at", "at"),
    )

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    site_id: Mapped[int]
    parcel_id: Mapped[int]
    sequence: Mapped[int]
    at: Mapped[datetime]
    kind: Mapped[str]
    from_state: Mapped[ParcelState | None] = mapped_column(enum_column(ParcelState, "from_state"))
    to_state: Mapped[ParcelState] = mapped_column(enum_column(ParcelState))
    actor: Mapped[str]
    compartment: Mapped[int | None]
    """Number of the door, kept even when the station is rebuilt."""
    detail: Mapped[dict[str, Any]]


class CourierSession(Base):
    """A courier at work at one station, from signing in to leaving or being idle for too long."""

    __tablename__ = "courier_session"
    __table_args__ = (
        UniqueConstraint("site_id", "id"),
        ForeignKeyConstraint(["site_id", "locker_id"], ["locker.site_id", "locker.id"]),
        Index("ix_courier_session_open", "courier_id", "ended_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    public_id: Mapped[UUID] = mapped_column(unique=True, default=uuid7)
    site_id: Mapped[int] = mapped_column(ForeignKey("site.id"))
    locker_id: Mapped[int]
    courier_id: Mapped[int] = mapped_column(ForeignKey("courier.id"))
    carrier_id: Mapped[int] = mapped_column(ForeignKey("carrier.id"))
    channel: Mapped[Channel] = mapped_column(enum_column(Channel))
    kiosk_id: Mapped[int | None]
    started_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    courier: Mapped[Courier] = relationship(lazy="joined")


append_only(ParcelEvent.__table__)
