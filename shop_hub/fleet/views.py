"""Devices in the backoffice: how they do, what they last told and did, and their keys."""

from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from devices.protocol.contract import RULES
from shop_hub.core import menu, qr
from shop_hub.core.access import Principal, Role, access, principal
from shop_hub.core.db import paused
from shop_hub.core.errors import N_, BadInputError, ShopError
from shop_hub.core.idempotency import idempotent
from shop_hub.core.web import hub, session
from shop_hub.fleet import drills, kiosks, manual, map_views, overview, pairing, provisioning, queries, words
from shop_hub.fleet.errors import CollectedDeviceError, ReasonMissingError
from shop_hub.fleet.models import Device, DeviceKind
from shop_hub.fleet.provisioning import NewDevice

blueprint = Blueprint("fleet", __name__, url_prefix="/office/devices", template_folder="templates")
blueprint.register_blueprint(map_views.blueprint)


def _troubles(asking: Principal) -> int:
    return overview.troubles(session(), asking.site)


menu.add(
    menu.MenuItem(
        label=N_("Devices"), endpoint="fleet.index", icon="device", role=Role.VOLUNTEER, sort=80, badge=_troubles
    )
)


@blueprint.get("/")
@access(Role.VOLUNTEER)
def index() -> ResponseReturnValue:
    """Show all devices."""
    return render_template("fleet/index.html", **_list())


@blueprint.get("/list")
@access(Role.VOLUNTEER)
def listing() -> ResponseReturnValue:
    """Return the list as it is at this moment."""
    return render_template("fleet/_list.html", **_list())


@blueprint.get("/contract")
@access(Role.VOLUNTEER)
def contract() -> ResponseReturnValue:
    """Show makers of hardware how a device speaks with the hub."""
    return render_template(
        "fleet/contract.html", rules=RULES, topics=manual.topics(), golden=manual.golden(), kinds=manual.kinds()
    )


@blueprint.get("/break")
@access(Role.ADMINISTRATOR)
def breakable() -> ResponseReturnValue:
    """Show what can be broken in the demo."""
    with paused(session()):
        machines = drills.machines(hub().settings)
    return render_template("fleet/break.html", machines=machines, words=words)


@blueprint.post("/break")
@access(Role.ADMINISTRATOR)
def break_something() -> ResponseReturnValue:
    """Break or mend something in the demo; twice is as once. No transaction waits for the machines meanwhile."""
    form = request.form
    is_mending = form.get("action") == "mend"
    what = (form.get("device", ""), form.get("fault", ""), form.get("place", ""))
    with paused(session()):
        drills.change(hub().settings, *what, mend=is_mending)
    flash(_("It is mended.") if is_mending else _("It is broken now."), "good")
    return redirect(url_for("fleet.breakable"), 303)


@blueprint.get("/<uuid:public_id>")
@access(Role.VOLUNTEER)
def device(public_id: UUID) -> ResponseReturnValue:
    """Show one device."""
    return render_template("fleet/device.html", **_page(public_id))


@blueprint.get("/<uuid:public_id>/now")
@access(Role.VOLUNTEER)
def device_now(public_id: UUID) -> ResponseReturnValue:
    """Return the part of a device's page that changes."""
    return render_template("fleet/_device.html", **_page(public_id))


@blueprint.post("/<uuid:public_id>/commands/<ulid>/give-up")
@access(Role.OPERATOR)
@idempotent
def give_up(public_id: UUID, ulid: str) -> ResponseReturnValue:
    """Stop waiting for the answer to a command."""
    found = queries.by_public_id(session(), principal().site, public_id)
    provisioning.give_up(session(), queries.command(session(), found.id, ulid), actor=principal().actor)
    flash(_("Nobody waits for this answer any more. Please look at the machine yourself."), "warning")
    return redirect(url_for("fleet.device", public_id=public_id), 303)


@blueprint.get("/messages")
@access(Role.OPERATOR)
def letters() -> ResponseReturnValue:
    """Show the messages that could not be used."""
    site_id = principal().site
    found = overview.letters(session(), site_id, before=request.args.get("before", type=int))
    names = {device.id: device.name for device in queries.devices(session(), site_id)}
    return render_template("fleet/letters.html", letters=found, names=names, following=overview.following(found))


@blueprint.post("/messages/seen")
@access(Role.OPERATOR)
def see_letters() -> ResponseReturnValue:
    """Note that a person has looked at all of them."""
    provisioning.see_letters(session(), principal().site, actor=principal().actor)
    return redirect(url_for("fleet.letters"), 303)


