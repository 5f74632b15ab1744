"""The one place that reads the wall clock. Times are aware and in UTC."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

_offset = timedelta(0)


def now() -> datetime:
    """Return the current time, aware, in UTC."""
    return datetime.fromtimestamp(time.time(), UTC) + _offset


def today(timezone: str) -> date:
    """Return the calendar day at `timezone`, e.g. "Europe/Berlin"."""
    return now().astimezone(ZoneInfo(timezone)).date()


def local_midnight(day: date, timezone: str) -> datetime:
    """Return the start of `day` at `timezone` as aware UTC time."""
    return datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(timezone)).astimezone(UTC)


@contextmanager
def shifted(by: timedelta) -> Iterator[None]:
    """Move the clock of this process by `by`; for tests and drills only."""
    global _offset  # noqa: PLW0603 - one clock per process is the point
    before = _offset
    _offset = before + by
    try:
        yield
    finally:
        _offset = before


class ClockWatch:
    """Tell whether the wall clock can be trusted.

    The clock is suspect when it jumps by more than five minutes against the monotonic clock, or when it lies
    before a moment that is known to have passed (the newest row, the build).
    """

    LIMIT = timedelta(minutes=5)

    def __init__(self, not_before: datetime) -> None:
        self._not_before = not_before
        self._wall = now()
        self._monotonic = time.monotonic()

    def is_suspect(self) -> bool:
        """Compare the wall clock with the monotonic clock since the start."""
        expected = self._wall + timedelta(seconds=time.monotonic() - self._monotonic)
        return abs(now() - expected) > self.LIMIT or now() < self._not_before
