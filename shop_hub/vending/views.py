"""The vending machine in the backoffice: planogram, filling, slots at fault, vends, the machine's own counters."""

from datetime import UTC, datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from flask import Blueprint, Response, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import get_locale, ngettext
from flask_babel import gettext as _

from shop_hub.catalog import queries as catalog
from shop_hub.core import clock, menu
from shop_hub.core.access import Role, access, principal
from shop_hub.core.errors import N_, BadInputError
from shop_hub.core.idempotency import idempotent
from shop_hub.core.sites import Site
from shop_hub.core.web import session
from shop_hub.vending import audits, comparing, planogram, queries, words
from shop_hub.vending.errors import NoAuditChosenError
from shop_hub.vending.evadts import LARGEST_BYTES
from shop_hub.vending.models import AuditSource

blueprint = Blueprint("vending", __name__, url_prefix="/office/vending", template_folder="templates")
menu.add(
    menu.MenuItem(label=N_("Vending machine"), endpoint="vending.index", icon="vending", role=Role.VOLUNTEER, sort=60)
)

_MOST_READINGS = 24


@blueprint.get("/")
@access(Role.VOLUNTEER)
def index() -> ResponseReturnValue:
    """Show the machines with their slots."""
    return render_template("vending/index.html", **_page())


@blueprint.get("/machines")
@access(Role.VOLUNTEER)
def machines() -> ResponseReturnValue:
    """Return the slots as they are at this moment."""
    return render_template("vending/_machines.html", **_page())


@blueprint.get("/<uuid:public_id>/refill")
@access(Role.VOLUNTEER)
def refill(public_id: UUID) -> ResponseReturnValue:
    """Show what is missing where, with a field for what lies in each slot afterwards."""
    machine = queries.machine(session(), principal().site, public_id)
    return render_template("vending/refill.html", machine=machine, words=words, language=_language())


@blueprint.post("/<uuid:public_id>/refill")
@access(Role.VOLUNTEER)
@idempotent
def take_refill(public_id: UUID) -> ResponseReturnValue:
    """Take over the counts of the slots that were filled in."""
    asking = principal()
    machine = queries.machine(session(), asking.site, public_id)
    counts = {slot.public_id: _count(text) for slot in machine.slots if (text := _text(f"slot-{slot.number}"))}
    replaced = [slot.public_id for slot in machine.slots if slot.product and _text(f"replaced-{slot.number}")]
    changed = planogram.refill(session(), asking.site, counts, actor=asking.actor, replaced=replaced)
    flash(ngettext("%(num)d slot has changed.", "%(num)d slots have changed.", changed), "good")
    return redirect(url_for("vending.index"), 303)


@blueprint.get("/slots/<uuid:slot_id>")
@access(Role.VOLUNTEER)
def slot(slot_id: UUID) -> ResponseReturnValue:
    """Show one slot; with `q`, articles that could go into it."""
    asking = principal()
    q = request.args.get("q", "").strip()[:60]
    found = catalog.search(session(), asking.site, q, limit=12).items if q else []
    return render_template(
        "vending/slot.html",
        slot=queries.slot(session(), asking.site, slot_id),
        q=q,
        found=[product for product in found if queries.may_be_vended(product)],
        words=words,
        language=_language(),
        may_change=asking.has(Role.OPERATOR),
    )


@blueprint.post("/slots/<uuid:slot_id>/goods")
@access(Role.OPERATOR)
@idempotent
def assign(slot_id: UUID) -> ResponseReturnValue:
    """Put another article into a slot, or none."""
    asking, text = principal(), _text("product")
    product_id = None
    if text:
        try:
            product_id = catalog.product_id(session(), UUID(text))
        except ValueError:
            raise BadInputError(field="product") from None
    planogram.assign(session(), asking.site, slot_id, product_id, actor=asking.actor)
    flash(_("The slot has its new article. What was left of the old one is booked back to the shelf."), "good")
    return redirect(url_for("vending.slot", slot_id=slot_id), 303)


