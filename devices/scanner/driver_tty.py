"""A scanner on a serial port (USB-CDC or RS-232) or a pty, read raw."""

import os
import select
import tty
from pathlib import Path

_WAIT_S = 1.0


class TtyScanner:
    """Reads a character device; its line speed is the system's setting (USB scanners ignore it)."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    def open(self) -> None:
        """Open the port raw: no echo, no line editing."""
        self._descriptor = os.open(self._path, os.O_RDONLY | os.O_NOCTTY)
        tty.setraw(self._descriptor)

    def read(self) -> bytes:
        """Return what came."""
        descriptor = self._descriptor
        if descriptor is None:
            raise ConnectionError
        if not select.select([descriptor], [], [], _WAIT_S)[0]:
            return b""
        chunk = os.read(descriptor, 4096)
        if not chunk:
            raise ConnectionResetError
        return chunk

    def close(self) -> None:
        """Close the port."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)
