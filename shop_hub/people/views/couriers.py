"""Carriers and their couriers: enter, badge, PIN, block; for managers."""

from uuid import UUID

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from shop_hub.core import audit, menu, qr
from shop_hub.core.access import Role, access, principal
from shop_hub.core.errors import N_, BadInputError, NotFoundError, ShopError
from shop_hub.core.menu import MenuItem
from shop_hub.core.web import hub, session
from shop_hub.people import queries, service
from shop_hub.people.models import Carrier
from shop_hub.people.views import blueprint

menu.add(MenuItem(label=N_("Carriers"), endpoint="people.carriers", icon="truck", role=Role.MANAGER, sort=65))

LONGEST_NAME = 80


@blueprint.get("/carriers")
@access(Role.MANAGER)
def carriers() -> ResponseReturnValue:
    """List carriers with their couriers."""
    return _list()


@blueprint.post("/carriers")
@access(Role.ADMINISTRATOR)
def create_carrier() -> ResponseReturnValue:
    """Enter a carrier; carriers are common to all shops, so administrators do this."""
    form = request.form
    try:
        carrier = service.create_carrier(
            session(),
            Carrier(
                code=form.get("code", "").strip().lower(),
                name=form.get("name", "").strip()[:LONGEST_NAME],
                colour=form.get("colour", "#14492f"),
                email=form.get("email", "").strip(),
            ),
        )
    except ShopError as refusal:
        return _list(error=_(refusal.message, **refusal.params)), refusal.status
    audit.record(session(), principal().site, principal().actor, "carrier-created", f"carrier:{carrier.id}")
    flash(_("%(name)s was entered.", name=carrier.name), "good")
    return redirect(url_for("people.carriers"), 303)


@blueprint.post("/carriers/<code>/couriers")
@access(Role.MANAGER)
def create_courier(code: str) -> ResponseReturnValue:
    """Enter a courier."""
    carrier = queries.carrier_by_code(session(), code)
    name = " ".join(request.form.get("name", "").split())[:LONGEST_NAME]
    if carrier is None:
        raise NotFoundError(what="carrier")
    if not name:
        raise BadInputError(field="name")
    courier = service.create_courier(session(), carrier.id, name, language=request.form.get("language", "de"))
    audit.record(session(), principal().site, principal().actor, "courier-created", f"courier:{courier.id}")
    flash(_("%(name)s was entered. Now the badge and the PIN.", name=courier.name), "good")
    return redirect(url_for("people.carriers"), 303)


@blueprint.post("/couriers/<uuid:public_id>/badge")
@access(Role.MANAGER)
def issue_badge(public_id: UUID) -> ResponseReturnValue:
    """Make a badge and show its print sheet; earlier badges end."""
    courier = queries.courier_by_public_id(session(), public_id)
    badge = service.issue_badge(session(), courier.id)
    audit.record(session(), principal().site, principal().actor, "badge-issued", f"courier:{courier.id}")
    code = qr.svg(badge.text, label=_("Code of the badge"))
    return render_template("people/badge.html", courier=courier, code=code, number=badge.id)


@blueprint.post("/couriers/<uuid:public_id>/pin")
@access(Role.MANAGER)
def set_courier_pin(public_id: UUID) -> ResponseReturnValue:
    """Set a courier's PIN."""
    courier = queries.courier_by_public_id(session(), public_id)
    service.set_courier_pin(session(), hub().hasher, courier.id, request.form.get("pin", ""))
    audit.record(session(), principal().site, principal().actor, "pin-set", f"courier:{courier.id}")
    flash(_("The new PIN works from now on."), "good")
    return redirect(url_for("people.carriers"), 303)


@blueprint.post("/couriers/<uuid:public_id>/block")
@access(Role.MANAGER)
def block_courier(public_id: UUID) -> ResponseReturnValue:
    """Block a courier at once, or open again."""
    courier = queries.courier_by_public_id(session(), public_id)
    courier.is_blocked = request.form.get("is_blocked") == "1"
    action = "courier-blocked" if courier.is_blocked else "courier-unblocked"
    audit.record(session(), principal().site, principal().actor, action, f"courier:{courier.id}")
    flash(_("The courier is blocked.") if courier.is_blocked else _("The courier may work again."), "good")
    return redirect(url_for("people.carriers"), 303)


def _list(error: str = "") -> str:
    groups = [(carrier, queries.couriers(session(), carrier.id)) for carrier in queries.carriers(session())]
    may_add = principal().has(Role.ADMINISTRATOR)
    return render_template("people/carriers.html", groups=groups, may_add=may_add, error=error)
