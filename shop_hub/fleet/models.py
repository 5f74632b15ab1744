"""Tables of the device side: registry, states, events, commands, dead letters, the hub's lease, kiosks."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import JSON, CheckConstraint, ForeignKey, ForeignKeyConstraint, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from shop_hub.core.db import Base, BigKey, enum_column
from shop_hub.core.ids import uuid7


class DeviceKind(StrEnum):
    """What a device is; the word in its `$description`."""

    LOCKER = "locker"
    VENDING = "vending"
    ATM = "atm"
    DOOR = "door"
    TERMINAL = "terminal"
    SCANNER = "scanner"
    PRINTER = "printer"
    THERMOMETER = "thermometer"


ACTUATORS = frozenset({DeviceKind.LOCKER, DeviceKind.VENDING, DeviceKind.DOOR, DeviceKind.TERMINAL, DeviceKind.PRINTER})
"""Kinds that take commands and therefore hand out leases."""


class Link(StrEnum):
    """How well the hub knows a device right now. Only READY devices get commands and have a current state."""

    NEVER = "never"
    """Nothing was ever heard."""
    OFFLINE = "offline"
    """It said goodbye, or the broker sent its last will."""
    SILENT = "silent"
    """Nothing heard for longer than its kind allows: its states are unknown."""
    BEHIND = "behind"
    """It speaks, but events are missing that it has numbered already."""
    READY = "ready"


class Happening(StrEnum):
    """What a device's history of health knows besides its link."""

    VERSION = "version"
    """Driver, firmware or protocol became another one."""
    BOOT = "boot"
    LIFE = "life"
    """Its journal was lost or replaced: a new life began."""


class CommandState(StrEnum):
    """Life of a command. The first four are unresolved: no other command for that node until then."""

    NEW = "new"
    SENT = "sent"
    ACCEPTED = "accepted"
    UNCONFIRMED = "unconfirmed"
    """Nobody knows yet; the device is being asked."""
    DONE = "done"
    PARTIAL = "partial"
    FAILED = "failed"
    REJECTED = "rejected"
    EXPIRED = "expired"
    """Certainly not done: never sent, or the device has sworn that it never will."""
    UNKNOWN = "unknown"
    """It may or may not have happened, and the device cannot tell any more: look at the sensor."""


PLAN_COLUMNS = 8
PLAN_ROWS = 10
"""Squares of a shop's plan: eight touch targets fit side by side on a phone."""
UNRESOLVED = (CommandState.NEW, CommandState.SENT, CommandState.ACCEPTED, CommandState.UNCONFIRMED)
IS_UNRESOLVED = text("device_command.state IN ('new', 'sent', 'accepted', 'unconfirmed')")
"""As literal text, so that SQLite finds the partial index."""
IS_NEW = text("device_command.state = 'new'")
_UNRESOLVED_SQL = text("state IN ('new', 'sent', 'accepted', 'unconfirmed')")
_NEW_SQL = text("state = 'new'")
_OPEN_SQL = text("cleared_at IS NULL")


class Kiosk(Base):
    """A touchscreen of a site, paired with one browser or several over its life."""

    __tablename__ = "kiosk"
    __table_args__ = (UniqueConstraint("site_id", "id"), UniqueConstraint("site_id", "register_code"))

    id: Mapped[int] = mapped_column(primary_key=True)
    public_id: Mapped[UUID] = mapped_column(unique=True, default=uuid7)
    site_id: Mapped[int] = mapped_column(ForeignKey("site.id"))
    name: Mapped[str]
    register_code: Mapped[str]
    """Prefix of the receipt numbers of this till, e.g. "K1"."""


