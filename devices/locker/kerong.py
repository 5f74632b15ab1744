"""Frames of the Kerong KR-CU16 (19200 8N1) and of the CU48 in its STX dialect (parcels.md 3.6).

Unlock all (0x33), delayed unlock (0x39) and changes of speed or pulse time (0x40, 0x37) are deliberately not spoken.
"""

from collections.abc import Sequence

from devices.locker.dialect import Question, bits, check
from devices.locker.driver import ChannelReading

_STX, _ETX = 0x02, 0x03
_CU16_ASK, _CU16_OPEN, _CU16_STATE = 0x30, 0x31, 0x35
_CU48_ASK, _CU48_OPEN, _CU48_OK = 0x60, 0x61, 0x75
_CU48_STATE_BYTES = 6


def _summed(*octets: int) -> bytes:
    """Return a frame with its checksum, the low byte of the sum."""
    return bytes([*octets, sum(octets) & 0xFF])


def _has_sum(frame: bytes) -> bool:
    return frame[-1] == sum(frame[:-1]) & 0xFF


class Cu16:
    """KR-CU16: `02 ADDR CMD 03 SUM`, ADDR = board in the upper half, lock - 1 in the lower.

    Whether it answers an unlock differs from board to board, so its state is asked right after.
    """

    addresses = range(10)
    channels = 16
    has_presence = True
    baud = 19_200

    def ask(self, address: int) -> Question:
        """0x30; the answer is `02 ADDR 35 hooks hooks IR IR 03 SUM`."""
        place = check(address, self.addresses) << 4
        head = bytes([_STX, place, _CU16_STATE])
        return Question(
            _summed(_STX, place, _CU16_ASK, _ETX),
            9,
            lambda frame: frame.startswith(head) and frame[7] == _ETX and _has_sum(frame),
        )

    def readings(self, answer: bytes) -> Sequence[ChannelReading]:
        """Hook bit 1 = locked, IR bit 1 = something lies inside."""
        hooks, barriers = bits(answer[3:5]), bits(answer[5:7])
        return [ChannelReading(not hook, barrier) for hook, barrier in zip(hooks, barriers, strict=True)]

    def fire(self, address: int, channel: int, pulse_ms: int) -> Question:  # noqa: ARG002 - the board times the pulse
        """0x31; how long the pulse is is set in the board."""
        lock = check(channel, range(1, self.channels + 1)) - 1
        return Question(_summed(_STX, check(address, self.addresses) << 4 | lock, _CU16_OPEN, _ETX))

    def prepare(self, address: int) -> Sequence[Question]:  # noqa: ARG002 - the contract's shape
        """Nothing: its relays fall off by themselves."""
        return ()


class Cu48:
    """CU48, STX dialect: `02 ADDR LOCK CMD 03 SUM`, answers with 0x75. Known from one source only: try it first."""

    addresses = range(16)
    channels = 48
    has_presence = False
    baud = 19_200

    def ask(self, address: int) -> Question:
        """0x60; the answer is `02 ADDR 00 75 06`, six bytes of closed doors, the sum."""
        check(address, self.addresses)
        head = bytes([_STX, address, 0, _CU48_OK, _CU48_STATE_BYTES])
        return Question(
            _summed(_STX, address, 0, _CU48_ASK, _ETX),
            12,
            lambda frame: frame.startswith(head) and _has_sum(frame),
        )

    def readings(self, answer: bytes) -> Sequence[ChannelReading]:
        """Bit 1 = closed."""
        return [ChannelReading(not closed) for closed in bits(answer[5:11])]

    def fire(self, address: int, channel: int, pulse_ms: int) -> Question:  # noqa: ARG002 - the board times the pulse
        """0x61; the answer is `02 ADDR LOCK 75 03 SUM`."""
        lock = check(channel, range(1, self.channels + 1)) - 1
        expected = _summed(_STX, check(address, self.addresses), lock, _CU48_OK, _ETX)
        return Question(_summed(_STX, address, lock, _CU48_OPEN, _ETX), len(expected), lambda frame: frame == expected)

    def prepare(self, address: int) -> Sequence[Question]:  # noqa: ARG002 - the contract's shape
        """Nothing: its relays fall off by themselves."""
        return ()
