"""Readings as CSV for the food inspection, safe to open in a spreadsheet."""

import csv
import io
from collections.abc import Iterable
from zoneinfo import ZoneInfo

from shop_hub.climate.models import ClimateReading

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def to_csv(name: str, readings: Iterable[ClimateReading], timezone: str) -> str:
    """Return one line per reading: probe, local time, degrees Celsius with a decimal comma; fields end with `;`."""
    zone = ZoneInfo(timezone)
    file = io.StringIO()
    writer = csv.writer(file, delimiter=";", lineterminator="\r\n")
    writer.writerow(["probe", "time", "celsius"])
    for reading in readings:
        local = reading.at.astimezone(zone)
        writer.writerow([safe(name), f"{local:%Y-%m-%d %H:%M:%S%z}", celsius(reading.milli)])
    return file.getvalue()


def celsius(milli: int) -> str:
    """Return thousandths of a degree as degrees with one decimal, rounded half away from zero: -18500 is "-18,5"."""
    tenths = (abs(milli) + 50) // 100
    sign = "-" if milli < 0 and tenths else ""
    return f"{sign}{tenths // 10},{tenths % 10}"


def safe(text: str) -> str:
    """Return a cell that no spreadsheet takes for a formula (trust.md 3.1, threat 15)."""
    return f"'{text}" if text.startswith(_FORMULA) else text
