"""Kiosks: enter, pair with a one-time code, part; for administrators."""

from uuid import UUID

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from shop_hub.backoffice.views import blueprint
from shop_hub.core import menu
from shop_hub.core.access import Role, access, principal
from shop_hub.core.errors import N_, ShopError
from shop_hub.core.menu import MenuItem
from shop_hub.core.web import hub, session
from shop_hub.fleet import kiosks as fleet_kiosks

menu.add(MenuItem(label=N_("Kiosks"), endpoint="backoffice.kiosks", icon="kiosk", role=Role.ADMINISTRATOR, sort=92))


@blueprint.get("/kiosks")
@access(Role.ADMINISTRATOR)
def kiosks() -> ResponseReturnValue:
    """List the kiosks of this site."""
    return _list()


@blueprint.post("/kiosks")
@access(Role.ADMINISTRATOR)
def create_kiosk() -> ResponseReturnValue:
    """Enter a kiosk and show its code."""
    form = request.form
    try:
        kiosk = fleet_kiosks.create(
            session(), principal().site, form.get("name", ""), form.get("register_code", ""), actor=principal().actor
        )
    except ShopError as refusal:
        return _list(_(refusal.message, **refusal.params)), refusal.status
    return _show_code(kiosk.public_id)


@blueprint.post("/kiosks/<uuid:public_id>/code")
@access(Role.ADMINISTRATOR)
def kiosk_code(public_id: UUID) -> ResponseReturnValue:
    """Make a code for pairing and show it once."""
    return _show_code(public_id)


@blueprint.post("/kiosks/<uuid:public_id>/part")
@access(Role.ADMINISTRATOR)
def part_kiosk(public_id: UUID) -> ResponseReturnValue:
    """End the pairing at once."""
    kiosk = fleet_kiosks.by_public_id(session(), principal().site, public_id)
    fleet_kiosks.part(session(), kiosk, actor=principal().actor)
    flash(_("The screen is no kiosk any more."), "good")
    return redirect(url_for("backoffice.kiosks"), 303)


def _list(error: str = "") -> str:
    rows = fleet_kiosks.all_of(session(), principal().site)
    return render_template("backoffice/kiosks.html", kiosks=rows, error=error)


def _show_code(public_id: UUID) -> str:
    kiosk = fleet_kiosks.by_public_id(session(), principal().site, public_id)
    code = fleet_kiosks.issue_code(session(), kiosk, actor=principal().actor)
    base = hub().settings.http.public_url or request.host_url.rstrip("/")
    address = base + url_for("kiosk.pairing")
    return render_template("backoffice/kiosk_code.html", kiosk=kiosk, code=code, address=address)
