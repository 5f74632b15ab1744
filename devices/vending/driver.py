"""What a vending-machine driver must offer (MDB by Qibixx text protocol, or a controller of its own)."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class Drop(StrEnum):
    """What the drop sensor saw after the motor turned."""

    VENDED = "vended"
    JAM = "jam"
    EMPTY = "empty"


@dataclass(frozen=True, slots=True)
class Slot:
    """A spiral or shelf: node id, how many pieces fit, and how many were there when the machine was first seen."""

    node: str
    capacity: int
    first_stock: int = 0


class MachineListener(Protocol):
    """What a machine tells by itself."""

    def refilled(self, slot: str, stock: int) -> None:
        """Someone filled a slot and entered the number of pieces; a jam there is cleared."""

    def door(self, *, is_open: bool) -> None:
        """The machine's door moved."""

    def temperature(self, milli: int) -> None:
        """Inside temperature in thousandths of a degree Celsius."""


class VendingMachine(Protocol):
    """A machine with numbered slots."""

    def slots(self) -> Sequence[Slot]:
        """Return all slots, in order."""

    def watch(self, listener: MachineListener) -> None:
        """Tell the listener from now on, beginning with the present state."""

    def vend(self, slot: str) -> Drop:
        """Turn the motor of a slot once and wait for the drop sensor (at most about 20 s).

        Raises:
            NoAnswerError: the machine stopped answering: a piece may have dropped or not.
        """
