"""ZVT as a terminal writes it. Made apart from `devices/terminal`, so that one mistake cannot hide another.

A message is class, instruction, length, content; from 255 bytes on the length is FF and two bytes, low byte first.
"""

import socket

ACKNOWLEDGED = bytes.fromhex("800000")
BUSY = bytes.fromhex("849C00")
NOT_POSSIBLE = bytes.fromhex("848300")
INSERT_CARD = bytes.fromhex("04FF010A")
PROCESSING = bytes.fromhex("04FF010E")
DONE = bytes.fromhex("060F00")
READY = bytes.fromhex("060F0100")
TID = bytes.fromhex("29") + bytes.fromhex("52500001")
EURO = bytes.fromhex("490978")


def message(head: str, content: bytes) -> bytes:
    """Return a message; `head` is class and instruction in hex."""
    count = len(content)
    size = bytes((count,)) if count <= 254 else bytes((255, count & 255, count >> 8))  # noqa: PLR2004 - one byte's room
    return bytes.fromhex(head) + size + content


def digits(value: int, count: int) -> bytes:
    """Return a decimal number, two digits per byte, `count` digits long."""
    return bytes.fromhex(str(value).rjust(count, "0"))


def text(tag: str, words: str) -> bytes:
    """Return a text field whose length stands as two bytes F0 to F9."""
    raw = words.encode("ascii")
    tens, ones = divmod(len(raw), 10)
    return bytes.fromhex(tag) + bytes((0xF0 + tens, 0xF0 + ones)) + raw


def aborted(reason: int) -> bytes:
    """Return the end of a failed transaction."""
    return message("061E", bytes((reason,)))


def failed_status(result: int) -> bytes:
    """Return the status information of a failed transaction."""
    return message("040F", bytes((0x27, result)) + TID)


def paid_status(cents: int, trace: int, receipt: int) -> bytes:
    """Return the status information of a successful transaction."""
    return message(
        "040F",
        bytes.fromhex("2700")
        + b"\x04"
        + digits(cents, 12)
        + EURO
        + b"\x0b"
        + digits(trace, 6)
        + bytes.fromhex("0C120000")
        + bytes.fromhex("0D0101")
        + TID
        + b"\x87"
        + digits(receipt, 4)
        + bytes.fromhex("8A46")
        + text("8B", "girocard"),
    )


def registered() -> bytes:
    """Return the end of a registration."""
    return message("060F", bytes.fromhex("1900") + TID + EURO)


class Wire:
    """Whole messages over a socket."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock

    def read(self) -> bytes:
        """Return the next message as it came.

        Raises:
            OSError: the register is gone.
        """
        head = self._exactly(3)
        if head[2] != 255:  # noqa: PLR2004 - mark of the long form
            return head + self._exactly(head[2])
        size = self._exactly(2)
        return head + size + self._exactly(size[0] + 256 * size[1])

    def write(self, raw: bytes) -> None:
        """Send one message."""
        self._sock.sendall(raw)

    def tell(self, raw: bytes) -> None:
        """Send one message and wait for its acknowledgement.

        Raises:
            OSError: the register is gone or answered something else.
        """
        self.write(raw)
        if self.read() != ACKNOWLEDGED:
            raise OSError("the register did not acknowledge")

    def _exactly(self, count: int) -> bytes:
        raw = b""
        while len(raw) < count:
            piece = self._sock.recv(count - len(raw))
            if not piece:
                raise ConnectionResetError
            raw += piece
        return raw
