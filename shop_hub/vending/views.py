"""The vending machine in the backoffice: planogram, filling, slots at fault, vends."""

from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import get_locale, ngettext
from flask_babel import gettext as _

from shop_hub.catalog import queries as catalog
from shop_hub.core import menu
from shop_hub.core.access import Role, access, principal
from shop_hub.core.errors import N_, BadInputError
from shop_hub.core.idempotency import idempotent
from shop_hub.core.web import session
from shop_hub.vending import planogram, queries, words

blueprint = Blueprint("vending", __name__, url_prefix="/office/vending", template_folder="templates")
menu.add(
    menu.MenuItem(label=N_("Vending machine"), endpoint="vending.index", icon="vending", role=Role.VOLUNTEER, sort=60)
)


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
    changed = planogram.refill(session(), asking.site, counts, actor=asking.actor)
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
