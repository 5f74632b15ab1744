"""Temperatures in the backoffice: probes, curve, alarms with notes, limits, CSV for the food inspection."""

from datetime import timedelta
from decimal import Decimal, InvalidOperation
from uuid import UUID

from flask import Blueprint, Response, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from shop_hub.climate import chart, export, queries, service, words
from shop_hub.climate.errors import WrongLimitsError
from shop_hub.climate.models import Probe
from shop_hub.core import clock, menu
from shop_hub.core.access import Role, access, principal
from shop_hub.core.errors import N_
from shop_hub.core.idempotency import idempotent
from shop_hub.core.sites import Site
from shop_hub.core.web import session

blueprint = Blueprint("climate", __name__, url_prefix="/office/climate", template_folder="templates")
menu.add(
    menu.MenuItem(label=N_("Temperatures"), endpoint="climate.index", icon="thermometer", role=Role.VOLUNTEER, sort=66)
)

PERIODS = {"1": N_("1 day"), "7": N_("7 days"), "30": N_("30 days"), "365": N_("1 year")}


@blueprint.get("/")
@access(Role.VOLUNTEER)
def index() -> ResponseReturnValue:
    """Show all probes."""
    return render_template("climate/index.html", probes=queries.probes(session(), principal().site), words=words)


@blueprint.get("/probes")
@access(Role.VOLUNTEER)
def probes() -> ResponseReturnValue:
    """Return the probes as they are at this moment."""
    return render_template("climate/_probes.html", probes=queries.probes(session(), principal().site), words=words)


@blueprint.get("/<uuid:public_id>")
@access(Role.VOLUNTEER)
def probe(public_id: UUID) -> ResponseReturnValue:
    """Show one probe with its curve and its alarms."""
    asking = principal()
    found = queries.probe(session(), asking.site, public_id)
    days = request.args.get("days", "1")
    days = days if days in PERIODS else "1"
    until = clock.now()
    since = until - timedelta(days=int(days))
    readings = queries.readings(session(), found.id, since)
    return render_template(
        "climate/probe.html",
        probe=found,
        chart=chart.draw(readings, (found.min_milli, found.max_milli), since, until),
        size=chart,
        days=days,
        periods=PERIODS,
        alarms=queries.alarms(session(), found.id),
        words=words,
        may_note=asking.has(Role.OPERATOR),
        may_limit=asking.has(Role.MANAGER),
    )


@blueprint.get("/<uuid:public_id>/readings.csv")
@access(Role.OPERATOR)
def readings(public_id: UUID) -> ResponseReturnValue:
    """Return the readings of up to a year as CSV."""
    site_id = principal().site
    found = queries.probe(session(), site_id, public_id)
    days = request.args.get("days", "30")
    since = clock.now() - timedelta(days=int(days) if days in PERIODS else 30)
    text = export.to_csv(
        found.name, queries.readings(session(), found.id, since), session().get_one(Site, site_id).timezone
    )
    headers = {"Content-Disposition": f'attachment; filename="temperature-{found.id}.csv"'}
    return Response("\ufeff" + text, mimetype="text/csv", headers=headers)


@blueprint.post("/<uuid:public_id>/limits")
@access(Role.MANAGER)
@idempotent
def limits(public_id: UUID) -> ResponseReturnValue:
    """Change the limits of a probe."""
    asking = principal()
    found = session().get_one(Probe, queries.probe(session(), asking.site, public_id).id)
    low, high = _milli("low"), _milli("high")
    service.change_limits(session(), found, (low, high), _minutes() * 60, actor=asking.actor)
    flash(_("The new limits hold."), "good")
    return redirect(url_for("climate.probe", public_id=public_id), 303)


@blueprint.post("/alarms/<uuid:alarm_id>/note")
@access(Role.OPERATOR)
@idempotent
def note(alarm_id: UUID) -> ResponseReturnValue:
    """Write down what was found and what became of the goods."""
    asking = principal()
    service.note_alarm(session(), asking.site, alarm_id, request.form.get("note", ""), actor=asking.actor)
    flash(_("Noted."), "good")
    return redirect(url_for("climate.index"), 303)


def _milli(name: str) -> int:
    """Return degrees with comma or point as thousandths."""
    try:
        value = Decimal(request.form.get(name, "").strip().replace(",", "."))
        return int(value * 1000)
    except (InvalidOperation, ValueError, OverflowError):
        raise WrongLimitsError(field=name) from None


def _minutes() -> int:
    minutes = request.form.get("minutes", "")
    if not minutes.isdigit() or len(minutes) > 4:  # noqa: PLR2004 - at most a day of 1440
        raise WrongLimitsError(field="minutes")
    return int(minutes)
