"""The device's two clocks: one that never jumps, and a wall clock that is only ever a hint."""

import time
from pathlib import Path

_BOOT_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
_CREDIBLE_MS = 1_735_689_600_000
"""2025-01-01: a wall clock before this was never set (boards without a battery start in 1970)."""


def boot_ms() -> int:
    """Return ms since boot, suspend included (CLOCK_BOOTTIME): the only clock a guard may rest on."""
    return time.clock_gettime_ns(_BOOT_CLOCK) // 1_000_000


def boot_id() -> str:
    """Return the name of this boot, or "" where nobody tells: two values of `boot_ms` compare only within one."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""


class WallClock:
    """The time of day in ms since 1970: the device's own, or the hub's hint where the own was never set."""

    def __init__(self) -> None:
        self._offset_ms: int | None = None

    def hint(self, now_ms: int) -> None:
        """Take the hub's time, unless the hub's own clock was never set either."""
        if now_ms >= _CREDIBLE_MS:
            self._offset_ms = now_ms - boot_ms()

    def now_ms(self) -> int | None:
        """Return the best guess, or None when nobody ever told the time."""
        own = time.time_ns() // 1_000_000
        if own >= _CREDIBLE_MS:
            return own
        return None if self._offset_ms is None else boot_ms() + self._offset_ms
