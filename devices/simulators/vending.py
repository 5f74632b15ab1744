"""A vending machine of 30 spirals with a drop sensor."""

import threading
import time
from collections.abc import Sequence

from pydantic import JsonValue

from devices.agent.device import NoAnswerError
from devices.simulators.world import ControlError, StateFile, Verb
from devices.vending.driver import Drop, MachineListener, Slot


class SimulatedMachine:
    """Keeps the contract `VendingMachine`; counts what really lies in each spiral."""

    def __init__(
        self, *, file: StateFile, slots: int = 30, capacity: int = 8, first_stock: int = 6, motor_s: float = 1.0
    ) -> None:
        self._capacity, self._first_stock, self._motor_s, self._file = capacity, first_stock, motor_s, file
        self._lock = threading.Lock()
        saved = file.load()
        self._pieces: dict[str, int] = {}
        for number in range(1, slots + 1):
            pieces = saved.get(f"slot-{number:02d}", first_stock)
            self._pieces[f"slot-{number:02d}"] = pieces if isinstance(pieces, int) else first_stock
        self._stuck: set[str] = set()
        self._is_silent = False
        self._listener: MachineListener | None = None
        self.turns: list[str] = []
        """Every turn of a motor, for tests that count them."""

    def slots(self) -> Sequence[Slot]:
        """Return the spirals."""
        return [Slot(node, self._capacity, self._first_stock) for node in self._pieces]

    def watch(self, listener: MachineListener) -> None:
        """Tell the listener from now on."""
        self._listener = listener
        listener.door(is_open=False)
        listener.temperature(8_000)

    def vend(self, slot: str) -> Drop:
        """Turn the motor once."""
        time.sleep(self._motor_s)
        with self._lock:
            self.turns.append(slot)
            if self._pieces[slot] < 1:
                return Drop.EMPTY
            if slot in self._stuck:
                return Drop.JAM
            self._pieces[slot] -= 1
            self._file.save(dict(self._pieces))
        if self._is_silent:
            raise NoAnswerError
        return Drop.VENDED

    def verbs(self) -> dict[str, Verb]:
        """Return what can be done at the machine."""
        return {
            "jam": self.jam,
            "refill": self.refill,
            "silent": self.silent,
            "door": lambda is_open: self._tell().door(is_open=is_open),
            "temperature": lambda milli: self._tell().temperature(milli),
        }

    def look(self) -> JsonValue:
        """Return the pieces in each spiral and which are stuck."""
        return {"pieces": {**self._pieces}, "stuck": [*sorted(self._stuck)]}

    def jam(self, node: str) -> None:
        """Let the next piece of a spiral hang."""
        self._check(node)
        self._stuck.add(node)

    def refill(self, node: str, stock: int) -> None:
        """Fill a spiral up to `stock` pieces, free what hangs, and enter the count."""
        self._check(node)
        if not 0 <= stock <= self._capacity:
            raise ControlError(f"{node} holds {self._capacity}")
        with self._lock:
            self._stuck.discard(node)
            self._pieces[node] = stock
            self._file.save(dict(self._pieces))
        self._tell().refilled(node, stock)

    def silent(self, *, on: bool) -> None:
        """Have the controller stop answering after the motor turned."""
        self._is_silent = on

    def _tell(self) -> MachineListener:
        if self._listener is None:
            raise ControlError("not started")
        return self._listener

    def _check(self, node: str) -> None:
        if node not in self._pieces:
            raise ControlError(f"no slot {node}")
