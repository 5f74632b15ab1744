"""Reads EVA-DTS audit files of vending machines (EVA Data Transfer Standard; what real files do: design, section 3.10).

Segments end with a line end, elements with `*`; characters are Latin-1. Counters run since the machine was built.
Real files break the standard's sums and counts, so only a wrong check sum or a missing end is refused; everything else
that does not fit is said.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from shop_hub.vending.errors import (
    AuditCutOffError,
    AuditDamagedError,
    AuditTooLargeError,
    AuditWithoutCountsError,
    NotAnAuditError,
)

LARGEST_BYTES = 200_000
MOST_SEGMENTS = 5_000
MOST_SELECTIONS = 500
_NAME_LENGTH = 40
_CENT_DECIMALS = 2
_NUMBER = re.compile(r"\d{1,12}")
_LINE_END = re.compile(r"\r\n|\n|\r")
_CASH = frozenset({"CA"})


@dataclass(frozen=True, slots=True)
class Doubt:
    """Something in a file that does not fit; `code` is a key of `words.AUDIT_DOUBT`."""

    code: str
    params: dict[str, int | str]


@dataclass(slots=True)
class Selection:
    """Counters of one selection. None where the machine does not count it."""

    name: str
    title: str = ""
    price_cents: int | None = None
    vends: int | None = None
    cents: int | None = None
    cash_vends: int | None = None
    cash_cents: int | None = None
    tests: int | None = None
    free: int | None = None


@dataclass(slots=True)
class AuditFile:
    """What a file says. `clock` is the machine's own idea of the local time."""

    serial: str = ""
    model: str = ""
    currency: str = ""
    clock: datetime | None = None
    total_cents: int | None = None
    total_vends: int | None = None
    cash_cents: int | None = None
    cash_vends: int | None = None
    has_checksum: bool = False
    selections: dict[str, Selection] = field(default_factory=dict)
    doubts: list[Doubt] = field(default_factory=list)


