"""What each kind of device tells and does, node by node: the part of the contract a maker of hardware starts with.

A node is recognised by its `type` in `$description`. Data of events may hold more than is named here; arguments of
commands may not.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from devices.protocol.limits import ATM_STALE_MS, LEASE_MAX_AGE_MS, SENSOR_STALE_INTERVALS

Schema = Mapping[str, Any]
Reference = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,40}$")]


class Arguments(BaseModel):
    """Arguments of a command: exactly these, each must be understood."""

    model_config = ConfigDict(strict=True, extra="forbid")


class VendArguments(Arguments):
    """Turn the motor of `slot` once; `order` comes back in the event and the result."""

    slot: str
    order: str


PlanRow = Annotated[list[Annotated[int, Field(ge=0, le=10**7)]], Field(min_length=5, max_length=6)]


class PlanArguments(Arguments):
    """The planogram: `[item, price_cents, capacity, fill, pieces, replaced]` by slot.

    `item` is the machine's own number of the slot, 0 = none. `pieces` count only when `fill` is another number than
    before: then a person has counted the slot, and a jam or doubt is over. Only when `replaced` is a higher number than
    before has a person put fresh goods in: then what got too warm is gone.
    """

    revision: int = Field(ge=1)
    slots: dict[str, PlanRow]


class LockArguments(Arguments):
    """One lock by its board and its number there, from 1; only while the station is being set up."""

    board: str = Field(max_length=20)
    channel: int = Field(ge=1, le=64)


class MapArguments(Arguments):
    """A new door map: for each board the numbers of its compartments by channel, 0 = none."""

    revision: int = Field(ge=1)
    doors: dict[str, list[int]]


class UnlockArguments(Arguments):
    """Release the opener for so many seconds."""

    hold_s: int = Field(ge=1, le=60)


class ModeArguments(Arguments):
    """`auto`: the hub decides, and without it the stored opening rule."""

    mode: Literal["auto", "locked", "free"]


Moment = Annotated[int, Field(ge=0, le=4_102_444_800)]


class RuleArguments(Arguments):
    """The opening rule for times without the hub: from when to when the door is free, in seconds since 1970.

    Holidays and special days are in it, since the hub has worked them out. After `until` the rule says nothing.
    """

    windows: list[Annotated[list[Moment], Field(min_length=2, max_length=2)]] = Field(max_length=70)
    until: Moment


class ChargeArguments(Arguments):
    """Take `cents` from a card; the same reference is charged at most once, whatever the command's id."""

    cents: int = Field(ge=1, le=999_999)
    reference: Reference


class ReferenceArguments(Arguments):
    """The payment that is meant."""

    reference: Reference


class Document(Arguments):
    """A slip: a title, lines of text and, if given, a QR code at the end."""

    title: str = Field(default="", max_length=60)
    lines: list[str] = Field(default_factory=list, max_length=60)
    qr: str = Field(default="", max_length=512)


class PrintArguments(Arguments):
    """Print one slip."""

    document: Document


class Data(BaseModel):
    """Data of an event; unknown fields are ignored."""

    model_config = ConfigDict(strict=True, extra="ignore")


class ClosedData(Data):
    """What the sensors say right after a compartment was closed; `occupied` is null without such a sensor."""

    occupied: bool | None = None
    open_ms: int = Field(ge=0)


class StuckData(Data):
    """What the light barrier says although the door was never open."""

    occupied: bool


class VendedData(Data):
    """A piece fell; `order` is the command's, `stock` the pieces left."""

    order: str
    stock: int = Field(ge=0)


class RefilledData(Data):
    """A person filled the slot up to `stock` pieces; the machine had counted `expected`."""

    stock: int = Field(ge=0)
    expected: int


class AuditData(Data):
    """Pieces handed out since the slot was built in."""

    vended: int = Field(ge=0)


class AuditFileData(Data):
    """A part of an audit file of the machine (EVA-DTS)."""

    file: str
    part: int
    parts: int
    content: str


class StatusData(Data):
    """The cash machine's new service state."""

    service: Literal["inService", "outOfService", "supervisor", "unknown"]


class ScannedData(Data):
    """A code as it was read; `cut` says that it was longer than 512 characters."""

    symbology: str
    data: str = Field(max_length=512)
    cut: bool = False


class TemperatureData(Data):
    """Thousandths of a degree Celsius."""

    temperature: int


