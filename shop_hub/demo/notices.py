"""Fills the demo village's noticeboard."""

from datetime import date, timedelta

from sqlalchemy.orm import Session

from shop_hub.board import service as board
from shop_hub.board.models import PostKind
from shop_hub.board.service import Draft, Times
from shop_hub.core import clock
from shop_hub.core.sites import Site
from shop_hub.demo import tables
from shop_hub.demo.people import person_ids

WEEKS = {"": 0, "weekly": 1, "biweekly": 2, "four-weekly": 4}


def add_notices(session: Session, site: Site) -> int:
    """Put all notices and events up; return how many."""
    today = clock.today(site.timezone)
    persons = person_ids(session)
    rows = tables.rows("notices")
    for row in rows:
        is_event = row["kind"] == "event"
        draft = Draft(
            kind=PostKind(row["kind"]),
            title=row["title"],
            text=row["body"],
            translations={"en": {"title": row["title_en"], "text": row["body_en"]}} if row["title_en"] else {},
            person_id=persons[int(row["author"]) - 1] if row["author"] else None,
            expires_on=None if is_event else today + timedelta(days=max(1, int(row["day_until"]))),
            times=_times(row, today) if is_event else None,
        )
        board.write(session, site.id, draft, actor="system", publish=True)
    return len(rows)


def _times(row: tables.Row, today: date) -> Times:
    first = today + timedelta(days=int(row["day_from"]))
    if row["weekday"]:
        first += timedelta(days=(int(row["weekday"]) - first.isoweekday()) % 7)
    weeks = WEEKS[row["repeat"]]
    return Times(
        first_day=first,
        start_minute=_minute(row["start_time"], 0),
        end_minute=_minute(row["end_time"], 1440),
        is_all_day=not row["start_time"],
        repeat_weeks=weeks,
        repeat_until=today + timedelta(days=int(row["day_until"])) if weeks else None,
        place=row["place"],
    )


def _minute(text: str, default: int) -> int:
    if not text:
        return default
    hours, minutes = text.split(":")
    return int(hours) * 60 + int(minutes)
