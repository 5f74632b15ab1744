"""Setting a station up: which boards are there, which door each lock opens, and the door map that follows from it.

Every step is a command like any other, so nothing moves without a lease. Locks are fired here by board and channel,
which is only possible while the station is being set up: that begins with a scan, ends by itself after a quarter of an
hour without a step, and never outlives a restart. Compartments stay shut meanwhile.
"""

import threading
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Protocol

from pydantic import Field, JsonValue, ValidationError

from devices.agent.agent import Agent
from devices.agent.device import Order, Outcome
from devices.locker.driver import ChannelReading, Finding, NotSentError
from devices.locker.station import DoorMapError, Station, Wire
from devices.protocol.description import NodeDescription, PropertyDescription
from devices.protocol.kinds import Arguments, LockArguments, MapArguments
from devices.protocol.messages import Code

NODE = "setup"
_LASTS_MS = 15 * 60 * 1000
_MAP = "door-map"
_SETTLE_S = 1.0
"""A second door that follows within a second was opened by the same pulse."""


class _KeptMap(MapArguments):
    """A door map, and the lines it was made on: boards are named by their order."""

    places: list[str] = Field(default_factory=list)


class Locks(Protocol):
    """What setting up needs of the station's agent."""

    def fire(self, order: Order, wire: Wire) -> bool:
        """Pulse one lock once; tell whether its board answered."""

    def wait(self, condition: Callable[[], bool]) -> bool:
        """Wait for as long as a door may take to open."""

    def has_looked(self, board: str) -> bool:
        """Tell whether a board has told its doors since its last pulse."""

    def two_doors(self, pulsed: str, other: str) -> None:
        """Stop the station."""

    def halt(self, why: str) -> None:
        """Stop the station, for whatever reason."""

    def rewired(self) -> None:
        """Look at all doors anew: each compartment may hang on another lock now."""


