"""The contract of a lock-board driver, and what the rest of the station makes of it.

One process owns a line (a serial port or a TCP converter); the driver orders the traffic on it.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from devices.agent.device import NoAnswerError


class TooSoonError(NoAnswerError):
    """Not asked: a late answer to an earlier question may still be on the line and would be taken for a new one."""


class NotSentError(NoAnswerError):
    """Nothing was sent: the lock has certainly not been fired."""


@dataclass(frozen=True, slots=True)
class ChannelReading:
    """What a board says of one lock: its door contact, and its light barrier if it has one."""

    door_open: bool
    occupied: bool | None = None


@dataclass(frozen=True, slots=True)
class CompartmentReading:
    """What all sensors of one compartment say. None where there is no such sensor."""

    door_open: bool
    occupied: bool | None = None
    temperature_milli: int | None = None
    """Thousandths of a degree Celsius."""


class Finding(StrEnum):
    """What was heard at an address."""

    OK = "ok"
    TWINS = "twins"
    """Two answers to one question: two boards have this address."""
    GARBLED = "garbled"
    """Something speaks, but not clearly: two boards at one address, another speed, or a bad cable."""


@dataclass(frozen=True, slots=True)
class Found:
    """A board that answered a scan."""

    address: int
    finding: Finding


class LockBoards(Protocol):
    """The lock boards on one line. May be called from two threads. Channels count from 1, as printed on the boards.

    Nothing is ever sent twice by itself, and a missing reply is never hidden: a driver that tries again opens a door
    for the next person.
    """

    @property
    def addresses(self) -> range:
        """Return the addresses that boards of this make can have."""

    @property
    def channels(self) -> int:
        """Return how many locks a board has."""

    @property
    def has_presence(self) -> bool:
        """Tell whether a board reads light barriers, too."""

    @property
    def pulse_s(self) -> float:
        """Return how long a lock is energised; until then no other lock of the station may be."""

    def hold(self) -> AbstractContextManager[object]:
        """Keep others off the line, so that a pulse is not kept waiting behind a question."""

    def ready(self, address: int) -> None:
        """Get the line of a board open and empty, however long that takes, so that a pulse goes out at once.

        Raises:
            NotSentError: the line cannot be opened, or holds back what was sent before.
        """

    def pulse(self, address: int, channel: int) -> None:
        """Fire one lock once, on a line that is ready. The board times the pulse itself: a dead host burns no lock.

        Raises:
            NotSentError: the line is not ready.
            NoAnswerError: no valid reply: the lock may have opened or not.
        """

    def read(self, address: int) -> Sequence[ChannelReading]:
        """Return what a board says of its locks, by channel.

        Raises:
            TooSoonError: not asked.
            NoAnswerError: no valid reply from this board.
        """

    def scan(self) -> Sequence[Found]:
        """Ask at every possible address who is there. Nothing is fired.

        Raises:
            NoAnswerError: the line itself cannot be opened.
        """

    def close(self) -> None:
        """Let go of the line."""
