"""Temperatures in the backoffice: probes, curve, alarms with notes, limits, held goods, papers for the inspection."""

from datetime import date, timedelta
from decimal import Decimal
from uuid import UUID

from flask import Blueprint, Response, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from shop_hub.catalog import queries as catalog
from shop_hub.climate import chart, export, goods, queries, records, service, words
from shop_hub.climate.errors import WrongLimitsError
from shop_hub.climate.models import Decision, Probe, Stand
from shop_hub.core import clock, menu
from shop_hub.core.access import Role, access, principal
from shop_hub.core.errors import N_, BadInputError
from shop_hub.core.idempotency import idempotent
from shop_hub.core.sites import Site
from shop_hub.core.web import session

blueprint = Blueprint("climate", __name__, url_prefix="/office/climate", template_folder="templates")
menu.add(
    menu.MenuItem(label=N_("Temperatures"), endpoint="climate.index", icon="thermometer", role=Role.VOLUNTEER, sort=66)
)

MOST_DAYS = 400
_OLDEST_YEAR = 2000
PERIODS = {"1": N_("1 day"), "7": N_("7 days"), "30": N_("30 days"), "365": N_("1 year")}


@blueprint.get("/")
@access(Role.VOLUNTEER)
def index() -> ResponseReturnValue:
    """Show all probes and the goods that are held."""
    return render_template("climate/index.html", **_overview())


@blueprint.get("/probes")
@access(Role.VOLUNTEER)
def probes() -> ResponseReturnValue:
    """Return the probes and the held goods as they are at this moment."""
    return render_template("climate/_probes.html", **_overview())


@blueprint.get("/<uuid:public_id>")
@access(Role.VOLUNTEER)
def probe(public_id: UUID) -> ResponseReturnValue:
    """Show one probe with its curve, its alarms and the goods in its reach."""
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
        watched=queries.watched(session(), found.id),
        blocks=queries.blocks(session(), asking.site, probe_id=found.id),
        groups=[(group.id, group.name) for group in catalog.groups(session())],
        stands=[(stand.value, _(text)) for stand, text in words.STAND.items()],
        today=clock.today(_timezone()),
        words=words,
        may_note=asking.has(Role.OPERATOR),
        may_limit=asking.has(Role.MANAGER),
    )


@blueprint.get("/blocks/<uuid:block_id>")
@access(Role.VOLUNTEER)
def block(block_id: UUID) -> ResponseReturnValue:
    """Show held goods: what happened, what to do, and the decision."""
    asking = principal()
    return render_template(
        "climate/block.html",
        block=queries.block(session(), asking.site, block_id),
        decisions=[(decision.value, _(text)) for decision, text in words.DECISION.items()],
        words=words,
        may_decide=asking.has(Role.OPERATOR),
    )


@blueprint.post("/blocks/<uuid:block_id>/decision")
@access(Role.OPERATOR)
@idempotent
def decide(block_id: UUID) -> ResponseReturnValue:
    """Write down what became of held goods."""
    asking = principal()
    try:
        decision = Decision(request.form.get("decision", ""))
    except ValueError:
        raise BadInputError(field="decision") from None
    reason = request.form.get("reason", "")
    goods.decide(session(), asking.site, block_id, decision, reason, actor=asking.actor)
    flash(_("Noted. The goods are for sale again as soon as it is cold there."), "good")
    return redirect(url_for("climate.block", block_id=block_id), 303)


@blueprint.get("/<uuid:public_id>/readings.csv")
@access(Role.OPERATOR)
def readings(public_id: UUID) -> ResponseReturnValue:
    """Return the readings of up to a year as CSV."""
    found = _record(public_id)
    text = "\ufeff" + export.to_csv(found, _timezone())
    return _file(text.encode(), "text/csv", f"temperature-{found.probe.id}.csv")


@blueprint.get("/<uuid:public_id>/record.pdf")
@access(Role.OPERATOR)
def record(public_id: UUID) -> ResponseReturnValue:
    """Return the cooling record of up to a year as PDF."""
    from shop_hub.climate import pdf  # noqa: PLC0415 - its library takes 0.3 s to load, and hardly any request needs it

    found, site = _record(public_id), session().get_one(Site, principal().site)
    content = pdf.render(found, shop=site.name, address=f"{site.street}, {site.postcode} {site.place}")
    return _file(content, "application/pdf", f"cooling-record-{found.probe.id}.pdf")