@dataclass(frozen=True, slots=True)
class NodeKind:
    """One type of node: its properties (JSON Schema of `value`), commands and events."""

    name: str
    """The `type` in `$description`."""
    usual_id: str
    """How such nodes are usually named; any id will do."""
    properties: Mapping[str, Schema] = field(default_factory=dict)
    operations: Mapping[str, type[Arguments]] = field(default_factory=dict)
    events: Mapping[str, type[Data]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of device, as in `$description`."""

    name: str
    stale: str
    """When the hub stops believing its states."""
    nodes: tuple[NodeKind, ...]

    @property
    def actuates(self) -> bool:
        """Whether it takes commands and therefore gives out leases."""
        return any(node.operations for node in self.nodes)

    def node(self, name: str) -> NodeKind | None:
        """Return a type of node, or None."""
        return next((node for node in self.nodes if node.name == name), None)


def _words(*words: str) -> Schema:
    return {"type": "string", "enum": list(words)}


def _whole(unit: str, **limits: int) -> Schema:
    return {"type": ["integer", "null"], "description": unit, **limits}


_LEASED = f"no lease for {LEASE_MAX_AGE_MS // 1000} s"
_SENSED = f"nothing heard for {SENSOR_STALE_INTERVALS} of its intervals"
_MILLIDEGREES = "thousandths of a degree Celsius; null: the probe is silent"

LOCKER = Kind(
    "locker",
    _LEASED,
    (
        NodeKind(
            "compartment",
            "box-01",
            {
                "door": _words("open", "closed", "unknown"),
                "lock": _words("locked", "unlocked", "jam", "unknown"),
                "occupied": {"type": "boolean"},
                "temperature": _whole(_MILLIDEGREES),
            },
            {"open": Arguments},
            {
                "opened": Data,
                "closed": ClosedData,
                "forced": Data,
                "left-open": Data,
                "jam": Data,
                "sensor-stuck": StuckData,
            },
        ),
        NodeKind("board", "board-1", {"state": _words("ok", "lost")}, events={"board-lost": Data}),
        NodeKind(
            "setup",
            "setup",
            {"mode": {"type": "boolean"}, "map": _whole("revision of the door map", minimum=0)},
            {
                "scan": Arguments,
                "test": LockArguments,
                "halt": LockArguments,
                "map": MapArguments,
                "end": Arguments,
            },
        ),
    ),
)
VENDING = Kind(
    "vending",
    _LEASED,
    (
        NodeKind(
            "machine",
            "unit",
            {
                "temperature": _whole(_MILLIDEGREES),
                "door": _words("open", "closed"),
                "plan": _whole("revision of the planogram", minimum=0),
                "choice": _words("hub", "machine"),
            },
            {"vend": VendArguments, "plan": PlanArguments},
            {"audit": AuditFileData},
        ),
        NodeKind(
            "slot",
            "slot-01",
            {"stock": _whole("pieces", minimum=0), "state": _words("ok", "empty", "jam", "warm", "doubt")},
            events={"vended": VendedData, "jam": Data, "refilled": RefilledData, "audit": AuditData},
        ),
    ),
)
ATM = Kind(
    "atm",
    f"nothing heard for {ATM_STALE_MS // 1000} s",
    (
        NodeKind(
            "atm",
            "atm",
            {"status": {"type": "object", "required": ["service", "device", "cash", "units"]}},
            events={"status-changed": StatusData},
        ),
    ),
)
DOOR = Kind(
    "door",
    _LEASED,
    (
        NodeKind(
            "entrance",
            "door",
            {
                "door": _words("open", "closed", "unknown"),
                "lock": _words("locked", "released", "free", "unknown"),
                "mode": _words("auto", "locked", "free"),
                "rule": {"type": "object", "description": "the stored opening rule, as it came"},
            },
            {"unlock": UnlockArguments, "mode": ModeArguments, "rule": RuleArguments},
            {"entry": Data, "exit": Data, "forced": Data, "held-open": Data},
        ),
    ),
)
TERMINAL = Kind(
    "terminal",
    _LEASED,
    (
        NodeKind(
            "terminal",
            "terminal",
            {"state": _words("ready", "busy", "insert-card", "processing", "offline", "unknown")},
            {"charge": ChargeArguments, "reverse": ReferenceArguments, "status": ReferenceArguments},
        ),
    ),
)
PRINTER = Kind(
    "printer",
    _LEASED,
    (
        NodeKind(
            "printer",
            "printer",
            {"state": _words("ok", "paper-out", "cover-open", "offline")},
            {"print": PrintArguments},
        ),
    ),
)
SCANNER = Kind(
    "scanner", "never: it speaks only when used", (NodeKind("scanner", "scanner", events={"scanned": ScannedData}),)
)
THERMOMETER = Kind(
    "thermometer",
    _SENSED,
    (
        NodeKind(
            "climate",
            "probe",
            {
                "temperature": _whole(_MILLIDEGREES),
                "humidity": _whole("thousandths", minimum=0, maximum=1000),
                "battery": _whole("thousandths", minimum=0, maximum=1000),
                "limits": {
                    "type": "object",
                    "properties": {"low": {"type": "integer"}, "high": {"type": "integer"}},
                    "required": ["low", "high"],
                },
            },
            events={"limit-exceeded": TemperatureData, "back-to-normal": TemperatureData},
        ),
    ),
)
KINDS: Mapping[str, Kind] = {
    kind.name: kind for kind in (LOCKER, VENDING, ATM, DOOR, TERMINAL, PRINTER, SCANNER, THERMOMETER)
}