@blueprint.get("/new")
@access(Role.ADMINISTRATOR)
def new() -> ResponseReturnValue:
    """Ask for a new device."""
    return _new_form()


@blueprint.post("/new")
@access(Role.ADMINISTRATOR)
def create() -> ResponseReturnValue:
    """Register a device and show the code by which it gets its keys, once."""
    _refuse_in_region()
    try:
        issued = provisioning.create(session(), hub().hasher, principal().site, _new_device(), actor=principal().actor)
    except ShopError as refusal:
        return _new_form(_(refusal.message, **refusal.params)), refusal.status
    return _show_code(session().get_one(Device, issued.device_id))


@blueprint.post("/<uuid:public_id>/code")
@access(Role.ADMINISTRATOR)
def issue_code(public_id: UUID) -> ResponseReturnValue:
    """Show a fresh code, for a machine that takes the place of the one in use."""
    _refuse_in_region()
    return _show_code(queries.by_public_id(session(), principal().site, public_id))


@blueprint.post("/<uuid:public_id>/keys")
@access(Role.ADMINISTRATOR)
def renew_keys(public_id: UUID) -> ResponseReturnValue:
    """Make new keys and show them, once."""
    _refuse_in_region()
    found, reason = queries.by_public_id(session(), principal().site, public_id), request.form.get("reason", "")
    try:
        issued = provisioning.renew_keys(session(), hub().hasher, found, actor=principal().actor, reason=reason)
    except ReasonMissingError as refusal:
        flash(_(refusal.message), "bad")
        return redirect(url_for("fleet.device", public_id=public_id), 303)
    return render_template("fleet/credentials.html", issued=issued)


@blueprint.post("/<uuid:public_id>/revoke")
@access(Role.ADMINISTRATOR)
def revoke(public_id: UUID) -> ResponseReturnValue:
    """Take a device out of service."""
    found, reason = queries.by_public_id(session(), principal().site, public_id), request.form.get("reason", "")
    try:
        provisioning.revoke(session(), found, actor=principal().actor, reason=reason)
    except ReasonMissingError as refusal:
        flash(_(refusal.message), "bad")
        return redirect(url_for("fleet.device", public_id=public_id), 303)
    flash(_("The device is out of service. Nobody believes it any more."), "good")
    return redirect(url_for("fleet.index"), 303)


def _refuse_in_region() -> None:
    """Leave keys to the hub of the village: those made here would fit nowhere."""
    if hub().settings.mqtt.collects:
        raise CollectedDeviceError


def _show_code(found: Device) -> str:
    code = pairing.issue_code(session(), hub().hasher, found, actor=principal().actor)
    base = hub().settings.http.public_url or request.host_url.rstrip("/")
    picture = qr.svg(f"{base}/#{code}", label=_("Code for the device"))
    return render_template("fleet/code.html", device=found, code=code, base=base, picture=picture)


def _list() -> dict[str, object]:
    site_id = principal().site
    return {
        "devices": overview.rows(session(), site_id),
        "letters": overview.unseen_letters(session(), site_id),
        "words": words,
        **_rights(),
    }


def _page(public_id: UUID) -> dict[str, object]:
    page = overview.page(session(), principal().site, public_id)
    return {"page": page, "words": words, "overview": overview, **_rights()}


def _rights() -> dict[str, object]:
    asking = principal()
    is_administrator = asking.has(Role.ADMINISTRATOR)
    return {
        "may_operate": asking.has(Role.OPERATOR),
        "may_administrate": is_administrator,
        "is_region": hub().settings.mqtt.collects,
        "may_break": is_administrator and drills.is_possible(hub().settings),
    }


def _new_form(error: str = "") -> str:
    screens = [(kiosk.public_id, kiosk.name) for kiosk in kiosks.all_of(session(), principal().site)]
    kinds = [(kind.value, _(words.KIND[kind])) for kind in DeviceKind]
    return render_template("fleet/new.html", kinds=kinds, kiosks=screens, form=request.form, error=error)


def _new_device() -> NewDevice:
    form = request.form
    try:
        kind = DeviceKind(form.get("kind", ""))
        kiosk = UUID(form["kiosk"]) if form.get("kiosk") else None
    except ValueError:
        raise BadInputError(field="kind") from None
    kiosk_id = kiosks.by_public_id(session(), principal().site, kiosk).id if kiosk is not None else None
    return NewDevice(
        slug=form.get("slug", "").strip(), kind=kind, name=form.get("name", "").strip()[:60], kiosk_id=kiosk_id
    )
