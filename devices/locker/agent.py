"""Binds lock boards to the protocol: opens a compartment once, and lets the door sensor tell the truth."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar

from pydantic import JsonValue

from devices.agent.agent import Agent
from devices.agent.clock import boot_ms
from devices.agent.device import Device, NoAnswerError, Order, Outcome
from devices.locker.doors import Doors
from devices.locker.driver import ChannelReading, CompartmentReading, NotSentError
from devices.locker.setup import NODE, Setup
from devices.locker.station import Station, Wire
from devices.locker.watch import Watch
from devices.protocol.description import NodeDescription, PropertyDescription
from devices.protocol.messages import Code

_STOPPED = "stopped"


class StoppedError(Exception):
    """Two doors opened on one pulse: nothing is fired before a person has looked."""


Probes = Mapping[str, Callable[[], int | None]]
"""Thermometers inside compartments, by node; thousandths of a degree Celsius."""


class LockerDevice(Device):
    """A station of compartments; `open_within_s` is how long a pulsed door may take to open."""

    kind: ClassVar[str] = "locker"
    limit_s: ClassVar[float] = 20.0
    map_free: ClassVar[frozenset[str]] = Setup.OPERATIONS

    def __init__(
        self,
        station: Station,
        *,
        open_within_s: float = 3.0,
        probes: Probes | None = None,
        clock: Callable[[], int] = boot_ms,
    ) -> None:
        self._station, self._probes, self._clock = station, probes or {}, clock
        self._open_within_s = open_within_s
        self._seen = threading.Condition()
        self._firing = threading.Lock()
        self._unanswered: set[str] = set()
        """Boards that spoke before a pulse and did not answer it."""
        self._looked: dict[str, int] = {}
        self._stopped = False
        self.watch = Watch(station, self)
        self.setup = Setup(self, station, clock)

    def describe(self) -> dict[str, NodeDescription]:
        """Return one node per compartment and per board, and the one for setting up."""
        nodes = {node: self._describe(node, wire) for node, wire in self._station.wires.items()}
        state = PropertyDescription(datatype="enum", format="ok,lost")
        boards = {
            board: NodeDescription(name=board, type="board", properties={"state": state})
            for board in self._station.boards
        }
        return nodes | boards | {NODE: self.setup.describe()}

    def start(self, agent: Agent) -> None:
        """Take the door map that was written last, read all boards, without any pulse, and go on reading."""
        self.attach(agent)
        self.watch.start()

    def attach(self, agent: Agent) -> None:
        """Get everything ready except the thread that reads."""
        self._agent = agent
        self.doors = Doors(agent, self.two_doors)
        self.setup.start(agent)
        self._stopped = bool(agent.note(_STOPPED))
        if self._stopped:
            agent.alert("two-doors", str(agent.note(_STOPPED)))

    def stop(self) -> None:
        """End the reading and let go of the lines."""
        self.watch.stop()
        self._station.close()

    def allow_again(self) -> None:
        """Take a stopped station back into service, after a person looked at the boards' addresses."""
        self._stopped = False
        self._agent.write_note(_STOPPED, None)
        self._agent.alert("two-doors", "")

    def rewired(self) -> None:
        """Look at all doors anew, under another door map; whoever made it has stood before the station."""
        self.doors = Doors(self._agent, self.two_doors)
        self.allow_again()
        self.wait(lambda: all(self.doors.get(node).state != "unknown" for node in self._station.wires))

    def refuse(self, node: str, op: str, args: Mapping[str, JsonValue]) -> Code | None:
        """`open`, without arguments, of a known compartment of a station in service; or a step of setting up."""
        if node == NODE:
            return self.setup.refuse(op, args)
        if node not in self._station.wires or op != "open":
            return Code.NOT_FOUND
        if args:
            return Code.BAD_ARGUMENTS
        if self.setup.is_on:
            return Code.BUSY
        return Code.STOPPED if self._stopped else None

    def perform(self, order: Order) -> Outcome:
        """Pulse the lock once and wait for the sensor."""
        if order.node == NODE:
            return self.setup.perform(order)
        if self.doors.get(order.node).state == "open":
            return Outcome.done(already_open=True)
        wire = self._station.wires[order.node]
        try:
            answered = self.fire(order, wire)
        except StoppedError:
            return Outcome.failed(Code.STOPPED)
        except NotSentError:
            return Outcome.failed(Code.NO_ANSWER)
        if self.wait(lambda: self.doors.get(order.node).cause == order.id):
            return Outcome.done() if answered else Outcome.done(answered=False)
        return self._not_seen_opening(order, wire, answered=answered)

    def _not_seen_opening(self, order: Order, wire: Wire, *, answered: bool) -> Outcome:
        """Say what the contact says now, if it says anything: a door may have opened while its board was silent."""
        state = self.doors.get(order.node).state
        if state == "open":
            return Outcome.done(already_open=True)
        if state == "unknown" or not answered or not self.has_looked(wire.board):
            return Outcome.unknown()
        self.doors.jam(order.node, order.id)
        return Outcome.failed(Code.JAM)

    def fire(self, order: Order, wire: Wire) -> bool:
        """Pulse one lock once; tell whether its board answered. Returns when the lock is no longer energised.

        The line is taken and got ready before the last look at the command's freshness: nothing waits between it and
        the pulse.

        Raises:
            StoppedError: the station was stopped while this waited for its turn.
            NotSentError: the board is lost or its line is not ready: nothing was fired.
        """
        with self._firing:
            if self._stopped and not self.setup.is_on:
                raise StoppedError
            if self.watch.is_lost(wire.board):
                raise NotSentError(f"{wire.board} is lost")
            was_silent = self.watch.is_silent(wire.board)
            with self._station.hold(wire.board):
                self._station.ready(wire.board)
                with order.pulse():
                    answered = self._expect_and_pulse(order, wire)
            self._note_answer(wire.board, answered=answered, was_silent=was_silent)
            self._looked[wire.board] = self.watch.answers(wire.board)
            self.watch.nudge()
            time.sleep(self._station.pulse_s(wire.board))
        return answered

    def wait(self, condition: Callable[[], bool]) -> bool:
        """Have the boards read often until the condition holds, for as long as a door may take."""
        with self.watch.hurry(), self._seen:
            return self._seen.wait_for(condition, timeout=self._open_within_s)

    def has_looked(self, board: str) -> bool:
        """Tell whether a board has told its doors since its last pulse, up to now: only then is a shut door shut."""
        return self.watch.answers(board) > self._looked.get(board, 0) and not self.watch.is_silent(board)

    def two_doors(self, pulsed: str, other: str) -> None:
        """Stop the station: at eForm two boards at one address opened a stranger's door (parcels.md 3.6)."""
        self.halt(f"{other} opened together with {pulsed}")

    def halt(self, why: str) -> None:
        """Stop the station until a person has looked and the door map is written again."""
        self._stopped = True
        self._agent.alert("two-doors", why)
        self._agent.write_note(_STOPPED, why)

    # What the watch tells

    def heard(self, board: str, readings: Sequence[ChannelReading]) -> None:
        """Take what a board says."""
        now_ms = self._clock()
        for channel, reading in enumerate(readings, start=1):
            wire = Wire(board, channel)
            self.setup.saw(wire, reading)
            node = self._station.node(wire)
            if node:
                self.doors.read(node, self._reading(node, reading), now_ms)

    def back(self, board: str) -> None:
        """Take it that a board is well."""
        self._agent.set(board, "state", "ok")
        self._agent.alert(f"lost-{board}", "")

    def missed(self, board: str) -> None:
        """A board that spoke before a pulse and neither answers it nor afterwards has probably lost its power."""
        if board in self._unanswered:
            self._unanswered.discard(board)
            self._agent.alert(f"power-{board}", f"{board} fell silent when a lock was fired: check its power supply")

    def lost(self, board: str) -> None:
        """What a silent board would say is not known."""
        self._agent.set(board, "state", "lost")
        self._agent.event(board, "board-lost")
        self._agent.alert(f"lost-{board}", f"{board} does not answer: cable, power, or two boards with one address")
        self.setup.lost(board)
        for node, wire in self._station.wires.items():
            if wire.board == board:
                self.doors.lose(node)

    def turned(self) -> None:
        """Wake whoever waits for a door."""
        with self._seen:
            self._seen.notify_all()

    def _note_answer(self, board: str, *, answered: bool, was_silent: bool) -> None:
        if answered:
            self._unanswered.discard(board)
            self._agent.alert(f"power-{board}", "")
        elif not was_silent:
            self._unanswered.add(board)

    def _expect_and_pulse(self, order: Order, wire: Wire) -> bool:
        node = self._station.node(wire) or str(wire)
        self.doors.expect(node, order.id, self._clock())
        try:
            return self._pulse(wire)
        except NotSentError:
            self.doors.forget(node)
            raise

    def _pulse(self, wire: Wire) -> bool:
        try:
            self._station.pulse(wire)
        except NotSentError:
            raise
        except NoAnswerError:
            return False
        return True

    def _reading(self, node: str, reading: ChannelReading) -> CompartmentReading:
        probe = self._probes.get(node)
        return CompartmentReading(reading.door_open, reading.occupied, probe() if probe is not None else None)

    def _describe(self, node: str, wire: Wire) -> NodeDescription:
        properties = {
            "door": PropertyDescription(datatype="enum", format="open,closed,unknown"),
            "lock": PropertyDescription(datatype="enum", format="locked,unlocked,jam,unknown"),
        }
        if self._station.has_presence(wire.board):
            properties["occupied"] = PropertyDescription(datatype="boolean")
        if node in self._probes:
            properties["temperature"] = PropertyDescription(datatype="integer", unit="m°C")
        return NodeDescription(name=node, type="compartment", properties=properties)
