"""What a scan says: GTIN, GS1 element string, short number, or nothing of ours. Pure functions, no database.

Order of reading (shop.md 3.1): GS1 only with a symbology prefix or a leading AI 00, 01, 02 in 16 or more characters;
else a GTIN by its check digit. German EANs begin with 400 to 440, which are AI numbers too, so a GTIN comes first.
"""

import re
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from shop_hub.catalog.errors import NotGoodsError, UnreadableBarcodeError, WrongCheckDigitError

LONGEST_SCAN = 200
LONGEST_CODE = 40
GTIN_LENGTHS = frozenset({8, 12, 13, 14})
GS1_PREFIXES = ("]C1", "]d2", "]Q3", "]e0")
SHORTEST_GS1 = 16
EURO = "978"  # ISO 4217, in front of the amount of AI 393n
_PREFIX = re.compile(r"\][A-Za-z][0-9A-Za-z]")
_OWN_TOKEN = re.compile(r"D1[A-Z][A-Z2-7]{26}")
_TEXT = re.compile(r"[0-9A-Z][0-9A-Z ._/+-]*")


@dataclass(frozen=True, slots=True)
class Reading:
    """A scan, understood. `code` is a GTIN-14 (if `is_gtin`) or text in capitals, as ProductCode keeps it."""

    code: str
    is_gtin: bool = False
    pieces: int = 1
    weight_milli: int | None = None
    price_cents: int | None = None
    lot: str | None = None
    best_before: date | None = None
    use_by: date | None = None


def read(scan: str) -> Reading:
    """Understand a scan.

    Raises:
        WrongCheckDigitError: it has the length of a GTIN, but not its check digit.
        NotGoodsError: a token of this shop (card, badge, pick-up code).
        UnreadableBarcodeError: anything else that is no code.
    """
    text = scan.strip(" \t\r\n")
    if len(text) > LONGEST_SCAN or not text:
        raise UnreadableBarcodeError
    if text.isdigit() and text.isascii() and len(text) in GTIN_LENGTHS:
        return _gtin(text)
    if text.startswith(GS1_PREFIXES):
        return _gs1(text[3:])
    if _PREFIX.match(text):
        return read(text[3:])
    if len(text) >= SHORTEST_GS1 and text[:2] in {"00", "01", "02"}:
        return _gs1(text)
    return _text(text)


def check_digit(digits: str) -> int:
    """Return the GS1 check digit for `digits` (weights 3, 1, 3, … from the right)."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        total += int(digit) * (1 if place % 2 else 3)
    return -total % 10


def is_gtin(text: str) -> bool:
    """Tell whether `text` is a GTIN of 8, 12, 13 or 14 digits with a right check digit."""
    return len(text) in GTIN_LENGTHS and text.isascii() and text.isdigit() and check_digit(text[:-1]) == int(text[-1])


def short_form(code: str) -> str:
    """Return a GTIN-14 as it is printed: EAN-8, EAN-13 or GTIN-14; other codes unchanged."""
    if len(code) != 14 or not code.isdigit():  # noqa: PLR2004 - GTIN-14
        return code
    if code.startswith("000000"):
        return code[6:]
    return code.removeprefix("0")


def _gtin(digits: str) -> Reading:
    if check_digit(digits[:-1]) != int(digits[-1]):
        raise WrongCheckDigitError
    return Reading(digits.zfill(14), is_gtin=True)


def _text(text: str) -> Reading:
    text = text.upper()
    if _OWN_TOKEN.fullmatch(text.rsplit("#", 1)[-1]):
        raise NotGoodsError
    if len(text) > LONGEST_CODE or not _TEXT.fullmatch(text):
        raise UnreadableBarcodeError
    return Reading(text)


def _gs1(text: str) -> Reading:
    """Read a GS1 element string; one that does not parse completely is never used by half."""
    from biip import ParseError  # noqa: PLC0415 - slow to import, seldom needed
    from biip.gs1_messages import GS1Message  # noqa: PLC0415

    try:
        elements = {element.ai.ai: element for element in GS1Message.parse(text).element_strings}
    except ParseError:
        raise UnreadableBarcodeError from None
    main = elements.get("01") or elements.get("02")
    if main is None:
        raise UnreadableBarcodeError
    if not is_gtin(main.value):
        raise WrongCheckDigitError
    count = elements.get("37") if "02" in elements else elements.get("30")
    return Reading(
        main.value,
        is_gtin=True,
        pieces=_count(count.value if count else "1"),
        weight_milli=_milli(_first(elements, "310")),
        price_cents=_cents(elements),
        lot=elements["10"].value if "10" in elements else None,
        best_before=elements["15"].date if "15" in elements else None,
        use_by=elements["17"].date if "17" in elements else None,
    )


def _first(elements: dict[str, Any], prefix: str) -> Decimal | None:
    for ai, element in elements.items():
        if ai.startswith(prefix) and len(ai) == len(prefix) + 1:
            return Decimal(element.decimal)
    return None


def _count(digits: str) -> int:
    count = int(digits)
    if count < 1:
        raise UnreadableBarcodeError
    return count


def _milli(amount: Decimal | None) -> int | None:
    if amount is None:
        return None
    milli = int((amount * 1000).to_integral_value(ROUND_HALF_UP))
    if milli < 1:
        raise UnreadableBarcodeError
    return milli


def _cents(elements: dict[str, Any]) -> int | None:
    """Return the price of the piece from AI 392n or 393n; a foreign currency makes the scan unreadable."""
    if any(ai.startswith("393") and not element.value.startswith(EURO) for ai, element in elements.items()):
        raise UnreadableBarcodeError
    amount = _first(elements, "392") or _first(elements, "393")
    return None if amount is None else int((amount * 100).to_integral_value(ROUND_HALF_UP))
