"""The cash machine in the backoffice: state, history, availability, and entry by hand."""

from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from sqlalchemy import select

from shop_hub.atm import queries, service, words
from shop_hub.atm.models import CashMachine
from shop_hub.core import menu
from shop_hub.core.access import Role, access, principal
from shop_hub.core.errors import N_, BadInputError, NotFoundError
from shop_hub.core.idempotency import idempotent
from shop_hub.core.sites import Site
from shop_hub.core.web import session

blueprint = Blueprint("atm", __name__, url_prefix="/office/atm", template_folder="templates")
menu.add(menu.MenuItem(label=N_("Cash machine"), endpoint="atm.index", icon="atm", role=Role.VOLUNTEER, sort=64))

PERIODS = (7, 30)
VALID_HOURS = {"1": 3600, "4": 14_400, "24": 86_400}


@blueprint.get("/")
@access(Role.VOLUNTEER)
def index() -> ResponseReturnValue:
    """List the machines; a single one is shown at once."""
    machines = queries.machines(session(), principal().site)
    if len(machines) == 1:
        return redirect(url_for("atm.machine", public_id=machines[0].public_id))
    return render_template("atm/index.html", machines=machines, words=words)


@blueprint.get("/<uuid:public_id>")
@access(Role.VOLUNTEER)
def machine(public_id: UUID) -> ResponseReturnValue:
    """Show a machine's state, history and availability; cassettes to operators only."""
    return render_template("atm/machine.html", **_page(public_id))


@blueprint.get("/<uuid:public_id>/state")
@access(Role.VOLUNTEER)
def state(public_id: UUID) -> ResponseReturnValue:
    """Return the part of the page that changes."""
    return render_template("atm/_state.html", **_page(public_id))


@blueprint.post("/<uuid:public_id>/report")
@access(Role.OPERATOR)
@idempotent
def report(public_id: UUID) -> ResponseReturnValue:
    """Enter what was seen at a machine that does not report itself."""
    asking = principal()
    found = session().scalar(
        select(CashMachine).where(CashMachine.site_id == asking.site, CashMachine.public_id == public_id)
    )
    if found is None:
        raise NotFoundError(what="cash machine")
    service.enter_by_hand(session(), found, _seen(), actor=asking.actor)
    flash(_("The entry is shown at the kiosk now."), "good")
    return redirect(url_for("atm.machine", public_id=public_id), 303)


def _seen() -> service.ManualReport:
    wanted = {"service": ("inService", "outOfService"), "withdrawal": ("ok", "low", "empty"), "hours": VALID_HOURS}
    for name, allowed in wanted.items():
        if request.form.get(name) not in allowed:
            raise BadInputError(field=name)
    return service.ManualReport(
        service=request.form["service"],
        withdrawal=request.form["withdrawal"],
        reason=request.form.get("reason", "").strip()[:200],
        valid_s=VALID_HOURS[request.form["hours"]],
    )


def _page(public_id: UUID) -> dict[str, object]:
    asking = principal()
    found = queries.for_operator(session(), asking.site, public_id)
    return {
        "machine": found,
        "changes": queries.changes(session(), found.id),
        "availability": [(days, queries.availability(session(), found.id, days)) for days in PERIODS],
        "months": queries.months(session(), found.id, session().get_one(Site, asking.site).timezone),
        "outages": queries.outages(session(), found.id),
        "words": words,
        "sees_units": asking.has(Role.OPERATOR),
    }
