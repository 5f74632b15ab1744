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
        sock = self._sock
        if sock is None:
            raise ConnectionError
        try:
            chunk = sock.recv(4096)
        except TimeoutError:
            return b""
        if not chunk:
            raise ConnectionResetError
        return chunk

    def close(self) -> None:
        """Disconnect."""
        sock, self._sock = self._sock, None
        if sock is not None:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()
