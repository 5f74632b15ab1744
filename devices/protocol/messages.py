"""Every message of the contract, as a frozen model that refuses what the contract does not allow.

All are UTF-8 JSON of at most 4 kB with integers only (ms, cents, thousandths). Unknown fields are refused in
commands, because a field that is not understood might change what is asked for, and ignored everywhere else.
"""

from enum import StrEnum
from typing import Annotated, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue, StringConstraints, ValidationError, model_validator

from devices.protocol.ids import ULID_PATTERN
from devices.protocol.limits import MAX_PAYLOAD_BYTES, PROTOCOL_VERSION

CommandId = Annotated[str, StringConstraints(pattern=ULID_PATTERN)]
NodeId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{1,64}$")]
Word = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,39}$")]
Epoch = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{16}$")]
Count = Annotated[int, Field(ge=0, le=2**53)]
Mac = Annotated[str, StringConstraints(pattern=r"^([0-9a-f]{64})?$")]


class MessageError(ValueError):
    """A payload that is no valid message: too large, no JSON, or of another shape."""


class Message(BaseModel):
    """Base of all messages: strict types, immutable, ignoring what is unknown."""

    model_config = ConfigDict(strict=True, frozen=True, extra="ignore")
    v: int = Field(default=PROTOCOL_VERSION, ge=PROTOCOL_VERSION, le=PROTOCOL_VERSION)

    def encode(self) -> bytes:
        """Return the JSON bytes for the wire.

        Raises:
            MessageError: more than 4 kB.
        """
        payload = self.model_dump_json(exclude_none=True).encode()
        if len(payload) > MAX_PAYLOAD_BYTES:
            raise MessageError(f"{type(self).__name__} of {len(payload)} bytes")
        return payload

    @classmethod
    def decode(cls, payload: bytes) -> Self:
        """Return the message in a payload.

        Raises:
            MessageError: too large, no JSON, or another shape; the text names fields, never values.
        """
        if len(payload) > MAX_PAYLOAD_BYTES:
            raise MessageError(f"{cls.__name__} of {len(payload)} bytes")
        try:
            return cls.model_validate_json(payload)
        except ValidationError as error:
            fields = ", ".join(
                f"{'.'.join(map(str, e['loc']))}: {e['type']}" for e in error.errors(include_input=False)
            )
            raise MessageError(f"{cls.__name__}: {fields}") from None


class DeviceState(StrEnum):
    """Presence on `$state`, sent as the bare word (Homie 5); `lost` is the last will."""

    INIT = "init"
    READY = "ready"
    DISCONNECTED = "disconnected"
    SLEEPING = "sleeping"
    LOST = "lost"


class ResultState(StrEnum):
    """A final verdict. `unknown` means: it may or may not have happened, look at the sensor."""

    DONE = "done"
    FAILED = "failed"
    PARTIAL = "partial"
    REJECTED = "rejected"
    UNKNOWN = "unknown"


class Code(StrEnum):
    """Reasons in `Result.code`; drivers may add words of their own."""

    OK = ""
    BAD_MAC = "bad_mac"
    MALFORMED = "malformed"
    WRONG_VERSION = "wrong_version"
    RETAINED = "retained"
    OLD_GENERATION = "old_generation"
    MAP_CHANGED = "map_changed"
    STALE_LEASE = "stale_lease"
    EXPIRED = "expired"
    BUSY = "busy"
    STOPPED = "stopped"
    NOT_FOUND = "not_found"
    BAD_ARGUMENTS = "bad_arguments"
    UNKNOWN_ID = "unknown_id"
    JAM = "jam"
    EMPTY = "empty"
    WARM = "warm"
    NO_ANSWER = "no_answer"
    TIMEOUT = "timeout"
    UNRESOLVED = "unresolved"
    NOT_OPENED = "not_opened"
    INTERRUPTED = "interrupted"
    OFFLINE = "offline"
    DECLINED = "declined"
    ABORTED = "aborted"
    FAULT = "fault"


