"""ZVT 700 on the wire (revision 13.13): APDUs and their bitmaps, as the cash register (ECR) reads and writes them.

An APDU is class, instruction, length, data; the length is one byte, or FF and two bytes little-endian from 255 on.
"""

from dataclasses import dataclass

POSITIVE = b"\x80\x00\x00"

REGISTRATION = 0x0600
AUTHORISATION = 0x0601
STATUS_ENQUIRY = 0x0501
REPEAT_RECEIPT = 0x0620
REVERSAL = 0x0630
ABORT_BY_ECR = 0x06B0

STATUS_INFORMATION = 0x040F
INTERMEDIATE_STATUS = 0x04FF
COMPLETION = 0x060F
ABORT = 0x061E

AMOUNT = 0x04
TLV = 0x06
TRACE = 0x0B
RESULT = 0x27
CURRENCY = 0x49
RECEIPT = 0x87
CARD_NAME = 0x8B

EURO = bytes.fromhex("0978")
_LONG_LENGTH = 0xFF

_FIXED = {
    0x01: 1, 0x02: 1, 0x03: 1, AMOUNT: 6, 0x05: 1, TRACE: 3, 0x0C: 3, 0x0D: 2, 0x0E: 2, 0x17: 2, 0x19: 1, RESULT: 1,
    0x29: 4, 0x2A: 15, 0x37: 3, 0x3A: 2, 0x3B: 8, 0x3D: 3, CURRENCY: 2, RECEIPT: 2, 0x88: 3, 0x8A: 1, 0x8C: 1,
    0xA0: 1, 0xAA: 3, 0xBA: 5, 0xD0: 1, 0xE0: 1, 0xE9: 1,
}  # fmt: skip
_LENGTH_DIGITS = {
    0x22: 2, 0x23: 2, 0x2D: 2, CARD_NAME: 2, 0xA7: 2, 0x24: 3, 0x2E: 3, 0x3C: 3, 0x60: 3, 0x92: 3, 0x9A: 3, 0xAF: 3,
}  # fmt: skip
"""Fields whose length stands before them as so many bytes F0 to F9, a decimal digit each (LLVAR, LLLVAR)."""


class ZvtError(Exception):
    """Bytes that are no ZVT."""


@dataclass(frozen=True, slots=True)
class Apdu:
    """One message: `code` is class and instruction, e.g. 0x0601; 0x84 xx refusals have class 0x84."""

    code: int
    data: bytes = b""

    def encode(self) -> bytes:
        """Return the bytes for the wire."""
        size = len(self.data)
        length = bytes([size]) if size < _LONG_LENGTH else b"\xff" + size.to_bytes(2, "little")
        return self.code.to_bytes(2, "big") + length + self.data

    @property
    def is_refusal(self) -> bool:
        """Whether this is `84 xx 00`."""
        return self.code >> 8 == 0x84  # noqa: PLR2004 - class of refusals


def split(buffer: bytes) -> tuple[Apdu | None, bytes]:
    """Return the first complete APDU of a buffer and what follows it; None while it is incomplete."""
    head = 3
    if len(buffer) < head:
        return None, buffer
    size = buffer[2]
    if size == _LONG_LENGTH:
        head = 5
        if len(buffer) < head:
            return None, buffer
        size = int.from_bytes(buffer[3:5], "little")
    if len(buffer) < head + size:
        return None, buffer
    return Apdu(int.from_bytes(buffer[:2], "big"), buffer[head : head + size]), buffer[head + size :]


def bcd(number: int, size: int) -> bytes:
    """Return a number as packed decimal digits in `size` bytes.

    Raises:
        ValueError: it does not fit or is negative.
    """
    digits = f"{number:0{2 * size}d}"
    if number < 0 or len(digits) > 2 * size:
        raise ValueError(f"{number} in {size} bytes")
    return bytes.fromhex(digits)


def number(field: bytes) -> int:
    """Return the number in packed decimal digits.

    Raises:
        ZvtError: other digits than 0 to 9.
    """
    text = field.hex()
    if not text.isdecimal():
        raise ZvtError(f"not decimal: {text}")
    return int(text)


def fields(data: bytes) -> dict[int, bytes]:
    """Return the bitmaps of a message by number.

    Terminals send bitmaps nobody documents (2 of 16 published captures do): parsing ends there and what was read
    before counts.
    """
    found: dict[int, bytes] = {}
    at = 0
    while at < len(data):
        tag = data[at]
        span = _span(tag, data, at + 1)
        if span is None or span[1] > len(data):
            break
        found[tag] = data[span[0] : span[1]]
        at = span[1]
    return found


def _span(tag: int, data: bytes, at: int) -> tuple[int, int] | None:
    """Return where a field's content begins and ends, or None if its length is not known."""
    if tag in _FIXED:
        return at, at + _FIXED[tag]
    if tag in _LENGTH_DIGITS:
        start = at + _LENGTH_DIGITS[tag]
        digits = data[at:start]
        if len(digits) < start - at or any(not 0xF0 <= digit <= 0xF9 for digit in digits):  # noqa: PLR2004 - F0 to F9
            return None
        return start, start + int("".join(str(digit & 0x0F) for digit in digits))
    return _tlv_span(data, at) if tag == TLV else None


def _tlv_span(data: bytes, at: int) -> tuple[int, int] | None:
    """Return the span of a BER-TLV container: its length is one byte, or 81 + one, or 82 + two."""
    head = data[at : at + 3]
    if head[:1] < b"\x80" and head:
        return at + 1, at + 1 + head[0]
    long_form = {0x81: 1, 0x82: 2}.get(head[0], 0) if head else 0
    if not long_form or len(head) <= long_form:
        return None
    start = at + 1 + long_form
    return start, start + int.from_bytes(head[1 : 1 + long_form], "big")


def registration(password: int, config: int) -> Apdu:
    """Return the registration: password and config byte (which side prints what)."""
    return Apdu(REGISTRATION, bcd(password, 3) + bytes([config]))


def authorisation(cents: int) -> Apdu:
    """Return the order to charge an amount in euro cents; the empty TLV container asks for nothing special."""
    return Apdu(AUTHORISATION, bytes([AMOUNT]) + bcd(cents, 6) + bytes([CURRENCY]) + EURO + bytes([TLV, 0]))


def reversal(password: int, receipt: int) -> Apdu:
    """Return the order to cancel a transaction by its receipt number."""
    return Apdu(REVERSAL, bcd(password, 3) + bytes([RECEIPT]) + bcd(receipt, 2))


def repeat_receipt(password: int) -> Apdu:
    """Return the question for the last transaction."""
    return Apdu(REPEAT_RECEIPT, bcd(password, 3))


def status_enquiry(password: int) -> Apdu:
    """Return the question whether the terminal is ready."""
    return Apdu(STATUS_ENQUIRY, bcd(password, 3))
