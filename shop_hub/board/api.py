"""API of the noticeboard: events that are to come."""

from datetime import datetime

from flask import Blueprint
from pydantic import Field

from shop_hub.board import queries
from shop_hub.board.queries import EventDay
from shop_hub.core.access import Role, principal
from shop_hub.core.api import PREFIX, ApiModel, BadCursorError, Page, PageQuery, decode_cursor, encode_cursor, operation
from shop_hub.core.web import session

blueprint = Blueprint("board_api", __name__, url_prefix=PREFIX)


class EventQuery(PageQuery):
    """Query of events."""

    language: str = Field(default="de", pattern="^[a-z]{2}$")


class EventOut(ApiModel):
    """One day of an event; a series has several with the same `id`."""

    id: str
    title: str
    text: str
    language: str
    place: str
    starts_at: datetime
    ends_at: datetime
    is_all_day: bool


@operation(
    blueprint,
    "GET",
    "/events",
    roles=(Role.TILL, Role.CARRIER, Role.MONITOR),
    query=EventQuery,
    result=Page[EventOut],
    errors=(BadCursorError,),
)
def list_events(query: EventQuery) -> Page[EventOut]:
    """List events that are not over, soonest first."""
    found = queries.coming_events(
        session(), principal().site, after=_after(query.cursor), limit=query.limit + 1, language=query.language
    )
    more = found[query.limit - 1] if len(found) > query.limit else None
    items = [_out(day) for _, day in found[: query.limit]]
    cursor = encode_cursor(f"{more[1].starts_at.isoformat()} {more[0]}") if more else None
    return Page[EventOut](items=items, next=cursor)


def _after(cursor: str | None) -> tuple[datetime, int] | None:
    key = decode_cursor(cursor)
    if key is None:
        return None
    moment, _, number = key.partition(" ")
    try:
        start = datetime.fromisoformat(moment)
        if start.tzinfo is None:
            raise BadCursorError
        return start, int(number)
    except ValueError as error:
        raise BadCursorError from error


def _out(day: EventDay) -> EventOut:
    return EventOut(
        id=str(day.public_id),
        title=day.title,
        text=day.text,
        language=day.language,
        place=day.place,
        starts_at=day.starts_at,
        ends_at=day.ends_at,
        is_all_day=day.is_all_day,
    )
