"""Lines to lock boards: what they must offer, and the one over a serial-to-network converter."""

import fcntl
import socket
import struct
import termios
from typing import Protocol

from devices.agent.sockets import never_late

_CONNECT_S = 2.0
_LARGEST_READ = 4096


class Port(Protocol):
    """A line of bytes. Every method may raise OSError: the line is gone and must be opened again."""

    def open(self) -> None:
        """Open the line."""

    def close(self) -> None:
        """Close it and drop what has not left yet; harmless when it is closed."""

    def write(self, payload: bytes) -> None:
        """Send all of this."""

    def read(self, wait_s: float) -> bytes:
        """Return what has come, having waited up to `wait_s` seconds for the first byte; nothing: no bytes."""

    def is_clear(self) -> bool:
        """Tell whether everything that was written has left: more bytes would not have to wait."""


class TcpPort:
    """A converter that passes bytes through (RFC 2217 is not needed: speed and parity are set in the converter)."""

    def __init__(self, host: str, port: int) -> None:
        self._address = (host, port)
        self._sock: socket.socket | None = None

    def open(self) -> None:
        """Connect."""
        self._sock = socket.create_connection(self._address, timeout=_CONNECT_S)
        never_late(self._sock)
        self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def close(self) -> None:
        """Disconnect with a reset."""
        sock, self._sock = self._sock, None
        if sock is not None:
            sock.close()

    def write(self, payload: bytes) -> None:
        """Send."""
        sock = self._opened()
        sock.settimeout(_CONNECT_S)
        sock.sendall(payload)

    def read(self, wait_s: float) -> bytes:
        """Return what has come."""
        sock = self._opened()
        sock.settimeout(wait_s)
        try:
            chunk = sock.recv(_LARGEST_READ)
        except (TimeoutError, BlockingIOError):
            return b""
        if not chunk:
            raise ConnectionResetError
        return chunk

    def is_clear(self) -> bool:
        """Tell whether the converter has acknowledged all that was sent."""
        waiting = fcntl.ioctl(self._opened().fileno(), termios.TIOCOUTQ, bytes(4))
        return struct.unpack("i", waiting) == (0,)

    def _opened(self) -> socket.socket:
        if self._sock is None:
            raise ConnectionError
        return self._sock
