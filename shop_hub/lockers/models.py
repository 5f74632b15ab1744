"""Tables of the parcel station: stations, compartments, openings of doors."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, ForeignKeyConstraint, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from shop_hub.core.db import Base, BigKey, enum_column
from shop_hub.core.ids import uuid7


class Size(StrEnum):
    """Size of a compartment or parcel, smallest first."""

    S = "S"
    M = "M"
    L = "L"
    XL = "XL"

    @property
    def rank(self) -> int:
        """Return the place in the order of sizes, from 0."""
        return list(Size).index(self)


class Zone(StrEnum):
    """How warm it is inside."""

    AMBIENT = "ambient"
    COOL = "cool"
    FROZEN = "frozen"


class Allocation(StrEnum):
    """Whom a compartment belongs to at the moment. Changed by conditional UPDATE only."""

    FREE = "free"
    RESERVED = "reserved"
    OCCUPIED = "occupied"
    SUSPECT = "suspect"


class Door(StrEnum):
    """What the door sensor last said."""

    OPEN = "open"
    CLOSED = "closed"
    UNKNOWN = "unknown"


class Service(StrEnum):
    """Whether the operator lets a compartment be used."""

    IN_SERVICE = "in_service"
    OUT_OF_SERVICE = "out_of_service"
    MAINTENANCE = "maintenance"


class Purpose(StrEnum):
    """Why a door was opened."""

    DEPOSIT = "deposit"
    UNDO = "undo"
    PICKUP = "pickup"
    REOPEN = "reopen"
    HANDBACK = "handback"
    STAFF = "staff"


class OpeningState(StrEnum):
    """How far an opening has come. `opened` and `closed` are only ever said by the door sensor."""

    REQUESTED = "requested"
    OPENED = "opened"
    CLOSED = "closed"
    NOT_OPENED = "not_opened"
    REFUSED = "refused"
    UNKNOWN = "unknown"


LIVE_OPENINGS = (OpeningState.REQUESTED, OpeningState.OPENED)


class Locker(Base):
    """One parcel station; `device_id` is the device that moves its doors."""

    __tablename__ = "locker"
    __table_args__ = (
        UniqueConstraint("site_id", "id"),
        ForeignKeyConstraint(["site_id", "device_id"], ["device.site_id", "device.id"]),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    public_id: Mapped[UUID] = mapped_column(unique=True, default=uuid7)
    site_id: Mapped[int] = mapped_column(ForeignKey("site.id"))
    device_id: Mapped[int] = mapped_column(unique=True)
    name: Mapped[str]


class Compartment(Base):
    """One door with what lies behind it: three independent columns, and what the sensors last said.

    `column` and `row` count from 1, top left, as a person stands before the station. `is_to_check` asks the next
    courier to look inside, where no sensor could tell that the compartment is empty (decisions.md 5).
    """

    __tablename__ = "compartment"
    __table_args__ = (
        UniqueConstraint("site_id", "id"),
        UniqueConstraint("locker_id", "number"),
        UniqueConstraint("locker_id", "node"),
        UniqueConstraint("locker_id", "column", "row"),
        ForeignKeyConstraint(["site_id", "locker_id"], ["locker.site_id", "locker.id"]),
        CheckConstraint("number > 0", name="number"),
        CheckConstraint('"column" > 0 AND "row" > 0', name="place"),
        CheckConstraint("service = 'in_service' OR service_reason <> ''", name="reason_when_out_of_service"),
        CheckConstraint("allocation <> 'suspect' OR suspect_reason <> ''", name="reason_when_suspect"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    public_id: Mapped[UUID] = mapped_column(unique=True, default=uuid7)
    site_id: Mapped[int] = mapped_column(ForeignKey("site.id"))
    locker_id: Mapped[int]
    number: Mapped[int]
    node: Mapped[str]
    size: Mapped[Size] = mapped_column(enum_column(Size))
    zone: Mapped[Zone] = mapped_column(enum_column(Zone), default=Zone.AMBIENT)
    is_accessible: Mapped[bool] = mapped_column(default=False)
    column: Mapped[int]
    row: Mapped[int]
    allocation: Mapped[Allocation] = mapped_column(enum_column(Allocation), default=Allocation.FREE)
    allocation_since: Mapped[datetime]
    suspect_reason: Mapped[str] = mapped_column(default="")
    door: Mapped[Door] = mapped_column(enum_column(Door), default=Door.UNKNOWN)
    door_since: Mapped[datetime]
    presence: Mapped[bool | None]
    service: Mapped[Service] = mapped_column(enum_column(Service), default=Service.IN_SERVICE)
    service_reason: Mapped[str] = mapped_column(default="")
    is_to_check: Mapped[bool] = mapped_column(default=False)


class DoorOpening(Base):
    """One request to open a door and what became of it.

    `actor` and `grant` say who asked and what allowed it, by kind and number; `reason` is the operator's, in words.
    """

    __tablename__ = "door_opening"
    __table_args__ = (
        UniqueConstraint("site_id", "id"),
        ForeignKeyConstraint(["site_id", "compartment_id"], ["compartment.site_id", "compartment.id"]),
        ForeignKeyConstraint(["site_id", "command_id"], ["device_command.site_id", "device_command.id"]),
        Index(
            "ux_door_opening_live",
            "compartment_id",
            unique=True,
            sqlite_where=text("state IN ('requested', 'opened')"),
            postgresql_where=text("state IN ('requested', 'opened')"),
        ),
        Index("ix_door_opening_compartment", "compartment_id", "id"),
        CheckConstraint("purpose <> 'staff' OR reason <> ''", name="staff_needs_reason"),
        CheckConstraint("state NOT IN ('opened', 'closed') OR opened_at IS NOT NULL", name="opened_has_time"),
        CheckConstraint("state <> 'closed' OR closed_at IS NOT NULL", name="closed_has_time"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    public_id: Mapped[UUID] = mapped_column(unique=True, default=uuid7)
    site_id: Mapped[int] = mapped_column(ForeignKey("site.id"))
    compartment_id: Mapped[int]
    purpose: Mapped[Purpose] = mapped_column(enum_column(Purpose))
    actor: Mapped[str]
    grant: Mapped[str]
    reason: Mapped[str] = mapped_column(default="")
    command_id: Mapped[int | None] = mapped_column(BigKey, unique=True)
    state: Mapped[OpeningState] = mapped_column(enum_column(OpeningState), default=OpeningState.REQUESTED)
    code: Mapped[str] = mapped_column(default="")
    requested_at: Mapped[datetime]
    opened_at: Mapped[datetime | None]
    closed_at: Mapped[datetime | None]
    left_open_at: Mapped[datetime | None]
    presence_after: Mapped[bool | None]


class SetupState(StrEnum):
    """How far the setting up of a station has come."""

    SCANNING = "scanning"
    TESTING = "testing"
    WRITING = "writing"
    DONE = "done"
    ENDED = "ended"


OPEN_SETUPS = (SetupState.SCANNING, SetupState.TESTING, SetupState.WRITING)


class LockState(StrEnum):
    """What is known of one lock of a board. `mapped` and `unused` are a person's word, after looking."""

    UNTESTED = "untested"
    TESTING = "testing"
    OPENED = "opened"
    STAYED_SHUT = "stayed_shut"
    UNKNOWN = "unknown"
    MAPPED = "mapped"
    UNUSED = "unused"


