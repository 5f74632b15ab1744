"""A scanner behind a serial-to-network converter (or a simulator): bytes over TCP."""

import contextlib
import socket

_WAIT_S = 1.0


class TcpScanner:
    """Connects to a converter."""

    def __init__(self, host: str, port: int) -> None:
        self._address = (host, port)
        self._sock: socket.socket | None = None

    def open(self) -> None:
        """Connect."""
        self._sock = socket.create_connection(self._address, timeout=_WAIT_S)

    def read(self) -> bytes:
        """Return what came."""
        if self._sock is None:
            raise ConnectionError
        try:
            chunk = self._sock.recv(4096)
        except TimeoutError:
            return b""
        if not chunk:
            raise ConnectionResetError
        return chunk

    def close(self) -> None:
        """Disconnect."""
        if self._sock is not None:
            with contextlib.suppress(OSError):
                self._sock.shutdown(socket.SHUT_RDWR)
            self._sock.close()
            self._sock = None