class Command(Message):
    """The hub asks a node to do something, once, now or never."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")

    id: CommandId
    op: Word
    lease: str = Field(min_length=1, max_length=64)
    ttl_ms: int = Field(ge=1, le=60_000)
    """The device must begin within this time after the command arrived (the lease bounds how late it can arrive)."""
    map: Count
    """Revision of the door map or planogram the hub decided on."""
    gen: Count
    """The hub's generation, raised at every restore or take-over."""
    by: str = Field(default="", max_length=80)
    """What allowed it (`grant:…`, `staff:…`): a reference, never a name."""
    args: dict[Word, JsonValue] = Field(default_factory=dict)
    mac: Mac = ""

    @model_validator(mode="after")
    def _no_floats(self) -> Self:
        if _holds_float(self.args):
            raise ValueError("integers only")
        return self


class Accepted(Message):
    """The device has journaled the command and will answer with a result."""

    id: CommandId
    state: Literal["accepted"] = "accepted"


class Numbered(Message):
    """Something with a place in a device's history: `seq` grows within (`epoch`, `boot`).

    A new `epoch` means that the device lost its journal: what was open is unknown, never "not done".
    """

    epoch: Epoch
    boot: Count
    seq: Count


class Result(Numbered):
    """The one final verdict on a command; the same id always gets the same verdict."""

    id: CommandId
    state: ResultState
    code: str = Field(default="", max_length=40)
    tries: Count = 1
    """How often the machine was moved for this command: 0 or 1."""
    accepted: bool = False
    """Whether the device had accepted it. Who rejects without this what it accepted before has lost its memory."""
    data: dict[str, JsonValue] = Field(default_factory=dict)
    """Facts about the outcome, e.g. `trace` and `receipt` of a card payment."""


class Event(Message):
    """Something that happened, sent again until the hub has committed it."""

    EVENT_PATTERN: ClassVar[str] = r"^[0-9a-f]{16}/[0-9]{1,15}/[0-9]{1,15}$"

    event: str = Field(pattern=EVENT_PATTERN)
    """`<epoch>/<boot>/<seq>`: unique per device, and its place in the history."""
    node: NodeId
    type: Word
    cause: str = Field(default="", max_length=64)
    """Id of the command that led to it, or empty."""
    data: dict[str, JsonValue] = Field(default_factory=dict)
    at_ms: Count | None = None
    """The device's wall clock when it happened: a hint, never a guard."""
    age_ms: Count | None = None
    """How long ago it happened when this copy was sent, by a clock that never jumps; None after a reboot."""

    @property
    def epoch(self) -> str:
        """First part of the event id."""
        return self.event.split("/")[0]

    @property
    def boot(self) -> int:
        """Second part of the event id."""
        return int(self.event.split("/")[1])

    @property
    def seq(self) -> int:
        """Third part of the event id."""
        return int(self.event.split("/")[2])


class Lease(Numbered):
    """A fresh random word that proves to the device that a command was made just now.

    `seq` is the last number this device gave to an event or result.
    """

    lease: str = Field(min_length=1, max_length=64)


class Ack(Numbered):
    """The hub has committed everything up to `seq`, and heard of `boot`: the device may forget it.

    A device whose journal holds less than either, in the same `epoch`, was set back and begins a new epoch.
    """


class Query(Message):
    """The hub asks for the verdict on one `id`, or for everything after `since_seq`."""

    id: CommandId | None = None
    node: NodeId = "log"
    """Where the answer to an unknown `id` is published (`<node>/result`)."""
    epoch: Epoch | None = None
    boot: Count | None = None
    since_seq: Count | None = None

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        place = (self.epoch, self.boot, self.since_seq)
        if (self.id is None) == (None in place) or (self.id is not None and place != (None, None, None)):
            raise ValueError("either id or epoch, boot and since_seq")
        return self


class PropertyValue(Message):
    """A retained state. (`epoch`, `boot`, `seq`) only go forward: the hub drops an older replay.

    `seq` counts the property messages of this boot and is independent of the numbers of events.
    """

    epoch: Epoch
    boot: Count
    seq: Count
    value: JsonValue = None
    """None: not known, e.g. of a silent probe."""
    at_ms: Count | None = None
    """The device's wall clock: a hint, never a guard."""


class ClockHint(Message):
    """The hub's time in ms since 1970 (UTC)."""

    now_ms: Count


def _holds_float(value: object) -> bool:
    match value:
        case float():
            return True
        case dict():
            return any(_holds_float(item) for item in value.values())
        case list():
            return any(_holds_float(item) for item in value)
    return False
