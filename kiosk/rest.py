"""The kiosk at rest: slides of what is on, shown when nobody has touched the first page for a while (kiosk.md 3.2)."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from flask import render_template
from flask.typing import ResponseReturnValue
from flask_babel import get_locale

from kiosk.blueprint import blueprint
from shop_hub.board import queries as board
from shop_hub.core.access import Role, access, principal
from shop_hub.core.web import session

MOST_EVENTS = 4
MOST_NOTICES = 4
MOST_LETTERS = 180


@dataclass(frozen=True)
class Slide:
    """One thing to read from some steps away."""

    public_id: UUID
    title: str
    text: str
    language: str
    starts_at: datetime | None = None
    is_all_day: bool = False


@blueprint.get("/rest")
@access(Role.ANONYMOUS)
def rest() -> ResponseReturnValue:
    """Return the slides: the next events and the newest notices in turn. Nothing personal, no state of a machine."""
    return render_template("kiosk/_rest.html", slides=_slides(principal().site_id), most=MOST_LETTERS)


def _slides(site_id: int | None) -> list[Slide]:
    if site_id is None:
        return []
    language = str(get_locale() or "de")[:2]
    events = [
        Slide(event.public_id, event.title, event.place, event.language, event.starts_at, event.is_all_day)
        for event in board.events(session(), site_id, language=language).items[:MOST_EVENTS]
    ]
    notices = [
        Slide(card.public_id, card.title, card.text, card.language)
        for card in board.shown(session(), site_id, kind=None, page=1, language=language).items[:MOST_NOTICES]
    ]
    pairs = zip([*events, *[None] * len(notices)], [*notices, *[None] * len(events)], strict=True)
    return [slide for pair in pairs for slide in pair if slide is not None]
