"""The home view: what is on next, and one tile for each thing to do."""

from dataclasses import dataclass

from flask import render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import format_date, get_locale, gettext

from kiosk import tiles
from kiosk.blueprint import blueprint
from shop_hub.board import queries as board
from shop_hub.core import clock
from shop_hub.core.access import Role, access, principal
from shop_hub.core.formats import hour, local_day
from shop_hub.core.web import session

NEXT_EVENTS = 3
NEXT_DAYS = 7


@dataclass(frozen=True)
class TileView:
    """A tile as it is shown."""

    title: str
    icon: str
    href: str
    fact: str
    is_strong: bool


@dataclass(frozen=True)
class Next:
    """Something that is on soon: when, in one word or time, and what."""

    when: str
    what: str
    language: str


@blueprint.get("/")
@access(Role.ANONYMOUS)
def home() -> ResponseReturnValue:
    """Show the home view."""
    return render_template("kiosk/home.html", is_fresh="fresh" in request.args, **_shown())


@blueprint.get("/tiles")
@access(Role.ANONYMOUS)
def home_tiles() -> ResponseReturnValue:
    """Return what is on next and the tiles with their facts of this moment."""
    return render_template("kiosk/_tiles.html", **_shown())


def _shown() -> dict[str, object]:
    topics = sorted({topic for tile in tiles.all_tiles() for topic in tile.topics})
    return {"tiles": _shown_tiles(), "coming": _coming(), "topics": topics}


def _shown_tiles() -> list[TileView]:
    site_id = principal().site_id
    shown = []
    for tile in tiles.all_tiles():
        fact = tile.fact(session(), site_id) if tile.fact and site_id is not None else ""
        shown.append(TileView(gettext(tile.title), tile.icon, url_for(tile.endpoint), fact, tile.is_strong))
    return shown


def _coming() -> list[Next]:
    site_id = principal().site_id
    if site_id is None:
        return []
    until = board.end_of_day("Europe/Berlin", NEXT_DAYS)
    found = board.events(session(), site_id, until=until, language=str(get_locale())).items
    return [Next(_when(event), event.title, event.language) for event in found[:NEXT_EVENTS]]


def _when(event: board.EventDay) -> str:
    days = (local_day(event.starts_at) - local_day(clock.now())).days
    if days <= 0:
        return gettext("Today") if event.is_all_day else hour(event.starts_at)
    return gettext("Tomorrow") if days == 1 else str(format_date(local_day(event.starts_at), "EEEE", rebase=False))
