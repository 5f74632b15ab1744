"""The dashboard: one card for each thing to keep an eye on; each fetches itself anew when its topic is announced."""

from flask import render_template
from flask.typing import ResponseReturnValue

from shop_hub.backoffice import cards as _cards  # noqa: F401 - adds its cards
from shop_hub.backoffice.views import blueprint
from shop_hub.core import menu
from shop_hub.core.access import Role, access, principal
from shop_hub.core.errors import N_, NotFoundError
from shop_hub.core.menu import DashboardCard, MenuItem

menu.add(MenuItem(label=N_("Today"), endpoint="backoffice.dashboard", icon="dashboard", sort=0))


@blueprint.get("/")
@access(Role.VOLUNTEER)
def dashboard() -> ResponseReturnValue:
    """Show the cards that the asker may see."""
    shown = [(card, card.read(principal())) for card in menu.cards(principal())]
    return render_template("backoffice/dashboard.html", cards=shown)


@blueprint.get("/cards/<key>")
@access(Role.VOLUNTEER)
def dashboard_card(key: str) -> ResponseReturnValue:
    """Return one card as it is now."""
    card: DashboardCard | None = menu.card(principal(), key)
    if card is None:
        raise NotFoundError(what="card")
    return render_template("backoffice/_dashboard_card.html", card=card, data=card.read(principal()))
