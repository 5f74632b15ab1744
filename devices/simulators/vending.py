"""A vending machine of 30 spirals with a drop sensor."""

import threading
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict

from pydantic import JsonValue

from devices.agent.device import NoAnswerError
from devices.simulators import evadts
from devices.simulators.world import ControlError, StateFile, Verb
from devices.vending.driver import Drop, MachineListener, NotTurnedError, Planned, Slot

_REMEMBERED = 50
_SPEAKS_EVERY_S = 10.0
_UNSEEN = ""
FAULTS = ("none", "jam", "stuck", "sensor-silent", "reboot", "cancelled", "silent")
"""jam: the piece hangs · stuck: the motor does not turn · sensor-silent: it drops and nobody sees it · reboot: the
controller forgets to answer, its sensor has seen it · cancelled: it refuses before the motor · silent: no answer after
the motor turned, until `silent` is switched off."""


class SimulatedMachine:
    """Keeps the contract `VendingMachine`; counts what really lies in each spiral and what fell out for which turn."""

    def __init__(
        self,
        *,
        file: StateFile,
        slots: int = 30,
        capacity: int = 8,
        first_stock: int = 6,
        motor_s: float = 1.0,
        chilled: Collection[str] = (),
        price_cents: int = 150,
    ) -> None:
        self._capacity, self._first_stock, self._motor_s, self._file = capacity, first_stock, motor_s, file
        self._chilled = frozenset(chilled)
        self._lock = threading.Lock()
        saved = file.load()
        nodes = [f"slot-{number:02d}" for number in range(1, slots + 1)]
        self._pieces = {node: _whole(saved.get(node), first_stock) for node in nodes}
        self._seen = {turn: str(drop) for turn, drop in _table(saved.get("turns")).items()}
        counted = _table(saved.get("counters"))
        self._counters = {
            node: evadts.Counter(**(_numbers(counted.get(node)) or {"price_cents": price_cents})) for node in nodes
        }
        self._stuck: set[str] = set()
        self._is_silent = False
        self._next = "none"
        self._milli = 5_000
        self._listener: MachineListener | None = None
        self.turns: list[str] = []
        """Every turn of a motor, for tests that count them."""
        self.dropped: list[str] = []
        """The names of the turns for which a piece really fell."""

    def slots(self) -> Sequence[Slot]:
        """Return the spirals."""
        return [Slot(node, self._capacity, self._first_stock, node in self._chilled) for node in self._pieces]

    def plan(self, slots: Mapping[str, Planned]) -> None:
        """Take over the prices, as someone at the machine's own keys would."""
        with self._lock:
            for node, planned in slots.items():
                self._counters[node].price_cents = planned.price_cents
            self._save()

    def watch(self, listener: MachineListener, doubts: Collection[str] = ()) -> None:  # noqa: ARG002 - it can be asked
        """Tell the listener from now on."""
        self._listener = listener
        listener.door(is_open=False)
        listener.temperature(self._milli)
        threading.Thread(target=self._speak, args=(listener,), name="vending", daemon=True).start()

    def vend(self, slot: str, turn: str) -> Drop:
        """Turn the motor once."""
        fault, self._next = self._next, "none"
        if fault == "cancelled" or turn in self._seen:
            raise NotTurnedError("cancelled")
        time.sleep(self._motor_s)
        with self._lock:
            drop = self._move(slot, turn, fault)
        if self._is_silent or fault in ("sensor-silent", "reboot", "silent"):
            self._is_silent = self._is_silent or fault == "silent"
            raise NoAnswerError
        return drop

    def drop_of(self, turn: str) -> Drop | None:
        """Ask the controller's memory; a turn it never heard of it will never begin."""
        with self._lock:
            if self._is_silent:
                return None
            if turn not in self._seen:
                self._remember(turn, Drop.NOT_TURNED)
            seen = self._seen[turn]
            return None if seen == _UNSEEN else Drop(seen)

    def close(self) -> None:
        """Hear no more from; a machine outlives its agent."""
        self._listener = None

    def verbs(self) -> dict[str, Verb]:
        """Return what can be done at the machine."""
        return {
            "fault": self.fault,
            "audit": self.audit,
            "buy_with_coins": self.buy_with_coins,
            "jam": self.jam,
            "refill": self.refill,
            "silent": self.silent,
            "door": lambda is_open: self._tell().door(is_open=is_open),
            "temperature": self.temperature,
        }

    def look(self) -> JsonValue:
        """Return the pieces in each spiral and which are stuck."""
        return {"pieces": {**self._pieces}, "stuck": [*sorted(self._stuck)]}

    def fault(self, name: str) -> None:
        """Let the next vend go wrong in this way."""
        if name not in FAULTS:
            raise ControlError(f"no fault {name}")
        self._next = name

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
            self._save()
        self._tell().refilled(node, stock)

    def silent(self, *, on: bool) -> None:
        """Have the controller stop answering after the motor turned."""
        self._is_silent = on

    def temperature(self, milli: int) -> None:
        """Make it so warm or cold inside, from now on."""
        self._milli = milli
        self._tell().temperature(milli)

    def buy_with_coins(self, node: str) -> None:
        """Let a passer-by pay with coins at the machine itself."""
        self._check(node)
        with self._lock:
            if self._pieces[node] < 1:
                raise ControlError(f"{node} is empty")
            self._pieces[node] -= 1
            self._counters[node].cash += 1
            self._save()

    def audit(self, moment: str = "") -> None:
        """Read the counters with a hand-held reader that is connected to the agent."""
        self._tell().audited(self.audit_file(moment))

    def audit_file(self, moment: str = "") -> bytes:
        """Return the audit file as of now; selections are named as the slots are numbered."""
        rows = [(node.removeprefix("slot-").lstrip("0"), counter) for node, counter in self._counters.items()]
        return evadts.write(rows, serial="SIM0000001", moment=moment or time.strftime("%Y%m%d*%H%M"))

    def _speak(self, listener: MachineListener) -> None:
        """Tell the temperature every few seconds, as thermometers do, until the listener goes."""
        while True:
            time.sleep(_SPEAKS_EVERY_S)
            if self._listener is not listener:
                return
            listener.temperature(self._milli)

    def _move(self, slot: str, turn: str, fault: str) -> Drop:
        if fault == "stuck":
            return self._remember(turn, Drop.JAM)
        self.turns.append(slot)
        if self._pieces[slot] < 1:
            return self._remember(turn, Drop.EMPTY)
        if slot in self._stuck or fault == "jam":
            return self._remember(turn, Drop.JAM)
        self._pieces[slot] -= 1
        self._counters[slot].cashless += 1
        self.dropped.append(turn)
        if fault == "sensor-silent":
            self._seen[turn] = _UNSEEN
            self._save()
            return Drop.VENDED
        return self._remember(turn, Drop.VENDED)

    def _remember(self, turn: str, drop: Drop) -> Drop:
        self._seen = dict([*self._seen.items(), (turn, drop.value)][-_REMEMBERED:])
        self._save()
        return drop

    def _save(self) -> None:
        counters: JsonValue = {node: asdict(counter) for node, counter in self._counters.items()}
        self._file.save({**self._pieces, "turns": {**self._seen}, "counters": counters})

    def _tell(self) -> MachineListener:
        if self._listener is None:
            raise ControlError("not started")
        return self._listener

    def _check(self, node: str) -> None:
        if node not in self._pieces:
            raise ControlError(f"no slot {node}")


def _whole(value: JsonValue, default: int) -> int:
    return value if isinstance(value, int) else default


def _table(value: JsonValue) -> dict[str, JsonValue]:
    return value if isinstance(value, dict) else {}


def _numbers(value: JsonValue) -> dict[str, int]:
    return {name: number for name, number in _table(value).items() if isinstance(number, int)}
