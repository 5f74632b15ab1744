"""What a make of lock board says on the wire: frames only, no line and no clock."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from devices.locker.driver import ChannelReading


@dataclass(frozen=True, slots=True)
class Question:
    """A frame to send, and how its answer is known. `length` 0: the board does not answer this."""

    payload: bytes
    length: int = 0
    fits: Callable[[bytes], bool] = lambda _: False
    """Whether a piece of `length` bytes is a whole and valid answer to exactly this."""

    @property
    def is_echoed_by_board(self) -> bool:
        """Tell whether the answer repeats the question, so that an echo of the line looks like it."""
        return self.length == len(self.payload) and self.fits(self.payload)

    def answers(self, received: bytes) -> list[bytes]:
        """Return the valid answers in what was received, wherever they begin: garbage may stand before them."""
        found, start = [], 0
        while self.length and start <= len(received) - self.length:
            piece = received[start : start + self.length]
            if self.fits(piece):
                found.append(piece)
                start += self.length
            else:
                start += 1
        return found


class Dialect(Protocol):
    """One make of board. Addresses as set on the board, channels from 1."""

    @property
    def addresses(self) -> range:
        """Return the addresses to look at."""

    @property
    def channels(self) -> int:
        """Return how many locks a board has."""

    @property
    def has_presence(self) -> bool:
        """Tell whether it reads light barriers."""

    @property
    def baud(self) -> int:
        """Return the factory's line speed."""

    def ask(self, address: int) -> Question:
        """Return the question for the state of all doors."""

    def readings(self, answer: bytes) -> Sequence[ChannelReading]:
        """Return what the answer to `ask` says, by channel."""

    def fire(self, address: int, channel: int, pulse_ms: int) -> Question:
        """Return the frame that fires one lock once."""

    def prepare(self, address: int) -> Sequence[Question]:
        """Return what to say to a board after the line was opened, so that no lock stays energised."""


def bits(octets: bytes) -> list[bool]:
    """Return the bits of each byte, lowest first, the first byte first."""
    return [bool(octet >> place & 1) for octet in octets for place in range(8)]


def check(value: int, allowed: range) -> int:
    """Return the value.

    Raises:
        ValueError: it is not allowed; a wrong address in a frame could open a stranger's door.
    """
    if value not in allowed:
        raise ValueError(f"{value} is not in {allowed}")
    return value
