"""Frames of lock boards that speak Modbus RTU: the CU48 in its Modbus dialect, and Waveshare's relay board."""

from collections.abc import Sequence

from devices.locker.dialect import Question, bits, check
from devices.locker.driver import ChannelReading

_READ_COILS, _READ_INPUTS, _WRITE_COIL = 1, 2, 5
_POLYNOMIAL = 0xA001
_UNITS = range(1, 17)
"""Modbus allows 247 units; no station has more than sixteen boards on a line, and a scan must end soon."""


def crc(frame: bytes) -> bytes:
    """Return the CRC-16 of Modbus RTU (polynomial 0xA001, start 0xFFFF), low byte first."""
    value = 0xFFFF
    for octet in frame:
        value ^= octet
        for _ in range(8):
            value = value >> 1 ^ (_POLYNOMIAL if value & 1 else 0)
    return value.to_bytes(2, "little")


def _request(unit: int, function: int, first: int, second: int) -> bytes:
    body = bytes([check(unit, _UNITS), function]) + first.to_bytes(2) + second.to_bytes(2)
    return body + crc(body)


def read_bits(unit: int, function: int, count: int) -> Question:
    """Ask for `count` coils (FC01) or inputs (FC02) from 0."""
    size = (count + 7) // 8
    head = bytes([unit, function, size])
    return Question(
        _request(unit, function, 0, count),
        5 + size,
        lambda frame: frame.startswith(head) and crc(frame[:-2]) == frame[-2:],
    )


def write_coil(unit: int, address: int, value: int) -> Question:
    """Set one coil (FC05); the board repeats the frame."""
    payload = _request(unit, _WRITE_COIL, address, value)
    return Question(payload, len(payload), lambda frame: frame == payload)


class Cu48Modbus:
    """CU48, Modbus dialect at 115200: coils 1 = closed, opened by FC05 with 0. Known from one source: try it first."""

    addresses = _UNITS
    channels = 48
    has_presence = False
    baud = 115_200

    def ask(self, address: int) -> Question:
        """FC01 over all coils."""
        return read_bits(address, _READ_COILS, self.channels)

    def readings(self, answer: bytes) -> Sequence[ChannelReading]:
        """Coil 1 = closed."""
        return [ChannelReading(not closed) for closed in bits(answer[3:-2])]

    def fire(self, address: int, channel: int, pulse_ms: int) -> Question:  # noqa: ARG002 - the board times the pulse
        """FC05, value 0000."""
        return write_coil(address, check(channel, range(1, self.channels + 1)) - 1, 0)

    def prepare(self, address: int) -> Sequence[Question]:  # noqa: ARG002 - the contract's shape
        """Nothing: its coils are door contacts."""
        return ()


class WaveshareRelay:
    """Waveshare Modbus RTU relay, 8 channels, door contacts at its inputs (active = closed).

    Only flash-on (0x0200 + relay, in 100 ms): the board ends the pulse itself. Switching a coil on and off from here
    would leave a lock energised when the host dies.
    """

    addresses = _UNITS
    channels = 8
    has_presence = False
    baud = 9_600

    def ask(self, address: int) -> Question:
        """FC02 over the eight inputs."""
        return read_bits(address, _READ_INPUTS, self.channels)

    def readings(self, answer: bytes) -> Sequence[ChannelReading]:
        """Input 1 = the contact is closed, and so is the door."""
        return [ChannelReading(not closed) for closed in bits(answer[3:-2])]

    def fire(self, address: int, channel: int, pulse_ms: int) -> Question:
        """FC05 at 0x0200 + relay."""
        relay = check(channel, range(1, self.channels + 1)) - 1
        return write_coil(address, 0x0200 + relay, check(pulse_ms // 100, range(1, 51)))

    def prepare(self, address: int) -> Sequence[Question]:
        """All relays off: after a crash of the power one may hang (parcels.md 3.6)."""
        return (write_coil(address, 0x00FF, 0),)
