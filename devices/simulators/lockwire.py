"""Lock boards as they sound on the wire: bytes in, bytes out, with everything that goes wrong on a real line.

Written from the makers' frames alone and sharing nothing with the drivers, so that a mistake there is not made twice.
"""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from operator import xor
from typing import Protocol

from devices.simulators.world import Schedule

Say = Callable[[bytes], None]
_REBOOT_S = 0.6
_NOISE = bytes.fromhex("fbf2f6fbf2")
"""What another line speed sounds like."""


class Locks(Protocol):
    """The physical doors behind a board."""

    def fire(self, board: str, channel: int) -> str:
        """Energise a lock; the answer names what goes wrong besides: `mute`, `garble`, `brownout` or nothing."""

    def closed(self, board: str) -> list[bool]:
        """Return what the door contacts say, by channel."""

    def filled(self, board: str) -> list[bool]:
        """Return what the light barriers say, by channel."""


class Speech(Protocol):
    """One make of board."""

    def frame(self, heard: bytes) -> int:
        """Return how long the frame at the beginning is; 0: more bytes are needed; -1: none begins here."""

    def address(self, frame: bytes) -> int:
        """Return for which board a frame is."""

    def answer(self, frame: bytes, board: "Board") -> bytes:
        """Do what a frame says and return the answer, or nothing."""


@dataclass(slots=True)
class Board:
    """A board and its troubles."""

    name: str
    address: int
    size: int
    locks: Locks
    is_dead: bool = False
    is_garbling: bool = False
    late_s: float = 0.0
    silent_until: float = 0.0
    mute: int = 0
    """So many answers are swallowed."""
    garbled: int = 0
    """So many answers are spoiled."""
    fired: list[int] = field(default_factory=list)
    first_address: int = field(init=False)

    def __post_init__(self) -> None:
        self.first_address = self.address

    def fire(self, channel: int) -> bool:
        """Energise a lock, if there is one on this channel; tell whether the board survives it."""
        if not 1 <= channel <= self.size:
            return True
        self.fired.append(channel)
        trouble = self.locks.fire(self.name, channel)
        self.mute += trouble == "mute"
        self.garbled += trouble == "garble"
        if trouble == "brownout":
            self.silent_until = time.monotonic() + _REBOOT_S
        return trouble != "brownout"


class Line:
    """All boards on one pair of wires."""

    def __init__(self, boards: Sequence[Board], speech: Speech, schedule: Schedule) -> None:
        self.boards = {board.name: board for board in boards}
        self._speech, self._schedule = speech, schedule
        self._heard = b""
        self._turn = threading.Lock()
        self.echoes = False
        self.questions = 0

    def hear(self, data: bytes, say: Say) -> None:
        """Take bytes from the host; what the boards answer goes to `say`."""
        with self._turn:
            if self.echoes:
                say(data)
            self._heard += data
            while self._heard:
                length = self._speech.frame(self._heard)
                if length == 0:
                    return
                frame, self._heard = self._heard[: abs(length)], self._heard[abs(length) :]
                if length > 0:
                    self._answer(frame, say)

    def _answer(self, frame: bytes, say: Say) -> None:
        self.questions += 1
        now = time.monotonic()
        address = self._speech.address(frame)
        awake = [b for b in self.boards.values() if b.address == address and not b.is_dead and now >= b.silent_until]
        spoken = [(board, _spoil(board, self._speech.answer(frame, board))) for board in awake]
        answers = [answer for _, answer in spoken if answer]
        if not answers:
            return
        both = reduce(_collide, answers)
        late_s = max(board.late_s for board, _ in spoken)
        if late_s:
            self._schedule(late_s, lambda: say(both))
        else:
            say(both)


def _spoil(board: Board, answer: bytes) -> bytes:
    if not answer:
        return b""
    if board.mute:
        board.mute -= 1
        return b""
    if board.is_garbling:
        return _NOISE
    if board.garbled:
        board.garbled -= 1
        return answer[:-1] + bytes([answer[-1] ^ 0x55])
    return answer


def _collide(one: bytes, other: bytes) -> bytes:
    """Two transmitters on one pair: the zeros win. Equal answers are heard as one."""
    return bytes(a & b for a, b in zip(one.ljust(len(other), b"\xff"), other.ljust(len(one), b"\xff"), strict=True))


def _total(octets: bytes) -> int:
    return reduce(lambda low, octet: (low + octet) % 256, octets, 0)


def _octets(flags: Sequence[bool], size: int) -> bytes:
    """Return flags as bytes, the first flag in the lowest bit; nothing hangs on the channels that are left over."""
    number = sum(flag << place for place, flag in enumerate(flags))
    return number.to_bytes(size, "little")