class StationSetup(Base):
    """A technician stands before a station and goes through its locks, one by one (devices.md 4, parcels.md O12).

    `boards` is what the last scan found; `command_id` the step that is under way; `problem` why it cannot go on.
    """

    __tablename__ = "station_setup"
    __table_args__ = (
        UniqueConstraint("site_id", "id"),
        ForeignKeyConstraint(["site_id", "device_id"], ["device.site_id", "device.id"]),
        ForeignKeyConstraint(["site_id", "command_id"], ["device_command.site_id", "device_command.id"]),
        Index(
            "ux_station_setup_open",
            "device_id",
            unique=True,
            sqlite_where=text("state IN ('scanning', 'testing', 'writing')"),
            postgresql_where=text("state IN ('scanning', 'testing', 'writing')"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    public_id: Mapped[UUID] = mapped_column(unique=True, default=uuid7)
    site_id: Mapped[int] = mapped_column(ForeignKey("site.id"))
    device_id: Mapped[int]
    state: Mapped[SetupState] = mapped_column(enum_column(SetupState))
    boards: Mapped[list[Any]] = mapped_column(default=list)
    revision: Mapped[int] = mapped_column(default=0)
    """The door map's number once it is being written; 0 before."""
    problem: Mapped[str] = mapped_column(default="")
    command_id: Mapped[int | None] = mapped_column(BigKey)
    started_by: Mapped[str]
    started_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]


class SetupLock(Base):
    """One lock as it was tried: what the contacts saw (`seen`: board and channel), and which door a person saw."""

    __tablename__ = "setup_lock"
    __table_args__ = (
        ForeignKeyConstraint(["site_id", "setup_id"], ["station_setup.site_id", "station_setup.id"]),
        ForeignKeyConstraint(["site_id", "command_id"], ["device_command.site_id", "device_command.id"]),
        UniqueConstraint("setup_id", "board", "channel"),
        UniqueConstraint("setup_id", "number"),
        CheckConstraint("channel > 0", name="channel"),
        CheckConstraint("(state = 'mapped') = (number IS NOT NULL)", name="mapped_has_number"),
        CheckConstraint("(number IS NULL) = (size IS NULL)", name="number_has_size"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    public_id: Mapped[UUID] = mapped_column(unique=True, default=uuid7)
    site_id: Mapped[int] = mapped_column(ForeignKey("site.id"))
    setup_id: Mapped[int]
    board: Mapped[str]
    channel: Mapped[int]
    state: Mapped[LockState] = mapped_column(enum_column(LockState), default=LockState.UNTESTED)
    code: Mapped[str] = mapped_column(default="")
    seen: Mapped[list[Any]] = mapped_column(default=list)
    number: Mapped[int | None]
    size: Mapped[Size | None] = mapped_column(enum_column(Size))
    command_id: Mapped[int | None] = mapped_column(BigKey)
