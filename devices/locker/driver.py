"""What a lock-board driver must offer. One process owns the serial port; the driver orders its own traffic."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Place:
    """A compartment: its node id and the board it hangs on."""

    node: str
    board: str
    name: str = ""
    has_presence: bool = True
    has_thermometer: bool = False


@dataclass(frozen=True, slots=True)
class CompartmentReading:
    """What the sensors of one compartment say. None where there is no such sensor."""

    door_open: bool
    occupied: bool | None = None
    temperature_milli: int | None = None
    """Thousandths of a degree Celsius."""


class LockBoards(Protocol):
    """Lock boards of any maker. May be called from two threads; a missing reply is never hidden or retried."""

    def places(self) -> Sequence[Place]:
        """Return all compartments, in order."""

    def pulse(self, node: str) -> None:
        """Fire one lock once. The board times the pulse itself, so that a dead host leaves nothing energised.

        Raises:
            NoAnswerError: no valid reply: the lock may have opened or not.
        """

    def read(self, board: str) -> Mapping[str, CompartmentReading]:
        """Return the readings of a board's compartments by node.

        Raises:
            NoAnswerError: no valid reply from this board.
        """
