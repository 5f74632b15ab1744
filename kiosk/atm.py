"""The cash machine at the kiosk: whether one gets cash, within two seconds of a change, and doubt when it is silent."""

from flask import render_template
from flask.typing import ResponseReturnValue
from flask_babel import gettext
from sqlalchemy.orm import Session

from kiosk import tiles
from kiosk.blueprint import blueprint
from shop_hub.atm import queries, words
from shop_hub.atm.models import Service
from shop_hub.core.access import Role, access, principal
from shop_hub.core.errors import N_
from shop_hub.core.web import session

_FACTS = {
    Service.OUT_OF_SERVICE: N_("out of order right now"),
    Service.MAINTENANCE: N_("maintenance"),
    Service.UNKNOWN: N_("state not known"),
}


@blueprint.get("/atm")
@access(Role.ANONYMOUS)
def atm() -> ResponseReturnValue:
    """Show the shop's cash machines."""
    return render_template("kiosk/atm/atm.html", machines=_machines(), words=words)


@blueprint.get("/atm/state")
@access(Role.ANONYMOUS)
def atm_state() -> ResponseReturnValue:
    """Return the machines as they are at this moment."""
    return render_template("kiosk/atm/_machines.html", machines=_machines(), words=words)


def _machines() -> list[queries.PublicView]:
    site_id = principal().site_id
    return [] if site_id is None else queries.machines(session(), site_id)


def _fact(reading: Session, site_id: int) -> str:
    """Tell the best machine's state: one that pays out makes the walk worth it."""
    machines = queries.machines(reading, site_id)
    if not machines:
        return ""
    best = min(machines, key=lambda machine: list(Service).index(machine.service))
    if best.service is Service.IN_SERVICE:
        return gettext(words.sentence(best.service, best.withdrawal))
    return gettext(_FACTS[best.service])


tiles.add(
    tiles.Tile(
        order=40,
        title=N_("Cash machine"),
        icon="atm",
        endpoint="kiosk.atm",
        fact=_fact,
        topics=("atm",),
    )
)
