"""What a vending-machine driver must offer (a controller of its own over MQTT, or MDB by a text protocol)."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class Drop(StrEnum):
    """What became of one turn; each of these is certain."""

    VENDED = "vended"
    """The drop sensor saw a piece fall."""
    JAM = "jam"
    """The motor turned, or tried to, and no piece fell."""
    EMPTY = "empty"
    NOT_TURNED = "not_turned"
    """The machine never began this turn and never will."""


class NotTurnedError(Exception):
    """It is certain that no motor turned for this vend, and none will; `code` says why."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True)
class Slot:
    """A spiral or shelf: node id, how many pieces fit, and how many were there when the machine was first seen."""

    node: str
    capacity: int
    first_stock: int = 0
    is_chilled: bool = False


@dataclass(frozen=True, slots=True)
class Planned:
    """A slot of the hub's planogram: the machine's own number for it (0: none), price, and how many pieces fit."""

    item: int
    price_cents: int
    capacity: int


class MachineListener(Protocol):
    """What a machine tells by itself."""

    def refilled(self, slot: str, stock: int) -> None:
        """Someone filled a slot and entered the number of pieces; a jam there is cleared."""

    def door(self, *, is_open: bool) -> None:
        """The machine's door moved."""

    def temperature(self, milli: int) -> None:
        """Inside temperature in thousandths of a degree Celsius; also when it is the same as before."""

    def settled(self, turn: str, drop: Drop) -> None:
        """The machine tells late what became of a turn that had been given up as unknown."""

    def audited(self, content: bytes) -> None:
        """Someone read the machine's counters: an EVA-DTS file."""


class VendingMachine(Protocol):
    """A machine with numbered slots. Every turn has a name that is never used again."""

    def slots(self) -> Sequence[Slot]:
        """Return all slots, in order."""

    def watch(self, listener: MachineListener, doubts: Collection[str] = ()) -> None:
        """Tell the listener from now on, beginning with the present state.

        Args:
            doubts: earlier turns whose end is unknown; the machine may tell of the newest at once.
        """

    def plan(self, slots: Mapping[str, Planned]) -> None:
        """Take over item numbers and prices; called before `watch` and whenever they change."""

    def vend(self, slot: str, turn: str) -> Drop:
        """Turn the motor of a slot once and wait for the drop sensor (less than 60 s in all).

        Raises:
            NotTurnedError: certainly nothing was moved.
            NoAnswerError: the machine stopped answering: a piece may have dropped or not.
        """

    def drop_of(self, turn: str) -> Drop | None:
        """Return what the drop sensor knows of an earlier turn, without moving anything; None: nothing (yet).

        A machine that has never heard of the turn first makes sure that it will never begin it.
        """

    def close(self) -> None:
        """Stop listening and free the port."""
