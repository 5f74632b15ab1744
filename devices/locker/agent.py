"""Binds lock boards to the protocol: opens a compartment once, and lets the door sensor tell the truth."""

import logging
import threading
from collections.abc import Mapping
from typing import ClassVar

from pydantic import JsonValue

from devices.agent.agent import Agent
from devices.agent.clock import boot_ms
from devices.agent.device import Device, NoAnswerError, Order, Outcome
from devices.locker.doors import Doors
from devices.locker.driver import LockBoards, Place
from devices.protocol.description import NodeDescription, PropertyDescription
from devices.protocol.messages import Code

log = logging.getLogger(__name__)

_POLL_S = 0.1
_POLL_AFTER_PULSE_S = 0.03
_LOST_AFTER = 3
"""So many silent polls in a row make a board lost."""
_ASK_LOST_EVERY = 10
"""A lost board is asked at every tenth poll only: waiting for it slows the others down."""
_STOPPED = "stopped"


class LockerDevice(Device):
    """A station of compartments; `open_within_s` is how long a pulsed door may take to open."""

    kind: ClassVar[str] = "locker"
    limit_s: ClassVar[float] = 15.0

    def __init__(self, boards: LockBoards, *, open_within_s: float = 3.0) -> None:
        self._boards = boards
        self._places: dict[str, Place] = {place.node: place for place in boards.places()}
        self._by_board: dict[str, list[str]] = {}
        for place in self._places.values():
            self._by_board.setdefault(place.board, []).append(place.node)
        self._open_within_s = open_within_s
        self._silent = dict.fromkeys(self._by_board, 0)
        self._seen = threading.Condition()
        self._hurry = threading.Event()
        self._ended = threading.Event()
        self._stopped = False
        self._waiting = 0

    def describe(self) -> dict[str, NodeDescription]:
        """Return one node per compartment and per board."""
        nodes = {node: _describe(place) for node, place in self._places.items()}
        state = PropertyDescription(datatype="enum", format="ok,lost")
        return nodes | {
            board: NodeDescription(name=board, type="board", properties={"state": state}) for board in self._by_board
        }

    def start(self, agent: Agent) -> None:
        """Read all boards, without any pulse, and go on reading."""
        self._agent = agent
        self._doors = Doors(agent, self._two_doors)
        self._stopped = bool(agent.note(_STOPPED))
        if self._stopped:
            agent.alert("two-doors", str(agent.note(_STOPPED)))
        self._thread = threading.Thread(target=self._watch, name="locker", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the polling."""
        self._ended.set()
        self._hurry.set()
        self._thread.join(timeout=5)

    def allow_again(self) -> None:
        """Take a stopped station back into service, after a person looked at the boards' addresses."""
        self._stopped = False
        self._agent.write_note(_STOPPED, None)
        self._agent.alert("two-doors", "")

    def refuse(self, node: str, op: str, args: Mapping[str, JsonValue]) -> Code | None:
        """Only `open`, without arguments, of a known compartment of a station in service."""
        if node not in self._places or op != "open":
            return Code.NOT_FOUND
        if args:
            return Code.BAD_ARGUMENTS
        return Code.STOPPED if self._stopped else None

    def perform(self, order: Order) -> Outcome:
        """Pulse the lock once and wait for the sensor."""
        door = self._doors.get(order.node)
        if door.state == "open":
            return Outcome.done(already_open=True)
        answered = True
        with order.pulse():
            if self._stopped:
                return Outcome.failed(Code.STOPPED)
            self._doors.expect(order.node, order.id, boot_ms())
            self._hurry.set()
            try:
                self._boards.pulse(order.node)
            except NoAnswerError:
                answered = False
        if self._wait_for_opening(order):
            return Outcome.done() if answered else Outcome.done(answered=False)
        return self._not_opened(order, answered=answered)

    def _wait_for_opening(self, order: Order) -> bool:
        door = self._doors.get(order.node)
        with self._seen:
            self._waiting += 1
            try:
                return self._seen.wait_for(lambda: door.cause == order.id, timeout=self._open_within_s)
            finally:
                self._waiting -= 1

    def _not_opened(self, order: Order, *, answered: bool) -> Outcome:
        if not answered or self._doors.get(order.node).state == "unknown":
            return Outcome.unknown()
        self._agent.set(order.node, "lock", "jam")
        self._agent.event(order.node, "jam", cause=order.id)
        return Outcome.failed(Code.JAM)

    def _two_doors(self, pulsed: str, other: str) -> None:
        """Stop the station: at eForm two boards at one address opened a stranger's door (parcels.md 3.6)."""
        self._stopped = True
        text = f"{other} opened together with {pulsed}"
        self._agent.alert("two-doors", text)
        self._agent.write_note(_STOPPED, text)

    def _watch(self) -> None:
        turn = 0
        while not self._ended.is_set():
            for board in self._by_board:
                if self._silent[board] < _LOST_AFTER or turn % _ASK_LOST_EVERY == 0:
                    self._poll(board)
            with self._seen:
                self._seen.notify_all()
            turn += 1
            self._pause()

    def _pause(self) -> None:
        self._hurry.wait(_POLL_AFTER_PULSE_S if self._waiting else _POLL_S)
        self._hurry.clear()

    def _poll(self, board: str) -> None:
        try:
            readings = self._boards.read(board)
        except NoAnswerError:
            self._missed(board)
            return
        except Exception:
            log.exception("reading %s failed", board)
            self._missed(board)
            return
        self._silent[board] = 0
        self._agent.set(board, "state", "ok")
        now_ms = boot_ms()
        for node, reading in readings.items():
            if node in self._places:
                self._doors.read(node, reading, now_ms)

    def _missed(self, board: str) -> None:
        self._silent[board] += 1
        if self._silent[board] != _LOST_AFTER:
            return
        self._agent.set(board, "state", "lost")
        self._agent.event(board, "board-lost")
        for node in self._by_board[board]:
            self._doors.lose(node)


def _describe(place: Place) -> NodeDescription:
    properties = {
        "door": PropertyDescription(datatype="enum", format="open,closed,unknown"),
        "lock": PropertyDescription(datatype="enum", format="locked,unlocked,jam,unknown"),
    }
    if place.has_presence:
        properties["occupied"] = PropertyDescription(datatype="boolean")
    if place.has_thermometer:
        properties["temperature"] = PropertyDescription(datatype="integer", unit="m°C")
    return NodeDescription(name=place.name or place.node, type="compartment", properties=properties)
