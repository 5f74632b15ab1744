"""The cooling record of a period, day by day, as the food inspection wants it. What nobody measured stays empty."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from shop_hub.climate import chart, queries
from shop_hub.climate.models import ClimateAlarm, ClimateReading
from shop_hub.climate.queries import BlockView, ProbeView
from shop_hub.core import clock

Gap = tuple[datetime, datetime]
_MOST = 1000


@dataclass(frozen=True)
class DayRecord:
    """One local day. Lowest and highest are None if nothing was measured."""

    day: date
    readings: int
    lowest_milli: int | None
    highest_milli: int | None
    silent: timedelta
    """So much of the day, as far as it has passed, nobody knew the temperature."""


@dataclass(frozen=True)
class Record:
    """Everything about one probe in a period of whole local days."""

    probe: ProbeView
    since: datetime
    until: datetime
    readings: Sequence[ClimateReading]
    days: Sequence[DayRecord]
    gaps: Sequence[Gap]
    alarms: Sequence[ClimateAlarm]
    blocks: Sequence[BlockView]


def record(session: Session, site_id: int, probe: ProbeView, days: tuple[date, date], timezone: str) -> Record:
    """Return the record from the first to the last of two local days; the future is left out."""
    first, last = days
    since = clock.local_midnight(first, timezone)
    until = min(clock.local_midnight(last + timedelta(days=1), timezone), clock.now())
    found = queries.readings(session, probe.id, since, until)
    silences = chart.gaps(found, since, until) if since < until else []
    return Record(
        probe=probe,
        since=since,
        until=until,
        readings=found,
        days=_days(found, silences, days, timezone),
        gaps=silences,
        alarms=[a for a in queries.alarms(session, probe.id, _MOST) if _touches(a.began_at, a.ended_at, since, until)],
        blocks=[
            b
            for b in queries.blocks(session, site_id, probe_id=probe.id, limit=_MOST)
            if _touches(b.began_at, b.ended_at, since, until)
        ],
    )


def _touches(began: datetime, ended: datetime | None, since: datetime, until: datetime) -> bool:
    return began < until and (ended is None or ended >= since)


def _days(
    readings: Sequence[ClimateReading], gaps: Sequence[Gap], days: tuple[date, date], timezone: str
) -> list[DayRecord]:
    zone = ZoneInfo(timezone)
    by_day: dict[date, list[int]] = {}
    for reading in readings:
        by_day.setdefault(reading.at.astimezone(zone).date(), []).append(reading.milli)
    found = []
    day, today = days[0], clock.today(timezone)
    while day <= min(days[1], today):
        span = clock.local_midnight(day, timezone), clock.local_midnight(day + timedelta(days=1), timezone)
        values = by_day.get(day, [])
        found.append(
            DayRecord(
                day=day,
                readings=len(values),
                lowest_milli=min(values, default=None),
                highest_milli=max(values, default=None),
                silent=sum((_overlap(gap, span) for gap in gaps), timedelta(0)),
            )
        )
        day += timedelta(days=1)
    return found


def _overlap(one: Gap, other: Gap) -> timedelta:
    return max(timedelta(0), min(one[1], other[1]) - max(one[0], other[0]))
