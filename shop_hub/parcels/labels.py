"""What a scanned barcode on a parcel means (parcels.md 3.1 and 3.2).

A valid check digit never decides the carrier; what is announced and who is scanning do. So `read` only says which
numbers a scan could be, `choose` picks for a carrier, and refuses what is certainly no parcel number.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from shop_hub.parcels import check_digits
from shop_hub.parcels.errors import LeitcodeError, MistypedLabelError, NotAParcelLabelError, ProductCodeError

LONGEST_SCAN = 200
_SYMBOLOGY = re.compile(r"\][A-Za-z][0-9]")
_SEPARATORS = re.compile(r"[\s./-]")
_ANY_NUMBER = re.compile(r"[A-Z0-9]{8,35}\Z")
_GTIN_LENGTHS = (8, 12, 13)
_LEITCODE_LENGTH = 14
_SSCC_LENGTH = 20
_DPD_LENGTHS = (27, 28)
_GS1_MARKS = ("]C1", "]D2", "]Q3", "(00)")


class Format(StrEnum):
    """How a carrier writes its parcel numbers. A carrier's `label_format` names one or more, separated by commas."""

    SSCC = "sscc20"
    IDENTCODE = "identcode12"
    JJD = "jjd"
    EXPRESS = "express"
    NUMERIC14 = "numeric14"
    H20 = "h20"
    GLS12 = "gls12"
    GLS_TRACK = "gls-track"
    MOD37 = "mod37-15"
    UPS = "ups"
    S10 = "s10"


@dataclass(frozen=True)
class Candidate:
    """A number that a scan could be. `number` is canonical: the same parcel always gets the same text."""

    format: Format
    number: str
    is_checked: bool
    """Its check digit is right (formats without one are never checked)."""


@dataclass(frozen=True)
class _Rule:
    format: Format
    pattern: re.Pattern[str]
    check: Callable[[str], bool] | None
    canonical: Callable[[str], str] = str


_RULES = (
    _Rule(Format.SSCC, re.compile(r"00\d{18}"), lambda text: check_digits.is_mod10_31(text[2:])),
    _Rule(Format.IDENTCODE, re.compile(r"\d{12}"), check_digits.is_mod10_49),
    _Rule(Format.JJD, re.compile(r"JJD(?:\d{13}|\d{16}|\d{17}|\d{18}|\d{20}|\d{24})"), None),
    _Rule(Format.EXPRESS, re.compile(r"\d{10,11}"), check_digits.is_mod7),
    _Rule(Format.NUMERIC14, re.compile(r"\d{14}"), check_digits.is_mod10_31),
    _Rule(Format.H20, re.compile(r"H\d{19}"), None),
    _Rule(Format.GLS12, re.compile(r"\d{12}"), lambda text: check_digits.is_mod10_31(text, added=1)),
    _Rule(Format.GLS_TRACK, re.compile(r"[A-Z0-9]{8}"), None),
    _Rule(Format.MOD37, re.compile(r"\d{14}[0-9A-Z]"), check_digits.is_mod37_36, lambda text: text[:14]),
    _Rule(Format.MOD37, re.compile(r"\d{14}"), None),
    _Rule(Format.MOD37, re.compile(r"[0-9A-Z]{7}\d{20}"), None, lambda text: text[7:21]),
    _Rule(Format.MOD37, re.compile(r"[0-9A-Z]{7}\d{20}[0-9A-Z]"), check_digits.is_mod37_36, lambda text: text[7:21]),
    _Rule(Format.UPS, re.compile(r"1Z[0-9A-Z]{15}\d"), check_digits.is_ups),
    _Rule(Format.S10, re.compile(r"[A-Z]{2}\d{9}[A-Z]{2}"), check_digits.is_s10),
)


def read(scan: str) -> list[Candidate]:
    """Return all numbers that a scan could be, those with a right check digit first.

    Numbers whose check digit is wrong are left out.
    """
    text = plain(scan)
    found = [
        Candidate(rule.format, rule.canonical(text), rule.check is not None)
        for rule in _RULES
        if rule.pattern.fullmatch(text) and (rule.check is None or rule.check(text))
    ]
    return sorted(found, key=lambda candidate: not candidate.is_checked)


def choose(scan: str, label_format: str) -> str:
    """Return the canonical number of a scan for a carrier.

    Args:
        label_format: the carrier's formats, separated by commas; empty takes every number that is no product code.

    Raises:
        LeitcodeError: the routing code of the label.
        ProductCodeError: the barcode of a product.
        MistypedLabelError: the check digit is wrong.
        NotAParcelLabelError: anything else that this carrier does not use.
    """
    text = plain(scan)
    formats = {part.strip() for part in label_format.split(",") if part.strip()}
    for candidate in read(text):
        if candidate.format in formats:
            return candidate.number
    _refuse_others(text, formats)
    if not formats and _ANY_NUMBER.match(text):
        return next((candidate.number for candidate in read(text) if candidate.is_checked), text)
    raise NotAParcelLabelError(field="scan")


def numbers(scan: str) -> list[str]:
    """Return every canonical number under which a scanned parcel may be known."""
    text = plain(scan)
    known = [candidate.number for candidate in read(text)]
    return list(dict.fromkeys([*known, text] if _ANY_NUMBER.match(text) else known))


def plain(scan: str) -> str:
    """Return the bare text of a scan: no symbology identifier, separators or `%`, capital letters.

    Of a GS1 message with more fields only the SSCC in front is kept.
    """
    text = scan.strip().upper() if len(scan) <= LONGEST_SCAN else ""
    is_gs1 = text.startswith(_GS1_MARKS)
    text = _SYMBOLOGY.sub("", text, count=1) if text.startswith("]") else text
    text = _SEPARATORS.sub("", text.removeprefix("\x1d").split("\x1d")[0])
    text = text.replace("(", "").replace(")", "").removeprefix("%")
    return text[:_SSCC_LENGTH] if _has_sscc_in_front(text, is_gs1=is_gs1) else text


def _has_sscc_in_front(text: str, *, is_gs1: bool) -> bool:
    """Tell whether a longer message begins with an SSCC; DPD's long barcode may begin with the same digits."""
    head = text[:_SSCC_LENGTH]
    is_longer = len(text) > _SSCC_LENGTH and (is_gs1 or len(text) not in _DPD_LENGTHS)
    return is_longer and head.isdigit() and head.startswith("00") and check_digits.is_mod10_31(head[2:])


def _refuse_others(text: str, formats: set[str]) -> None:
    """Name what the scan is instead; nothing to say about garbage."""
    is_numeric = text.isdigit()
    if is_numeric and _is_leitcode(text) and not _may_be_numeric14(text, formats):
        raise LeitcodeError(field="scan")
    if any(rule.format in formats and rule.pattern.fullmatch(text) for rule in _RULES):
        raise MistypedLabelError(field="scan")
    if is_numeric and len(text) in _GTIN_LENGTHS and check_digits.is_mod10_31(text):
        raise ProductCodeError(field="scan")


def _may_be_numeric14(text: str, formats: set[str]) -> bool:
    """Tell whether the carrier could mean a parcel: every tenth such number looks like a Leitcode."""
    return Format.NUMERIC14 in formats or (not formats and check_digits.is_mod10_31(text))


def _is_leitcode(text: str) -> bool:
    return len(text) == _LEITCODE_LENGTH and check_digits.is_mod10_49(text)