@blueprint.post("/<uuid:public_id>/goods")
@access(Role.MANAGER)
@idempotent
def watch(public_id: UUID) -> ResponseReturnValue:
    """Watch a product group with a probe, or change how."""
    asking = principal()
    group_id = request.form.get("group", type=int)
    if group_id not in {group.id for group in catalog.groups(session())}:
        raise BadInputError(field="group")
    new = goods.Watch(
        group_id=group_id,
        max_milli=_milli("most"),
        block_after_s=_minutes("after") * 60,
        stand=Stand.MACHINE if request.form.get("stand") == Stand.MACHINE else Stand.SHELF,
    )
    found = session().get_one(Probe, queries.probe(session(), asking.site, public_id).id)
    goods.watch(session(), found, new, actor=asking.actor)
    flash(_("These goods are watched now."), "good")
    return redirect(url_for("climate.probe", public_id=public_id), 303)


@blueprint.post("/<uuid:public_id>/goods/<uuid:goods_id>/end")
@access(Role.MANAGER)
@idempotent
def unwatch(public_id: UUID, goods_id: UUID) -> ResponseReturnValue:
    """Watch a product group no longer."""
    goods.unwatch(session(), principal().site, goods_id, actor=principal().actor)
    flash(_("These goods are not watched any more."), "good")
    return redirect(url_for("climate.probe", public_id=public_id), 303)


@blueprint.post("/uncooled")
@access(Role.MANAGER)
@idempotent
def uncooled() -> ResponseReturnValue:
    """Say that a product needs no cooling although its group does, or that it does."""
    asking, site_id = principal(), principal().site
    if request.form.get("remove"):
        product_id, is_uncooled = request.form.get("remove", 0, type=int), False
    else:
        product_id = catalog.find_by_barcode(session(), site_id, request.form.get("code", "")).product_id
        is_uncooled = True
    goods.set_uncooled(session(), site_id, product_id, uncooled=is_uncooled, actor=asking.actor)
    flash(_("Noted."), "good")
    return redirect(url_for("climate.index"), 303)


@blueprint.post("/<uuid:public_id>/limits")
@access(Role.MANAGER)
@idempotent
def limits(public_id: UUID) -> ResponseReturnValue:
    """Change the limits of a probe."""
    asking = principal()
    found = session().get_one(Probe, queries.probe(session(), asking.site, public_id).id)
    low, high = _milli("low"), _milli("high")
    service.change_limits(session(), found, (low, high), _minutes("minutes") * 60, actor=asking.actor)
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


def _overview() -> dict[str, object]:
    asking = principal()
    return {
        "probes": queries.probes(session(), asking.site),
        "blocks": queries.open_blocks(session(), asking.site),
        "uncooled": queries.uncooled(session(), asking.site),
        "may_limit": asking.has(Role.MANAGER),
        "words": words,
    }


def _record(public_id: UUID) -> records.Record:
    """Return the record of the days asked for: from and to, or so many days up to today."""
    site_id, timezone = principal().site, _timezone()
    today = clock.today(timezone)
    last = _day("to") or today
    days = request.args.get("days", "30")
    if not _OLDEST_YEAR <= last.year <= today.year + 1:
        raise BadInputError(field="to")
    first = _day("from") or last - timedelta(days=int(days) if days in PERIODS else 30)
    if not 0 <= (last - first).days <= MOST_DAYS:
        raise BadInputError(field="from")
    return records.record(session(), site_id, queries.probe(session(), site_id, public_id), (first, last), timezone)


def _day(name: str) -> date | None:
    text = request.args.get(name, "")
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise BadInputError(field=name) from None


def _timezone() -> str:
    return session().get_one(Site, principal().site).timezone


def _file(content: bytes, kind: str, name: str) -> Response:
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(content, mimetype=kind, headers=headers)


def _milli(name: str) -> int:
    """Return degrees with comma or point as thousandths."""
    try:
        value = Decimal(request.form.get(name, "").strip().replace(",", "."))
        return int(value * 1000)
    except (ArithmeticError, ValueError):
        raise WrongLimitsError(field=name) from None


def _minutes(name: str) -> int:
    minutes = request.form.get(name, "")
    if not minutes.isdigit() or len(minutes) > 4:  # noqa: PLR2004 - at most a day of 1440
        raise WrongLimitsError(field=name)
    return int(minutes)