def read(content: bytes) -> AuditFile:
    """Return what an audit file says.

    Raises:
        AuditTooLargeError: more than 200 kB, or too many lines or selections.
        NotAnAuditError: no EVA-DTS file at all.
        AuditCutOffError: its end is missing.
        AuditDamagedError: its check sum is wrong.
        AuditWithoutCountsError: it counts no sale.
    """
    if len(content) > LARGEST_BYTES:
        raise AuditTooLargeError(most=LARGEST_BYTES // 1000)
    lines = [line for line in _LINE_END.split(content.decode("latin-1")) if line.strip()]
    segments = [line.split("*") for line in lines]
    if len(segments) > MOST_SEGMENTS:
        raise AuditTooLargeError(most=LARGEST_BYTES // 1000)
    found = AuditFile()
    _check_frame(found, lines, segments)
    _Reader(found).take(segments)
    if len(found.selections) > MOST_SELECTIONS:
        raise AuditTooLargeError(most=LARGEST_BYTES // 1000)
    if found.total_vends is None and not any(row.vends is not None for row in found.selections.values()):
        raise AuditWithoutCountsError
    _check_sums(found)
    return found


def _check_frame(found: AuditFile, lines: Sequence[str], segments: Sequence[list[str]]) -> None:
    """Look at the frame DXS ST … G85 SE DXE, and at the check sum."""
    kinds = [segment[0] for segment in segments]
    if "ST" not in kinds or not {"DXS", "ID1", "VA1", "PA1"} & set(kinds):
        raise NotAnAuditError
    if "SE" not in kinds:
        raise AuditCutOffError
    said = _number(_at(segments[kinds.index("SE")], 1))
    counted = kinds.index("SE") - kinds.index("ST") + 1
    if said != counted:
        found.doubts.append(Doubt("segments", {"said": said if said is not None else "?", "counted": counted}))
    if "G85" not in kinds:
        found.doubts.append(Doubt("no-checksum", {}))
        return
    found.has_checksum = True
    if _at(segments[kinds.index("G85")], 1).upper() != f"{checksum(lines):04X}":
        raise AuditDamagedError


def checksum(lines: Sequence[str]) -> int:
    """Return the CRC-16/ARC over the segments from ST up to before G85, each ended by CR LF as on the machine's wire.

    Reflected polynomial A001, begun with 0.
    """
    names = [line.partition("*")[0] for line in lines]
    body = lines[names.index("ST") : names.index("G85")]
    crc = 0
    for byte in "".join(f"{line}\r\n" for line in body).encode("latin-1"):
        crc ^= byte
        for _bit in range(8):
            crc = (crc >> 1) ^ 0xA001 if crc & 1 else crc >> 1
    return crc


class _Reader:
    """Goes through the segments; a counter without number is one the machine does not have."""

    def __init__(self, found: AuditFile) -> None:
        self._found = found
        self._decimals = _CENT_DECIMALS
        self._selection: Selection | None = None
        self._steps = {
            "ID1": self._identity,
            "ID5": self._time,
            "VA1": self._totals,
            "CA2": self._cash,
            "PA1": self._begin,
            "PA2": self._paid,
            "PA3": self._tests,
            "PA4": self._free,
            "PA7": self._by_device,
        }

    def take(self, segments: Sequence[list[str]]) -> None:
        """Read all segments; unknown ones say nothing to us. The currency may stand anywhere, so it comes first."""
        for segment in segments:
            if segment[0] == "ID4":
                decimals = _number(_at(segment, 1))
                self._decimals = min(decimals, 4) if decimals is not None else _CENT_DECIMALS
                self._found.currency = _at(segment, 3)[:3]
                break
        for segment in segments:
            step = self._steps.get(segment[0])
            if step is not None:
                step(segment)

    def _identity(self, segment: list[str]) -> None:
        self._found.serial, self._found.model = _at(segment, 1), _at(segment, 2)

    def _time(self, segment: list[str]) -> None:
        self._found.clock = _clock(_at(segment, 1), _at(segment, 2))

    def _totals(self, segment: list[str]) -> None:
        self._found.total_cents = self._cents(_at(segment, 1))
        self._found.total_vends = _number(_at(segment, 2))

    def _cash(self, segment: list[str]) -> None:
        self._found.cash_cents = self._cents(_at(segment, 1))
        self._found.cash_vends = _number(_at(segment, 2))

    def _begin(self, segment: list[str]) -> None:
        name = selection_name(_at(segment, 1))
        if name in self._found.selections:
            self._found.doubts.append(Doubt("selection-twice", {"selection": name}))
        row = Selection(name, title=_at(segment, 3), price_cents=self._cents(_at(segment, 2)))
        self._selection = self._found.selections.setdefault(name, row)

    def _paid(self, segment: list[str]) -> None:
        if self._selection is not None:
            self._selection.vends = _number(_at(segment, 1))
            self._selection.cents = self._cents(_at(segment, 2))

    def _tests(self, segment: list[str]) -> None:
        if self._selection is not None:
            self._selection.tests = _number(_at(segment, 1))

    def _free(self, segment: list[str]) -> None:
        if self._selection is not None:
            self._selection.free = _number(_at(segment, 1))

    def _by_device(self, segment: list[str]) -> None:
        """Add up what was paid in coins and notes over all price lists."""
        row = self._found.selections.get(selection_name(_at(segment, 1)))
        if row is None or _at(segment, 2) not in _CASH:
            return
        row.cash_vends = (row.cash_vends or 0) + (_number(_at(segment, 5)) or 0)
        row.cash_cents = (row.cash_cents or 0) + (self._cents(_at(segment, 6)) or 0)

    def _cents(self, text: str) -> int | None:
        number = _number(text)
        if number is None:
            return None
        shift = self._decimals - _CENT_DECIMALS
        return number // int(10**shift) if shift > 0 else number * int(10**-shift)


def selection_name(text: str) -> str:
    """Return a selection's name as we compare it: without leading zeros, at most 40 characters."""
    return text.lstrip("0") or ("0" if text else "")


def _check_sums(found: AuditFile) -> None:
    """Compare the sum over the selections with the machine's totals: VA1 = sum of PA2."""
    for code, total, values in (
        ("sum-vends", found.total_vends, [row.vends for row in found.selections.values()]),
        ("sum-cents", found.total_cents, [row.cents for row in found.selections.values()]),
    ):
        summed = sum(value for value in values if value is not None)
        if total is not None and any(value is not None for value in values) and summed != total:
            found.doubts.append(Doubt(code, {"total": total, "sum": summed}))


def _at(segment: Sequence[str], index: int) -> str:
    """Return an element without what a database or page could not hold."""
    text = segment[index].strip() if index < len(segment) else ""
    return "".join(_printable(text))[:_NAME_LENGTH].strip()


def _printable(text: str) -> Iterator[str]:
    return (character for character in text if character.isprintable())


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and _NUMBER.fullmatch(text) else None


def _clock(day: str, hour: str) -> datetime | None:
    """Read `YYMMDD` or `YYYYMMDD` and `HHMM` or `HHMMSS`."""
    day = f"20{day}" if len(day) == 6 else day  # noqa: PLR2004 - two digits of the year
    try:
        return datetime.strptime(day + (hour + "00")[:6], "%Y%m%d%H%M%S")  # noqa: DTZ007 - local time of the machine
    except ValueError:
        return None