class Setup:
    """The operations of the node `setup`."""

    ARGUMENTS: ClassVar[Mapping[str, type[Arguments]]] = {
        "scan": Arguments,
        "test": LockArguments,
        "halt": LockArguments,
        "map": MapArguments,
        "end": Arguments,
    }
    OPERATIONS: ClassVar[frozenset[str]] = frozenset(ARGUMENTS)

    def __init__(self, locks: Locks, station: Station, clock: Callable[[], int]) -> None:
        self._locks, self._station, self._clock = locks, station, clock
        self._until_ms = 0
        self._doors: dict[Wire, bool] = {}
        self._opened: list[Wire] = []
        self._is_halted = False
        """Two doors opened on one pulse: the boards must be looked for again before the next one."""
        self._unclear: set[str] = set()
        """Boards that may be two at one address: none of their locks is fired."""
        self._pause = threading.Event()

    @property
    def is_on(self) -> bool:
        """Tell whether the station is being set up."""
        return self._clock() < self._until_ms

    def describe(self) -> NodeDescription:
        """Return the node."""
        properties = {
            "mode": PropertyDescription(datatype="boolean"),
            "map": PropertyDescription(datatype="integer"),
        }
        return NodeDescription(name="setup", type="setup", properties=properties)

    def start(self, agent: Agent) -> None:
        """Take the door map that was written last, if any. One that does not fit leaves the station without doors."""
        self._agent = agent
        trouble = self._recall()
        if trouble:
            self._station.connect({})
        agent.alert("door-map", trouble and f"{trouble}: set the station up again")
        agent.set(NODE, "mode", value=False)
        agent.set(NODE, "map", agent.map_revision)

    def _recall(self) -> str:
        """Take the kept map; return why not, if not."""
        written = self._agent.note(_MAP)
        if not isinstance(written, dict):
            return ""
        try:
            kept = _KeptMap.model_validate(written)
            if kept.places != self._station.places:
                return "the lines are not those of the door map"
            self._station.connect(kept.doors)
        except (ValidationError, DoorMapError):
            return "the door map cannot be used"
        self._agent.change_map(kept.revision)
        return ""

    def refuse(self, op: str, args: Mapping[str, JsonValue]) -> Code | None:
        """Only known steps with good arguments, and only while the station is being set up."""
        if op not in self.ARGUMENTS:
            return Code.NOT_FOUND
        try:
            self.ARGUMENTS[op].model_validate(args)
        except ValidationError:
            return Code.BAD_ARGUMENTS
        return None if self.is_on or op in ("scan", "end") else Code.STOPPED

    def perform(self, order: Order) -> Outcome:
        """Do one step."""
        self._set_mode(on=order.op != "end")
        match order.op:
            case "scan":
                return self._scan()
            case "test":
                return self._test(order, LockArguments.model_validate(order.args))
            case "halt":
                return self._halt(LockArguments.model_validate(order.args))
            case "map":
                return self._map(MapArguments.model_validate(order.args))
        return Outcome.done()

    # What the watch tells

    def saw(self, wire: Wire, reading: ChannelReading) -> None:
        """Take what a board says of one lock."""
        if reading.door_open and self._doors.get(wire) is False and wire not in self._opened:
            self._opened.append(wire)
        self._doors[wire] = reading.door_open

    def lost(self, board: str) -> None:
        """Forget what a silent board said."""
        self._doors = {wire: is_open for wire, is_open in self._doors.items() if wire.board != board}

    def _set_mode(self, *, on: bool) -> None:
        self._until_ms = self._clock() + _LASTS_MS if on else 0
        self._agent.set(NODE, "mode", on)
        if on:
            self._agent.host.later(_LASTS_MS / 1000 + 1, lambda: self._agent.set(NODE, "mode", self.is_on))

    def _scan(self) -> Outcome:
        found = self._station.scan()
        self._is_halted = False
        self._unclear = {one.board for one in found if one.finding is not Finding.OK}
        doubtful = sorted(self._unclear.intersection(self._station.doors))
        if doubtful:
            self._locks.halt(f"there may be two boards at the address of {', '.join(doubtful)}")
        self._agent.describe_again()
        boards: list[JsonValue] = [
            {"board": one.board, "channels": one.channels, "finding": one.finding.value} for one in found
        ]
        return Outcome.done(boards=boards)

    def _test(self, order: Order, args: LockArguments) -> Outcome:
        wire = Wire(args.board, args.channel)
        if self._is_halted or args.board in self._unclear:
            return Outcome.failed(Code.STOPPED)
        if args.board not in self._station.boards or args.channel > self._station.channels(args.board):
            return Outcome.failed(Code.NOT_FOUND)
        if not self._locks.wait(lambda: wire in self._doors):
            return Outcome.failed(Code.NO_ANSWER)  # without a look at the contact before, the one after says nothing
        if self._doors.get(wire):
            return Outcome.failed("door_open")
        self._opened = []
        try:
            answered = self._locks.fire(order, wire)
        except NotSentError:
            return Outcome.failed(Code.NO_ANSWER)
        if self._locks.wait(lambda: bool(self._opened)):
            self._pause.wait(_SETTLE_S)
        return self._verdict(wire, answered=answered)

    def _halt(self, args: LockArguments) -> Outcome:
        """Take a person's word that two doors opened: where both boards say the same, no contact can tell."""
        self._is_halted = True
        self._locks.two_doors(f"{args.board} channel {args.channel}", "another door")
        return Outcome.done()

    def _verdict(self, wire: Wire, *, answered: bool) -> Outcome:
        opened: list[Any] = [[one.board, one.channel] for one in self._opened]
        if len(opened) > 1:
            self._is_halted = True
            self._locks.two_doors(str(wire), str(next(one for one in self._opened if one != wire)))
            return Outcome.failed("two_doors", opened=opened)
        if opened:
            return Outcome.done(opened=opened, answered=answered)
        known = answered and self._locks.has_looked(wire.board)
        return Outcome.failed(Code.NOT_OPENED, opened=[]) if known else Outcome.unknown(opened=[])

    def _map(self, args: MapArguments) -> Outcome:
        """Write the map to disk, then work with it: after a crash in between it is the new one that counts."""
        if self._is_halted or any(any(args.doors.get(board, ())) for board in self._unclear):
            return Outcome.failed(Code.STOPPED)
        try:
            self._station.check(args.doors)
        except DoorMapError as error:
            return Outcome.failed(Code.BAD_ARGUMENTS, reason=str(error))
        kept = _KeptMap(revision=args.revision, doors=args.doors, places=self._station.places)
        self._agent.write_note(_MAP, kept.model_dump(mode="json"))
        self._station.connect(args.doors)
        self._agent.change_map(args.revision)
        self._agent.set(NODE, "map", args.revision)
        self._agent.alert("door-map", "")
        self._locks.rewired()
        self._set_mode(on=False)
        return Outcome.done(revision=args.revision)
