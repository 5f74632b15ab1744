"""What a scanner driver must offer: a stream of bytes that may end and be opened again."""

from typing import Protocol


class ScannerStream(Protocol):
    """Bytes as a serial scanner sends them."""

    def open(self) -> None:
        """Open the port.

        Raises:
            OSError: not there.
        """

    def read(self) -> bytes:
        """Wait for bytes and return them; empty when nothing came within about a second.

        Raises:
            OSError: the port is gone.
        """

    def close(self) -> None:
        """Close the port; called by the thread that reads."""