class KerongCu16:
    """`02 ADDR CMD 03 SUM` with 0x30 (state) and 0x31 (unlock). It says nothing to an unlock."""

    def frame(self, heard: bytes) -> int:
        """Five bytes from 02 to the sum."""
        if heard[0] != 0x02:  # noqa: PLR2004 - STX
            return -1
        if len(heard) < 5:  # noqa: PLR2004 - a whole frame
            return 0
        return 5 if heard[3] == 0x03 and heard[4] == _total(heard[:4]) else -1  # noqa: PLR2004 - ETX

    def address(self, frame: bytes) -> int:
        """The upper half of the second byte."""
        return frame[1] // 16

    def answer(self, frame: bytes, board: Board) -> bytes:
        """State: four bytes of flags."""
        if frame[2] == 0x31:  # noqa: PLR2004 - unlock
            board.fire(frame[1] % 16 + 1)
            return b""
        if frame[2] != 0x30:  # noqa: PLR2004 - state
            return b""
        hooks, barriers = board.locks.closed(board.name), board.locks.filled(board.name)
        body = bytes([2, frame[1], 0x35]) + _octets(hooks, 2) + _octets(barriers, 2) + b"\x03"
        return body + bytes([_total(body)])


class StxCu48:
    """`02 ADDR LOCK CMD 03 SUM` with 0x60 (state) and 0x61 (open), answered by 0x75."""

    def frame(self, heard: bytes) -> int:
        """Six bytes from 02 to the sum."""
        if heard[0] != 0x02:  # noqa: PLR2004 - STX
            return -1
        if len(heard) < 6:  # noqa: PLR2004 - a whole frame
            return 0
        return 6 if heard[4] == 0x03 and heard[5] == _total(heard[:5]) else -1  # noqa: PLR2004 - ETX

    def address(self, frame: bytes) -> int:
        """The second byte."""
        return frame[1]

    def answer(self, frame: bytes, board: Board) -> bytes:
        """State: six bytes of closed doors. Open: the frame again with 0x75."""
        if frame[3] == 0x61:  # noqa: PLR2004 - open
            body = bytes([2, frame[1], frame[2], 0x75, 3])
            return body + bytes([_total(body)]) if board.fire(frame[2] + 1) else b""
        if frame[3] != 0x60:  # noqa: PLR2004 - state
            return b""
        body = bytes([2, frame[1], 0, 0x75, 6]) + _octets(board.locks.closed(board.name), 6)
        return body + bytes([_total(body)])


def _crc_table() -> tuple[int, ...]:
    def entry(octet: int) -> int:
        return reduce(lambda value, _: xor(value // 2, 0xA001) if value % 2 else value // 2, range(8), octet)

    return tuple(entry(octet) for octet in range(256))


_CRC_TABLE = _crc_table()


def _crc(octets: bytes) -> bytes:
    value = reduce(lambda value, octet: value // 256 ^ _CRC_TABLE[(value ^ octet) % 256], octets, 0xFFFF)
    return bytes([value % 256, value // 256])


class _Modbus:
    """Requests of eight bytes; `reads` is the function that reads the door contacts."""

    reads = 0

    def frame(self, heard: bytes) -> int:
        """Eight bytes with a good CRC."""
        if len(heard) < 8:  # noqa: PLR2004 - a whole frame
            return 0
        return 8 if heard[6:8] == _crc(heard[:6]) else -1

    def address(self, frame: bytes) -> int:
        """The first byte."""
        return frame[0]

    def answer(self, frame: bytes, board: Board) -> bytes:
        """Contacts as bits; a written coil is repeated."""
        if frame[1] == self.reads:
            count = frame[4] * 256 + frame[5]
            body = frame[:2] + bytes([-(-count // 8)]) + _octets(board.locks.closed(board.name), -(-count // 8))
            return body + _crc(body)
        if frame[1] == 0x05:  # noqa: PLR2004 - write a coil
            return frame if self.written(frame[2:4], frame[4:6], board) else b""
        return b""

    def written(self, coil: bytes, value: bytes, board: Board) -> bool:
        """Do what writing this coil does; tell whether the board survives it."""
        raise NotImplementedError


class ModbusCu48(_Modbus):
    """Coils are door contacts; writing 0 opens."""

    reads = 1

    def written(self, coil: bytes, value: bytes, board: Board) -> bool:
        """Fire the lock of this coil."""
        return value != b"\0\0" or board.fire(coil[1] + 1)


class WaveshareRelays(_Modbus):
    """Flash-on at 02xx; inputs are door contacts. A relay switched on for good is a lock that burns."""

    reads = 2

    def __init__(self) -> None:
        self.burnt: list[int] = []
        self.resets = 0

    def written(self, coil: bytes, value: bytes, board: Board) -> bool:
        """Flash a relay, switch one, or switch all."""
        if coil[0] == 0x02:  # noqa: PLR2004 - flash-on
            return board.fire(coil[1] + 1)
        if coil == b"\x00\xff" and value == b"\0\0":
            self.resets += 1
        elif value == b"\xff\0":
            self.burnt.append(coil[1])
        return True


SPEECHES: Mapping[str, Callable[[], Speech]] = {
    "kerong-cu16": KerongCu16,
    "cu48": StxCu48,
    "cu48-modbus": ModbusCu48,
    "waveshare": WaveshareRelays,
}
