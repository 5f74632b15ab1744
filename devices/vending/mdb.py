"""The text protocol of MDB interfaces in the Qibixx dialect: one message per line, ASCII (money-and-machines.md 3.9).

Capital letters go to the interface, small ones come from it. `C` and `c` speak of the cashless device that we play for
the machine's controller. MDB numbers its states in EVA's MDB/ICP standard, section 7. A line that does not fit as a
whole is noise: half a message must never decide about money.
"""

import re
from dataclasses import dataclass
from enum import StrEnum

LONGEST_LINE = 200
"""Bytes without a line end beyond this are noise."""

ENABLE = b"C,1\r\n"
STOP = b"C,STOP\r\n"
"""Ends a session in which nothing was asked for yet."""
DENY = b"C,VEND,-1\r\n"


class Mode(StrEnum):
    """State of the cashless device as its machine sees it."""

    INACTIVE = "INACTIVE"
    DISABLED = "DISABLED"
    ENABLED = "ENABLED"
    IDLE = "IDLE"


@dataclass(frozen=True, slots=True)
class Status:
    """The device changed its state; `credit_cents` stands there while a session is open."""

    mode: Mode
    credit_cents: int | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """Someone chose an item at the machine, which asks whether it is paid."""

    cents: int
    item: int


@dataclass(frozen=True, slots=True)
class Result:
    """The machine has finished the vend that was approved."""

    is_success: bool


@dataclass(frozen=True, slots=True)
class Refusal:
    """The interface did not like the last order."""

    text: str


Said = Status | Request | Result | Refusal

_AMOUNT = r"(\d{1,5}(?:\.\d{1,2})?)"
_REQUEST = re.compile(rf"c,STATUS,VEND,{_AMOUNT},(\d{{1,5}})")
_STATUS = re.compile(rf"c,STATUS,(INACTIVE|DISABLED|ENABLED|IDLE)(?:,{_AMOUNT})?")
_FAILURES = frozenset({"c,VEND,FAILURE", "c,ERR,VEND 3"})
"""The second is seen in the field: 3 is the number of MDB's VEND FAILURE."""
_REFUSAL = re.compile(r"c,ERR,(.{1,80})")


def start(cents: int) -> bytes:
    """Return the order that opens a session with so much credit."""
    return f"C,START,{amount(cents)}\r\n".encode()


def approve(cents: int) -> bytes:
    """Return the approval of a request: from here on the motor turns."""
    return f"C,VEND,{amount(cents)}\r\n".encode()


def amount(cents: int) -> str:
    """Return an amount as the interface writes it: `1`, `1.20`."""
    return str(cents // 100) if cents % 100 == 0 else f"{cents // 100}.{cents % 100:02d}"


def parse(line: bytes) -> Said | None:
    """Return what a line without its end says; None for chatter of the interface and for noise."""
    try:
        text = line.decode("ascii")
    except UnicodeDecodeError:
        return None
    if found := _REQUEST.fullmatch(text):
        return Request(_cents(found[1]), int(found[2]))
    if found := _STATUS.fullmatch(text):
        return Status(Mode(found[1]), None if found[2] is None else _cents(found[2]))
    if text == "c,VEND,SUCCESS":
        return Result(is_success=True)
    if text in _FAILURES:
        return Result(is_success=False)
    found = _REFUSAL.fullmatch(text)
    return Refusal(found[1]) if found else None


def _cents(text: str) -> int:
    whole, _, rest = text.partition(".")
    return int(whole) * 100 + int(rest.ljust(2, "0"))


class Lines:
    """Cuts a stream into lines; what is too long for one is thrown away up to the next end."""

    def __init__(self) -> None:
        self._buffer = b""
        self._is_noise = False

    def feed(self, chunk: bytes) -> list[bytes]:
        """Return the lines that are whole now."""
        *whole, self._buffer = (self._buffer + chunk).split(b"\n")
        lines = [line.removesuffix(b"\r") for line in whole]
        if lines and self._is_noise:
            lines, self._is_noise = lines[1:], False
        if len(self._buffer) > LONGEST_LINE:
            self._buffer, self._is_noise = b"", True
        return [line for line in lines if len(line) <= LONGEST_LINE]
