"""Readings as CSV for the food inspection, safe to open in a spreadsheet."""

import csv
import io
from zoneinfo import ZoneInfo

from shop_hub.climate.records import Record

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def to_csv(record: Record, timezone: str) -> str:
    """Return one line per reading: probe, local time, degrees Celsius with a decimal comma; fields end with `;`.

    Where the probe was silent stands a line of its own, with the end of the silence instead of a temperature.
    """
    zone = ZoneInfo(timezone)
    lines = [(reading.at, celsius(reading.milli), "") for reading in record.readings]
    lines += [(began, "", f"{ended.astimezone(zone):%Y-%m-%d %H:%M:%S%z}") for began, ended in record.gaps]
    file = io.StringIO()
    writer = csv.writer(file, delimiter=";", lineterminator="\r\n")
    writer.writerow(["probe", "time", "celsius", "silent_until"])
    for at, degrees, until in sorted(lines):
        writer.writerow([safe(record.probe.name), f"{at.astimezone(zone):%Y-%m-%d %H:%M:%S%z}", degrees, until])
    return file.getvalue()


def celsius(milli: int) -> str:
    """Return thousandths of a degree as degrees with one decimal, rounded half away from zero: -18500 is "-18,5"."""
    tenths = (abs(milli) + 50) // 100
    sign = "-" if milli < 0 and tenths else ""
    return f"{sign}{tenths // 10},{tenths % 10}"


def safe(text: str) -> str:
    """Return a cell that no spreadsheet takes for a formula (trust.md 3.1, threat 15)."""
    return f"'{text}" if text.startswith(_FORMULA) else text
