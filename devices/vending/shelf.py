"""What a machine's agent must know of its slots, durably: pieces, drops, jams, and turns whose end nobody knows yet."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from pydantic import JsonValue

from devices.agent.agent import Agent
from devices.vending.driver import Planned, Slot

_NOTE = "slots"
_UNPLANNED = (0, 0, 0, -1, 0, -1)
_REPLACED = 5


@dataclass(frozen=True, slots=True)
class Turn:
    """A vend that was begun; `order` is the hub's reference."""

    id: str
    slot: str
    order: str


class Shelf:
    """All changes of one step reach the disk as one note; any thread but the agent's desk may make them."""

    def __init__(self, agent: Agent, slots: Sequence[Slot], is_warm: Callable[[str], bool]) -> None:
        self._agent, self._is_warm = agent, is_warm
        self._capacity = {slot.node: slot.capacity for slot in slots}
        self._lock = threading.Lock()
        saved = _words(agent.note(_NOTE))
        self._stock = {slot.node: slot.first_stock for slot in slots} | _counts(saved.get("stock"))
        self._vended = dict.fromkeys(self._capacity, 0) | _counts(saved.get("vended"))
        self._jammed = set(_counts(saved.get("jammed")))
        self._turns = _turns(saved.get("turns"))
        self.revision = _whole(saved.get("revision"))
        """Of the planogram; 0 while the hub has sent none."""
        self._plan = {slot: row for slot, row in _rows(saved.get("plan")).items() if slot in self._capacity}
        self._running = ""
        self._told: dict[str, tuple[int, str]] = {}

    def has(self, slot: str) -> bool:
        """Tell whether there is such a slot."""
        return slot in self._capacity

    def fits(self, slot: str, stock: int) -> bool:
        """Tell whether so many pieces can lie in a slot."""
        return self.has(slot) and 0 <= stock <= max(self._capacity[slot], self._plan.get(slot, _UNPLANNED)[2])

    def stock(self, slot: str) -> int:
        """Return the pieces in a slot."""
        return self._stock[slot]

    def vended(self, slot: str) -> int:
        """Return how many pieces have ever dropped from a slot."""
        return self._vended[slot]

    def state(self, slot: str) -> str:
        """Return the word for a slot: why it does not sell, or ok."""
        if any(turn.slot == slot and turn.id != self._running for turn in self._turns.values()):
            return "doubt"
        if slot in self._jammed:
            return "jam"
        if self._stock[slot] < 1:
            return "empty"
        return "warm" if self._is_warm(slot) else "ok"

    def in_doubt(self) -> list[Turn]:
        """Return the turns whose end is unknown, oldest first."""
        return [turn for turn in self._turns.values() if turn.id != self._running]

    def begin(self, turn: Turn) -> None:
        """Write down that a motor is about to turn; on disk when this returns."""
        with self._lock:
            self._turns[turn.id], self._running = turn, turn.id
            self._save()

    def end(self, turn_id: str) -> Turn | None:
        """Return a turn of which the end is known now, once: whoever gets it must `keep` what became of it."""
        with self._lock:
            return self._turns.pop(turn_id, None)

    def plan(self, revision: int, rows: Mapping[str, Sequence[int]]) -> list[str]:
        """Take over a planogram as one step; return the slots whose goods a person has replaced since the last one.

        A number that was not known before proves nothing, nor does a lower one, of a hub restored from a backup.
        """
        with self._lock:
            new = {slot: _padded(row) for slot, row in rows.items()}
            before = {slot: self._plan.get(slot, _UNPLANNED)[_REPLACED] for slot in new}
            counted = [slot for slot, row in rows.items() if self._plan.get(slot, _UNPLANNED)[3] != row[3]]
            for slot in counted:
                self._stock[slot] = rows[slot][4]
                self._jammed.discard(slot)
            self._turns = {k: t for k, t in self._turns.items() if t.slot not in counted or k == self._running}
            self.revision, self._plan = revision, new
            self._save()
        self.tell_all()
        return [slot for slot, row in new.items() if 0 <= before[slot] < row[_REPLACED]]

    def planned(self) -> dict[str, Planned]:
        """Return the slots of the planogram."""
        return {slot: Planned(*row[:3]) for slot, row in self._plan.items()}

    def leave(self, turn_id: str) -> None:
        """Let go of a turn that runs no more, known or not."""
        with self._lock:
            if self._running == turn_id:
                self._running = ""
        self.tell_all()

    def keep(self, slot: str, *, stock: int, vended: int = 0, is_jammed: bool | None = None) -> None:
        """Write what a slot is like now; `vended` is added to the count of drops."""
        with self._lock:
            self._stock[slot] = stock
            self._vended[slot] += vended
            if is_jammed is not None:
                (self._jammed.add if is_jammed else self._jammed.discard)(slot)
            self._save()
        self.tell_all()

    def forget_doubts(self, slot: str) -> None:
        """Drop the open turns of a slot: a person has counted what lies in it."""
        with self._lock:
            self._turns = {key: turn for key, turn in self._turns.items() if turn.slot != slot or key == self._running}

    def tell_all(self) -> None:
        """Publish what has changed; also called on the desk, so it takes no lock."""
        for slot in self._capacity:
            now = (self._stock[slot], self.state(slot))
            if self._told.get(slot) != now:
                self._told[slot] = now
                self._agent.set(slot, "stock", now[0])
                self._agent.set(slot, "state", now[1])

    def _save(self) -> None:
        turns: dict[str, JsonValue] = {turn.id: [turn.slot, turn.order] for turn in self._turns.values()}
        note: dict[str, JsonValue] = {
            "stock": {**self._stock},
            "vended": {**self._vended},
            "jammed": dict.fromkeys(sorted(self._jammed), 1),
            "turns": turns,
            "revision": self.revision,
            "plan": {slot: [*row] for slot, row in self._plan.items()},
        }
        self._agent.write_note(_NOTE, note)


def _words(note: JsonValue) -> dict[str, JsonValue]:
    return note if isinstance(note, dict) else {}


def _counts(note: JsonValue) -> dict[str, int]:
    return {name: value for name, value in _words(note).items() if isinstance(value, int)}


def _rows(note: JsonValue) -> dict[str, list[int]]:
    rows = {slot: row for slot, row in _words(note).items() if isinstance(row, list)}
    found = {slot: _padded([_whole(number) for number in row]) for slot, row in rows.items()}
    return {slot: row for slot, row in found.items() if len(row) == len(_UNPLANNED)}


def _padded(row: Sequence[int]) -> list[int]:
    """Return a row with its last number, unknown where it was written without."""
    return [*row, -1] if len(row) == _REPLACED else [*row]


def _whole(note: JsonValue) -> int:
    return note if isinstance(note, int) else 0


def _turns(note: JsonValue) -> dict[str, Turn]:
    return {
        key: Turn(key, str(value[0]), str(value[1]))
        for key, value in _words(note).items()
        if isinstance(value, list) and len(value) == 2  # noqa: PLR2004 - slot and order
    }
