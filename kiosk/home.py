"""The home view: what matters now, and one tile for each thing to do."""

from dataclasses import dataclass

from flask import render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from kiosk import tiles
from kiosk.blueprint import blueprint
from shop_hub.core.access import Role, access, principal
from shop_hub.core.web import session


@dataclass(frozen=True)
class TileView:
    """A tile as it is shown."""

    title: str
    icon: str
    href: str
    fact: str
    is_strong: bool


@blueprint.get("/")
@access(Role.ANONYMOUS)
def home() -> ResponseReturnValue:
    """Show the home view."""
    return render_template("kiosk/home.html", tiles=_shown_tiles(), is_fresh="fresh" in request.args, topics=_topics())


@blueprint.get("/tiles")
@access(Role.ANONYMOUS)
def home_tiles() -> ResponseReturnValue:
    """Return the tiles with their facts of this moment."""
    return render_template("kiosk/_tiles.html", tiles=_shown_tiles(), topics=_topics())


def _shown_tiles() -> list[TileView]:
    site_id = principal().site_id
    shown = []
    for tile in tiles.all_tiles():
        fact = tile.fact(session(), site_id) if tile.fact and site_id is not None else ""
        shown.append(TileView(gettext(tile.title), tile.icon, url_for(tile.endpoint), fact, tile.is_strong))
    return shown


def _topics() -> list[str]:
    return sorted({topic for tile in tiles.all_tiles() for topic in tile.topics})
