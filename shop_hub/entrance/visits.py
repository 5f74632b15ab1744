"""How many people come, by hour: counts that name nobody, from the sensor at the door."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, cast
from zoneinfo import ZoneInfo

from sqlalchemy import Table, bindparam, delete, select
from sqlalchemy.orm import Session

from shop_hub.core import clock
from shop_hub.core.prepared import Prepared
from shop_hub.core.sites import Site
from shop_hub.entrance.models import Entrance, VisitCount

KEPT = timedelta(days=730)
_counts = cast("Table", VisitCount.__table__)


def _add_one(dialect_insert: Any) -> Any:
    key = ("entrance_id", "day", "hour")
    new: dict[str, Any] = {name: bindparam(name) for name in (*key, "site_id")}
    return (
        dialect_insert(_counts)
        .values(entries=1, **new)
        .on_conflict_do_update(index_elements=key, set_={"entries": _counts.c.entries + 1})
    )


_count = Prepared(_add_one)


@dataclass(frozen=True)
class DayVisits:
    """One local day with its busiest hour; None on a day without visitors."""

    day: date
    entries: int
    busiest_hour: int | None


@dataclass(frozen=True)
class Visits:
    """The visitors of some days; `by_hour` are the means of the 24 hours, in tenths of a person."""

    days: Sequence[DayVisits]
    by_hour: Sequence[int]

    @property
    def most(self) -> int:
        """The highest of the means, at least 1: the top of a chart."""
        return max(*self.by_hour, 1)


def count(session: Session, entrance: Entrance, at: datetime) -> None:
    """Count one person who came in."""
    local = at.astimezone(ZoneInfo(session.get_one(Site, entrance.site_id).timezone))
    values = {"entrance_id": entrance.id, "site_id": entrance.site_id, "day": local.date(), "hour": local.hour}
    _count.run(session, values)


def last_days(session: Session, entrance: Entrance, days: int = 14) -> Visits:
    """Return the visitors of the last days, today first."""
    today = clock.today(session.get_one(Site, entrance.site_id).timezone)
    first = today - timedelta(days=days - 1)
    rows = session.scalars(
        select(VisitCount).where(VisitCount.entrance_id == entrance.id, VisitCount.day.between(first, today))
    ).all()
    by_day: dict[date, dict[int, int]] = {}
    for row in rows:
        by_day.setdefault(row.day, {})[row.hour] = row.entries
    hours = [sum(found.get(hour, 0) for found in by_day.values()) for hour in range(24)]
    wanted = [today - timedelta(days=offset) for offset in range(days)]
    return Visits(
        days=[_day(day, by_day.get(day, {})) for day in wanted],
        by_hour=[round(10 * entries / days) for entries in hours],
    )


def forget_old(session: Session) -> None:
    """Delete counts older than two years."""
    session.execute(delete(VisitCount).where(VisitCount.day < (clock.now() - KEPT).date()))


def _day(day: date, hours: dict[int, int]) -> DayVisits:
    busiest = max(hours, key=lambda hour: (hours[hour], -hour)) if hours else None
    return DayVisits(day, sum(hours.values()), busiest)