class Device(Base):
    """A machine that speaks MQTT. Its MAC key and broker password are derived from the hub's secret, never stored.

    `epoch`, `boot`, `seq` say up to where its events and results are committed.
    """

    __tablename__ = "device"
    __table_args__ = (
        UniqueConstraint("site_id", "id"),
        UniqueConstraint("site_id", "slug"),
        ForeignKeyConstraint(["site_id", "kiosk_id"], ["kiosk.site_id", "kiosk.id"]),
        CheckConstraint("length(slug) BETWEEN 1 AND 40 AND slug <> 'hub'", name="slug"),
        CheckConstraint("seq >= 0 AND boot >= 0 AND map_revision >= 0 AND key_generation >= 1", name="counters"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    public_id: Mapped[UUID] = mapped_column(unique=True, default=uuid7)
    site_id: Mapped[int] = mapped_column(ForeignKey("site.id"))
    slug: Mapped[str]
    kind: Mapped[DeviceKind] = mapped_column(enum_column(DeviceKind))
    name: Mapped[str]
    kiosk_id: Mapped[int | None]
    """Scanner and printer: the kiosk they stand at."""
    is_revoked: Mapped[bool] = mapped_column(default=False)
    key_generation: Mapped[int] = mapped_column(default=1)
    map_revision: Mapped[int] = mapped_column(default=0)
    """Revision of the door map or planogram: the device refuses commands decided on another one."""
    description: Mapped[dict[str, Any]] = mapped_column(default=dict)
    presence: Mapped[str] = mapped_column(default="")
    """Last `$state` word; empty if none was ever heard."""
    link: Mapped[Link] = mapped_column(enum_column(Link), default=Link.NEVER)
    link_at: Mapped[datetime | None]
    epoch: Mapped[str] = mapped_column(default="")
    boot: Mapped[int] = mapped_column(BigKey, default=0)
    seq: Mapped[int] = mapped_column(BigKey, default=0)
    past_epochs: Mapped[list[Any]] = mapped_column(default=list)
    """Lives of the device's journal that have ended: what still comes from them is old."""


class DevicePlace(Base):
    """Where a device stands: in the operator's words, and its square on the plan of the shop, counted from 1."""

    __tablename__ = "device_place"
    __table_args__ = (
        ForeignKeyConstraint(["site_id", "device_id"], ["device.site_id", "device.id"]),
        CheckConstraint(
            "(plan_column IS NULL AND plan_row IS NULL)"
            f" OR (plan_column BETWEEN 1 AND {PLAN_COLUMNS} AND plan_row BETWEEN 1 AND {PLAN_ROWS})",
            name="plan",
        ),
    )

    device_id: Mapped[int] = mapped_column(primary_key=True)
    site_id: Mapped[int]
    words: Mapped[str] = mapped_column(default="")
    plan_column: Mapped[int | None]
    plan_row: Mapped[int | None]


class PlanRoom(Base):
    """A room on the plan of a shop: a rectangle of squares, counted from 1."""

    __tablename__ = "plan_room"
    __table_args__ = (
        UniqueConstraint("site_id", "id"),
        CheckConstraint(
            "plan_column >= 1 AND plan_row >= 1 AND width >= 1 AND height >= 1"
            f" AND plan_column + width <= {PLAN_COLUMNS + 1} AND plan_row + height <= {PLAN_ROWS + 1}",
            name="inside",
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    public_id: Mapped[UUID] = mapped_column(unique=True, default=uuid7)
    site_id: Mapped[int] = mapped_column(ForeignKey("site.id"))
    name: Mapped[str]
    plan_column: Mapped[int]
    plan_row: Mapped[int]
    width: Mapped[int]
    height: Mapped[int]


class DevicePairing(Base):
    """The code by which a machine gets its keys, once. Only its hash is kept; a new one takes the place of the last."""

    __tablename__ = "device_pairing"
    __table_args__ = (ForeignKeyConstraint(["site_id", "device_id"], ["device.site_id", "device.id"]),)

    device_id: Mapped[int] = mapped_column(primary_key=True)
    site_id: Mapped[int]
    hash: Mapped[str] = mapped_column(unique=True)
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class DeviceProperty(Base):
    """The newest state of one property of one node."""

    __tablename__ = "device_property"
    __table_args__ = (ForeignKeyConstraint(["site_id", "device_id"], ["device.site_id", "device.id"]),)

    device_id: Mapped[int] = mapped_column(primary_key=True)
    node: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    site_id: Mapped[int]
    value: Mapped[Any] = mapped_column(JSON)
    epoch: Mapped[str]
    boot: Mapped[int] = mapped_column(BigKey)
    seq: Mapped[int] = mapped_column(BigKey)
    at: Mapped[datetime]
    """When the hub heard it."""


MISSING = "$missing"
"""In a region: reports with these numbers were not received; the data say `first` and `last`."""
ANSWER = "$answer"
"""In a region: the answer to an order of the village's hub. Words of devices begin with a letter, so both are ours."""


class DeviceEvent(Base):
    """Something that happened at a device, once."""

    __tablename__ = "device_event"
    __table_args__ = (
        UniqueConstraint("device_id", "epoch", "boot", "seq"),
        ForeignKeyConstraint(["site_id", "device_id"], ["device.site_id", "device.id"]),
        Index("ix_device_event_at", "device_id", "at"),
    )

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    site_id: Mapped[int]
    device_id: Mapped[int]
    epoch: Mapped[str]
    boot: Mapped[int] = mapped_column(BigKey)
    seq: Mapped[int] = mapped_column(BigKey)
    node: Mapped[str]
    type: Mapped[str]
    cause: Mapped[str] = mapped_column(default="")
    """ULID of the command that led to it, or empty."""
    data: Mapped[dict[str, Any]]
    at: Mapped[datetime]
    """When the hub heard it."""
    happened_at: Mapped[datetime]
    """When it happened, as far as the device's clocks can tell; else the same as `at`."""


class DeviceCommand(Base):
    """A wish to move something, valid for a moment only (devices.md section 5)."""

    __tablename__ = "device_command"
    __table_args__ = (
        UniqueConstraint("site_id", "id"),
        ForeignKeyConstraint(["site_id", "device_id"], ["device.site_id", "device.id"]),
        Index(
            "uq_device_command_unresolved",
            "device_id",
            "node",
            unique=True,
            sqlite_where=_UNRESOLVED_SQL,
            postgresql_where=_UNRESOLVED_SQL,
        ),
        Index("ix_device_command_new", "hub_boot", sqlite_where=_NEW_SQL, postgresql_where=_NEW_SQL),
        Index("ix_device_command_touched", "device_id", "touched_at"),
        CheckConstraint("ttl_ms BETWEEN 1 AND 60000", name="ttl"),
    )

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    ulid: Mapped[str] = mapped_column(unique=True)
    site_id: Mapped[int]
    device_id: Mapped[int]
    node: Mapped[str]
    op: Mapped[str]
    args: Mapped[dict[str, Any]]
    by: Mapped[str]
    """What allowed it (`grant:…`, `staff:…`): a reference, never a name."""
    ttl_ms: Mapped[int]
    state: Mapped[CommandState] = mapped_column(enum_column(CommandState), default=CommandState.NEW)
    code: Mapped[str] = mapped_column(default="")
    result: Mapped[dict[str, Any]] = mapped_column(default=dict)
    given_up_by: Mapped[str] = mapped_column(default="")
    """Operator who no longer waits for an answer: the worker then calls the outcome unknown."""
    hub_boot: Mapped[int]
    epoch: Mapped[str]
    """Life of the device's journal for which it was made."""
    touched_at: Mapped[datetime]
    sent_at: Mapped[datetime | None]
    accepted_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]


class DeviceAlert(Base):
    """Something a device complains about; `cleared_at` is None while it holds."""

    __tablename__ = "device_alert"
    __table_args__ = (
        ForeignKeyConstraint(["site_id", "device_id"], ["device.site_id", "device.id"]),
        Index(
            "uq_device_alert_open",
            "device_id",
            "name",
            unique=True,
            sqlite_where=_OPEN_SQL,
            postgresql_where=_OPEN_SQL,
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    site_id: Mapped[int]
    device_id: Mapped[int]
    name: Mapped[str]
    text: Mapped[str]
    since: Mapped[datetime]
    cleared_at: Mapped[datetime | None]


class DeviceHealth(Base):
    """One change of a device's link: its history of health."""

    __tablename__ = "device_health"
    __table_args__ = (
        ForeignKeyConstraint(["site_id", "device_id"], ["device.site_id", "device.id"]),
        Index("ix_device_health_at", "device_id", "at"),
    )

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    site_id: Mapped[int]
    device_id: Mapped[int]
    link: Mapped[Link] = mapped_column(enum_column(Link))
    at: Mapped[datetime]


class DeviceChange(Base):
    """Something rare that happened to a device as a whole: other versions, a restart, a lost journal."""

    __tablename__ = "device_change"
    __table_args__ = (
        ForeignKeyConstraint(["site_id", "device_id"], ["device.site_id", "device.id"]),
        Index("ix_device_change_at", "device_id", "at"),
    )

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    site_id: Mapped[int]
    device_id: Mapped[int]
    what: Mapped[Happening] = mapped_column(enum_column(Happening))
    detail: Mapped[dict[str, Any]]
    """VERSION: what changed, as `{field: [before, after]}`; BOOT and LIFE: `epoch` and `boot`."""
    at: Mapped[datetime]


class DeadLetter(Base):
    """A message that could not be used; kept for a person to look at, never tried again."""

    __tablename__ = "dead_letter"
    __table_args__ = (Index("ix_dead_letter_at", "at"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    site_id: Mapped[int | None] = mapped_column(ForeignKey("site.id"))
    device_id: Mapped[int | None] = mapped_column(ForeignKey("device.id"))
    topic: Mapped[str]
    reason: Mapped[str]
    payload: Mapped[str]
    """At most 1,000 characters, unreadable bytes replaced."""
    at: Mapped[datetime]
    seen_by: Mapped[str] = mapped_column(default="")
    """Actor who has looked at it."""


class HubWorker(Base):
    """A worker process of many that share the partitions (PostgreSQL only)."""

    __tablename__ = "hub_worker"

    owner: Mapped[str] = mapped_column(primary_key=True)
    until: Mapped[datetime]


class HubLease(Base):
    """Which process is the hub of a partition of the sites; the devices' side of it is the generation."""

    __tablename__ = "hub_lease"

    name: Mapped[str] = mapped_column(primary_key=True)
    partition: Mapped[int] = mapped_column(server_default="0", default=0)
    owner: Mapped[str]
    boot: Mapped[int]
    """Raised at every start: commands of another boot are never sent."""
    generation: Mapped[int] = mapped_column(BigKey)
    """Raised at every take-over and restore: devices refuse lower ones."""
    until: Mapped[datetime]
    is_released: Mapped[bool] = mapped_column(default=False)