@blueprint.post("/slots/<uuid:slot_id>/switch")
@access(Role.OPERATOR)
@idempotent
def switch(slot_id: UUID) -> ResponseReturnValue:
    """Take a slot out of sale, or back into it after someone has looked."""
    asking = principal()
    sells = request.form.get("sells") == "1"
    planogram.switch(session(), asking.site, slot_id, sells=sells, actor=asking.actor)
    flash(_("The slot sells again.") if sells else _("The slot sells no more."), "good")
    return redirect(url_for("vending.slot", slot_id=slot_id), 303)


@blueprint.get("/<uuid:public_id>/audits")
@access(Role.VOLUNTEER)
def readings(public_id: UUID) -> ResponseReturnValue:
    """Show the readings of a machine's counters, and where to add one."""
    machine = audits.machine(session(), principal().site, public_id)
    found = comparing.history(session(), machine.id, _MOST_READINGS)
    return render_template("vending/readings.html", machine=machine, readings=found, words=words)


@blueprint.post("/<uuid:public_id>/audits")
@access(Role.VOLUNTEER)
def take_reading(public_id: UUID) -> ResponseReturnValue:
    """Take over an audit file; the same one again leads to its reading."""
    asking, chosen = principal(), request.files.get("file")
    content = chosen.read(LARGEST_BYTES + 1) if chosen is not None else b""
    if not content:
        raise NoAuditChosenError
    machine = audits.machine(session(), asking.site, public_id)
    taken = audits.take(
        session(), machine, content, source=AuditSource.UPLOAD, actor=asking.actor, read_at=_moment(_text("read_at"))
    )
    flash(_("The reading is stored.") if taken.is_new else _("This file was here already."), "good")
    return redirect(url_for("vending.reading", audit_id=taken.audit.public_id), 303)


@blueprint.get("/audits/<uuid:audit_id>")
@access(Role.VOLUNTEER)
def reading(audit_id: UUID) -> ResponseReturnValue:
    """Show what the machine counted against what was sold here."""
    found = audits.one(session(), principal().site, audit_id)
    compared = comparing.compare(session(), found)
    machine = audits.machine_of(session(), found)
    return render_template("vending/reading.html", machine=machine, found=compared, words=words)


@blueprint.get("/audits/<uuid:audit_id>/file")
@access(Role.OPERATOR)
def reading_file(audit_id: UUID) -> ResponseReturnValue:
    """Return an audit file as it came."""
    found = audits.one(session(), principal().site, audit_id)
    name = f"{found.read_at:%Y-%m-%d}.eva_dts"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(found.content, mimetype="application/octet-stream", headers=headers)


def _moment(text: str) -> datetime | None:
    """Return the moment that a form's local time names, or None if it is empty."""
    if not text:
        return None
    zone = ZoneInfo(session().get_one(Site, principal().site).timezone)
    try:
        moment = datetime.fromisoformat(text).replace(tzinfo=zone).astimezone(UTC)
    except (ValueError, OverflowError):
        raise BadInputError(field="read_at") from None
    if moment > clock.now():
        raise BadInputError(field="read_at")
    return moment


@blueprint.post("/slots/<uuid:slot_id>/selection")
@access(Role.OPERATOR)
@idempotent
def name_selection(slot_id: UUID) -> ResponseReturnValue:
    """Say what the machine itself calls a slot."""
    asking = principal()
    planogram.name_selection(session(), asking.site, slot_id, _text("selection"), actor=asking.actor)
    flash(_("The name is saved."), "good")
    return redirect(url_for("vending.slot", slot_id=slot_id), 303)


def _page() -> dict[str, object]:
    found = queries.machines(session(), principal().site)
    return {
        "machines": found,
        "vends": {machine.id: queries.recent(session(), machine.id, 15) for machine in found},
        "words": words,
        "language": _language(),
    }


def _text(name: str) -> str:
    return request.form.get(name, "").strip()


def _count(text: str) -> int:
    if not text.isdecimal() or len(text) > 2:  # noqa: PLR2004 - a slot holds at most 99
        raise BadInputError(field="slot")
    return int(text)


def _language() -> str:
    return str(get_locale() or "de")[:2]
