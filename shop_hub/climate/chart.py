"""A temperature curve as figures for an SVG drawing: no script, no inline style, sharp on every screen."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from shop_hub.climate.models import ClimateReading

WIDTH, HEIGHT = 960, 300
LEFT, RIGHT, TOP, BOTTOM = 64, 16, 16, 36
GAP = timedelta(minutes=15)
"""Three of the kept readings: without one for longer, the temperature was not known."""
_STEPS_MILLI = (500, 1000, 2000, 5000, 10_000, 20_000)
_MOST_LINES = 6
_MOST_POINTS = 480


@dataclass(frozen=True)
class Mark:
    """A line across the chart with its label; `at` in drawing units."""

    at: float
    label: str


@dataclass(frozen=True)
class TimeMark:
    """A moment on the time axis."""

    at: float
    moment: datetime


@dataclass(frozen=True)
class Chart:
    """What the template draws. `paths` has one path per stretch without a gap."""

    paths: tuple[str, ...]
    band_top: float
    band_bottom: float
    temperatures: tuple[Mark, ...]
    times: tuple[TimeMark, ...]


def draw(readings: Sequence[ClimateReading], limits: tuple[int, int], since: datetime, until: datetime) -> Chart:
    """Lay the readings between two moments out; the green band lies between the limits (low, high)."""
    low, high = _range(readings, limits)

    def x(at: datetime) -> float:
        return round(LEFT + (WIDTH - LEFT - RIGHT) * ((at - since) / (until - since)), 1)

    def y(milli: int) -> float:
        return round(TOP + (HEIGHT - TOP - BOTTOM) * (high - milli) / (high - low), 1)

    paths = tuple(
        "M" + " L".join(f"{x(reading.at)} {y(reading.milli)}" for reading in _drawable(stretch, len(readings)))
        for stretch in stretches(readings)
    )
    return Chart(
        paths=paths,
        band_top=y(min(limits[1], high)),
        band_bottom=y(max(limits[0], low)),
        temperatures=tuple(Mark(y(milli), f"{milli // 1000}") for milli in _grid(low, high)),
        times=tuple(TimeMark(x(at), at) for at in _moments(since, until)),
    )


def _range(readings: Sequence[ClimateReading], limits: tuple[int, int]) -> tuple[int, int]:
    values = [reading.milli for reading in readings] + list(limits)
    margin = max(1000, (max(values) - min(values)) // 10)
    return (min(values) - margin) // 1000 * 1000, -(-(max(values) + margin) // 1000) * 1000


def _grid(low: int, high: int) -> list[int]:
    step = next((step for step in _STEPS_MILLI if (high - low) // step <= _MOST_LINES), _STEPS_MILLI[-1])
    step = max(step, 1000)
    return list(range(-(-low // step) * step, high + 1, step))


def _moments(since: datetime, until: datetime) -> list[datetime]:
    return [since + (until - since) * part / 6 for part in range(1, 6)]


def _drawable(stretch: Sequence[ClimateReading], of: int) -> list[ClimateReading]:
    """Return a stretch's share of the points; a reading that stands alone is drawn as a dot, a line to itself."""
    kept = _thinned(stretch, of)
    return kept if len(kept) > 1 else kept * 2


def _thinned(stretch: Sequence[ClimateReading], of: int) -> list[ClimateReading]:
    """Keep the extremes of each bucket, so that a short excursion stays visible in a month; `of` is the whole count."""
    size = -(-of * 2 // _MOST_POINTS) if of > _MOST_POINTS else 1
    kept: list[ClimateReading] = []
    for start in range(0, len(stretch), size):
        bucket = stretch[start : start + size]
        ends = {id(r): r for r in (min(bucket, key=_milli), max(bucket, key=_milli))}
        kept += sorted(ends.values(), key=lambda reading: reading.at)
    return kept


def _milli(reading: ClimateReading) -> int:
    return reading.milli


def stretches(readings: Sequence[ClimateReading]) -> list[list[ClimateReading]]:
    """Split where the probe was silent: no line is drawn, and no mean is taken, over what nobody measured."""
    found: list[list[ClimateReading]] = []
    for reading in readings:
        if found and reading.at - found[-1][-1].at <= GAP:
            found[-1].append(reading)
        else:
            found.append([reading])
    return found


def gaps(readings: Sequence[ClimateReading], since: datetime, until: datetime) -> list[tuple[datetime, datetime]]:
    """Return the times of a period in which nothing was measured."""
    parts = stretches(readings)
    ends = [since, *(part[-1].at for part in parts)]
    starts = [*(part[0].at for part in parts), until]
    return [(end, start) for end, start in zip(ends, starts, strict=True) if start - end > GAP]
