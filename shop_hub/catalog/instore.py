"""In-store codes by templates (shop.md 3.1): the shop's own scale labels and newspapers.

A pattern is digits and fields: `{code:N}` item reference, `{embed:N}` weight, pieces or price, `{i}` inner check digit
over the embedded digits, `{_:N}` ignored, `{ec}` check digit of the whole EAN-13.
"""

import re
from dataclasses import dataclass
from functools import lru_cache

from shop_hub.catalog.errors import BadTemplateError

EAN13_LENGTH = 13
INNER_DIGITS = 5
_PIECES = re.compile(r"(?P<digits>\d+)|\{(?P<name>code|embed|_):(?P<length>\d)\}|\{(?P<flag>i|ec)\}")
_FIVE_MINUS = (0, 5, 9, 4, 8, 3, 7, 2, 6, 1)


@dataclass(frozen=True, slots=True)
class Match:
    """An EAN-13 that fits a template."""

    template: str
    code: str
    embedded: int
    is_inner_right: bool


def match(name: str, pattern: str, ean13: str) -> Match | None:
    """Read an EAN-13 with a right check digit by a pattern; None if it does not fit."""
    found = compile_pattern(pattern).fullmatch(ean13)
    if found is None:
        return None
    fields = found.groupdict()
    inner = fields.get("i")
    is_right = inner is None or int(inner) == inner_check_digit(fields["embed"])
    return Match(name, fields["code"], int(fields["embed"]), is_right)


@lru_cache(maxsize=64)
def compile_pattern(pattern: str) -> re.Pattern[str]:
    """Return the pattern as a regular expression.

    Raises:
        BadTemplateError: an unknown field, a field missing, or not 13 digits in all.
    """
    expression, length, place = "", 0, 0
    fields: list[str] = []
    while place < len(pattern):
        piece = _PIECES.match(pattern, place)
        if piece is None:
            raise BadTemplateError(pattern=pattern)
        place = piece.end()
        name, width = _field(piece)
        fields.append(name)
        length += width
        expression += piece["digits"] or (f"(?P<{name}>\\d{{{width}}})" if name != "_" else f"\\d{{{width}}}")
    named = [name for name in fields if name not in {"digits", "_"}]
    is_whole = length == EAN13_LENGTH and fields[-1:] == ["ec"] and {"code", "embed"} <= set(named)
    if not is_whole or len(named) != len(set(named)) or not _has_inner_of_five(pattern, named):
        raise BadTemplateError(pattern=pattern)
    return re.compile(expression, re.ASCII)


def inner_check_digit(digits: str) -> int:
    """Return the check digit over five embedded digits (GS1 General Specifications 7.9)."""
    weighted = zip(digits, (_five_plus, _two_minus, _five_minus, _five_plus, _two_minus), strict=True)
    total = sum(weight(int(digit)) for digit, weight in weighted)
    return _FIVE_MINUS.index(-total % 10)


def _field(piece: re.Match[str]) -> tuple[str, int]:
    if piece["digits"]:
        return "digits", len(piece["digits"])
    if piece["flag"]:
        return piece["flag"], 1
    return piece["name"], int(piece["length"])


def _has_inner_of_five(pattern: str, named: list[str]) -> bool:
    return "i" not in named or f"{{embed:{INNER_DIGITS}}}" in pattern


def _five_plus(digit: int) -> int:
    return sum(divmod(5 * digit, 10))


def _five_minus(digit: int) -> int:
    tens, units = divmod(5 * digit, 10)
    return units - tens


def _two_minus(digit: int) -> int:
    tens, units = divmod(2 * digit, 10)
    return units - tens
