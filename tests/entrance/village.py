"""What the tests of the shop's door share."""

from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy import select

from shop_hub.core import clock
from shop_hub.entrance.models import (
    Passage,
)

BERLIN = ZoneInfo("Europe/Berlin")


def at(hour):
    """Shift the clock to an hour of tomorrow, which is no holiday: the next Tuesday to Thursday."""
    now = clock.now()
    day = datetime(2026, 11, 24, hour, tzinfo=BERLIN)
    return clock.shifted(day - now)


def log(database):
    with database.reading() as session:
        return [
            (row.kind, row.who, row.code, row.outcome) for row in session.scalars(select(Passage).order_by(Passage.id))
        ]
