"""Until when a parcel is kept. Days are those of the shop's place; a deadline never falls on a Sunday or holiday."""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import holidays
from sqlalchemy.orm import Session

from shop_hub.core import clock
from shop_hub.core.sites import Site

SUNDAY = 6


def deadline(session: Session, site_id: int, start: datetime, days: int) -> datetime:
    """Return the end of the day `days` after `start`, moved on to the next working day of the site's Land."""
    site = session.get_one(Site, site_id)
    local = start.astimezone(ZoneInfo(site.timezone)).date() + timedelta(days=days)
    return clock.local_midnight(_open_day(local, site.land) + timedelta(days=1), site.timezone)


def _open_day(day: date, land: str) -> date:
    closed = holidays.country_holidays("DE", subdiv=land, years=(day.year, day.year + 1))
    while day.weekday() == SUNDAY or day in closed:
        day += timedelta(days=1)
    return day
