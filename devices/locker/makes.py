"""The makes of lock boards by name, and lines to them as they are written on a command line."""

import re
from collections.abc import Callable, Mapping, Sequence

from devices.locker.dialect import Dialect
from devices.locker.kerong import Cu16, Cu48
from devices.locker.line import LockLine
from devices.locker.modbus import Cu48Modbus, WaveshareRelay
from devices.locker.port import Port, TcpPort

MAKES: Mapping[str, Callable[[], Dialect]] = {
    "kerong-cu16": Cu16,
    "cu48": Cu48,
    "cu48-modbus": Cu48Modbus,
    "waveshare": WaveshareRelay,
}
_PULSES_MS = range(50, 5_001)
"""A lock's coil burns when it is held; no maker asks for more than five seconds."""


_NUMBERED = re.compile(r"=/dev/tty(USB|ACM)\d")
"""A name that the kernel gives in the order in which adapters are found: after a restart it may be another one's."""


def lines(texts: Sequence[str], *, pulse_ms: int) -> list[LockLine]:
    """Return the lines of a station.

    Raises:
        ValueError: one of them cannot be, or two could be taken for each other.
    """
    if sum(bool(_NUMBERED.search(text)) for text in texts) > 1:
        raise ValueError("ttyUSB0 and ttyUSB1 may change places: name each adapter as in /dev/serial/by-id or by-path")
    return [line(text, pulse_ms=pulse_ms) for text in texts]


def line(text: str, *, pulse_ms: int) -> LockLine:
    """Return a line of boards: `MAKE=/dev/ttyUSB0`, `MAKE=/dev/ttyUSB0@9600` or `MAKE=host:port`.

    Raises:
        ValueError: it cannot be; the text says why.
    """
    make, _, where = text.partition("=")
    if make not in MAKES or not where:
        raise ValueError(f"{text}: write MAKE=WHERE with one of these makes: {', '.join(MAKES)}")
    dialect = MAKES[make]()
    if pulse_ms not in _PULSES_MS:
        raise ValueError(f"a pulse of {pulse_ms} ms: it must be {_PULSES_MS[0]} to {_PULSES_MS[-1]} ms")
    dialect.fire(dialect.addresses[0], 1, pulse_ms)  # a make that times the pulse itself refuses what it cannot time
    return LockLine(_port(where, dialect.baud), dialect, pulse_ms=pulse_ms)


def _port(where: str, baud: int) -> Port:
    if "/" in where:
        path, _, speed = where.partition("@")
        return _serial(path, _number(speed, where) if speed else baud)
    host, _, port = where.rpartition(":")
    if not host:
        raise ValueError(f"{where} is neither a serial port (/dev/…) nor host:port")
    return TcpPort(host, _number(port, where))


def _serial(path: str, baud: int) -> Port:
    try:
        from devices.locker.port_serial import SerialPort  # noqa: PLC0415 - an optional extra
    except ImportError:
        raise ValueError("serial ports need pyserial: install shop-hub[serial]") from None
    return SerialPort(path, baud)


def _number(text: str, where: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise ValueError(f"{where}: {text!r} is no number")
    return int(text)
