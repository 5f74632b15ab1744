"""Collecting parcels at the kiosk: by QR code, typed code, or member card with PIN.

Who has shown the right to some parcels may open their doors for five minutes; the visit remembers which ones.
"""

from datetime import datetime, timedelta
from uuid import UUID

from flask import flash, redirect, render_template, request, url_for
from flask import session as visit
from flask.typing import ResponseReturnValue
from flask_babel import gettext, ngettext
from sqlalchemy.orm import Session

from kiosk import tiles
from kiosk.blueprint import blueprint
from shop_hub.core import clock
from shop_hub.core.access import Role, access, principal
from shop_hub.core.errors import N_, BadInputError
from shop_hub.core.idempotency import idempotent
from shop_hub.core.tokens import Purpose, normalise
from shop_hub.core.web import hub, session
from shop_hub.parcels import courier_edge, credentials, desk, labels, places, queries
from shop_hub.parcels import service as parcels
from shop_hub.parcels.errors import PickupOverError, WrongCodeError
from shop_hub.parcels.models import Channel, Parcel
from shop_hub.parcels.queries import WaitingParcel
from shop_hub.parcels.service import Problem
from shop_hub.people import service as people
from shop_hub.people import signin
from shop_hub.people.errors import WrongPinError

PICKUP = "pickup"
SHOWN = timedelta(minutes=5)


@blueprint.get("/parcels")
@access(Role.ANONYMOUS)
def parcel_start() -> ResponseReturnValue:
    """Ask for the code or card."""
    return render_template("kiosk/parcels/start.html")


@blueprint.post("/parcels/scan")
@access(Role.KIOSK)
def parcel_scan() -> ResponseReturnValue:
    """Take whatever was held before the reader: pick-up code, member card or a courier's badge."""
    code = normalise(request.form.get("code", "")[: labels.LONGEST_SCAN])
    if code.startswith(Purpose.PICKUP):
        parcel = credentials.by_token(session(), principal().site, code)
        return show_waiting(queries.waiting_with(session(), parcel.id), "qr")
    if code.startswith(Purpose.MEMBER):
        person = people.identify_card(session(), code)
        return render_template("kiosk/parcels/pin.html", card=code, name=person.short_name)
    if code.startswith(Purpose.COURIER):
        courier_edge.begin(code, Channel.KIOSK)
        return redirect(url_for("kiosk.courier"), 303)
    flash(gettext("We cannot use this code here. Please show the code from our mail, or your card."), "warning")
    return redirect(url_for("kiosk.parcel_start"), 303)


@blueprint.get("/parcels/scan")
@blueprint.get("/parcels/pin")
@access(Role.ANONYMOUS)
def parcel_scan_again() -> ResponseReturnValue:
    """Lead back to the start who loads an answer again, e.g. in another language: the card must be shown anew."""
    return redirect(url_for("kiosk.parcel_start"))


@blueprint.post("/parcels/pin")
@access(Role.KIOSK)
def parcel_pin() -> ResponseReturnValue:
    """Check the PIN of a card and show what waits for its owner."""
    card, pin = request.form.get("card", ""), request.form.get("pin", "")
    try:
        person = people.verify_member(session(), hub().hasher, card, pin, pad=_pad())
    except WrongPinError as error:
        flash(gettext(error.message), "bad")
        name = people.identify_card(session(), card).short_name
        return render_template("kiosk/parcels/pin.html", card=card, name=name), error.status
    signin.member(session(), card, person)
    return show_waiting(queries.waiting_for(session(), person.id, principal().site), "card")


@blueprint.get("/parcels/code")
@access(Role.KIOSK)
def parcel_code() -> ResponseReturnValue:
    """Show the number pad for the code."""
    return render_template("kiosk/parcels/code.html", length=credentials.CODE_LENGTH)


@blueprint.post("/parcels/code")
@access(Role.KIOSK)
def parcel_code_typed() -> ResponseReturnValue:
    """Take a typed code."""
    code = request.form.get("code", "")
    if not code.strip():
        raise BadInputError(field="code")
    try:
        parcel = credentials.by_code(session(), hub().hasher, principal().site, code, pad=_pad())
    except WrongCodeError as error:
        flash(gettext(error.message), "bad")
        return render_template("kiosk/parcels/code.html", length=credentials.CODE_LENGTH), error.status
    return show_waiting(queries.waiting_with(session(), parcel.id), "code")


@blueprint.get("/parcels/mine")
@access(Role.KIOSK)
def parcel_list() -> ResponseReturnValue:
    """Show what waits for the person at the screen."""
    allowed = _allowed()
    waiting = [each for first in allowed[:1] for each in queries.waiting_with(session(), first) if each.id in allowed]
    if len(waiting) == 1:
        return redirect(url_for("kiosk.parcel_door", public_id=waiting[0].public_id))
    return render_template("kiosk/parcels/list.html", waiting=waiting)


@blueprint.get("/parcels/<uuid:public_id>")
@access(Role.KIOSK)
def parcel_door(public_id: UUID) -> ResponseReturnValue:
    """Show a parcel, its door, and what to do."""
    return render_template("kiosk/parcels/door.html", **_door(_mine(public_id)))


@blueprint.get("/parcels/<uuid:public_id>/news")
@access(Role.KIOSK)
def parcel_news(public_id: UUID) -> ResponseReturnValue:
    """Have the page load again if something has happened since it was made; its parcel's sequence says so."""
    return reload_if(str(_mine(public_id).sequence) != request.args.get("at"))


@blueprint.post("/parcels/<uuid:public_id>/open")
@access(Role.KIOSK)
@idempotent
def parcel_open(public_id: UUID) -> ResponseReturnValue:
    """Ask the door to open."""
    parcels.collect(session(), _mine(public_id), actor=principal().actor, way=visit[PICKUP]["way"])
    return _to(public_id)


@blueprint.post("/parcels/<uuid:public_id>/again")
@access(Role.KIOSK)
@idempotent
def parcel_reopen(public_id: UUID) -> ResponseReturnValue:
    """Open the door once more, shortly after it was closed."""
    parcels.reopen(session(), _mine(public_id), actor=principal().actor)
    return _to(public_id)


@blueprint.post("/parcels/<uuid:public_id>/taken")
@access(Role.KIOSK)
@idempotent
def parcel_taken(public_id: UUID) -> ResponseReturnValue:
    """Take the person's word that the compartment is empty, or not, where no sensor can tell."""
    verb = parcels.confirm_collected if request.form.get("taken") == "yes" else parcels.not_taken
    verb(session(), _mine(public_id), actor=principal().actor)
    return _to(public_id)


@blueprint.post("/parcels/<uuid:public_id>/longer")
@access(Role.KIOSK)
@idempotent
def parcel_extend(public_id: UUID) -> ResponseReturnValue:
    """Keep the parcel some days longer."""
    parcels.extend(session(), _mine(public_id), actor=principal().actor)
    return _to(public_id)


@blueprint.get("/parcels/<uuid:public_id>/problem")
@access(Role.KIOSK)
def parcel_problem(public_id: UUID) -> ResponseReturnValue:
    """Ask what is wrong."""
    return render_template("kiosk/parcels/problem.html", parcel=_mine(public_id))


@blueprint.post("/parcels/<uuid:public_id>/problem")
@access(Role.KIOSK)
@idempotent
def parcel_report(public_id: UUID) -> ResponseReturnValue:
    """Freeze the parcel until staff has looked. A scanned label names the one that lay there instead."""
    try:
        problem = Problem(request.form.get("problem", Problem.NOT_MINE))
    except ValueError as error:
        raise BadInputError(field="problem") from error
    parcel = _mine(public_id)
    scanned = labels.numbers(request.form.get("code", ""))
    known = parcels.active(session(), principal().site, scanned) if scanned else []
    found = next((each for each in known if each.id != parcel.id), None)
    parcels.report_problem(session(), parcel, problem, actor=principal().actor, found=found)
    return _to(public_id)


def reload_if(is_stale: bool) -> ResponseReturnValue:  # noqa: FBT001 - the question itself
    """Answer a waiting page: load again, or nothing new."""
    return ("", 200, {"HX-Refresh": "true"}) if is_stale else ("", 204)


def show_waiting(waiting: list[WaitingParcel], way: str) -> ResponseReturnValue:
    """Lead to the parcels whose doors this visit may open from now on; `way` is how the right was shown."""
    visit[PICKUP] = {"ids": [each.id for each in waiting], "way": way, "at": clock.now().isoformat()}
    if not waiting:
        return render_template("kiosk/parcels/none.html")
    if len(waiting) == 1:
        return _to(waiting[0].public_id)
    return redirect(url_for("kiosk.parcel_list"), 303)


def _to(public_id: UUID) -> ResponseReturnValue:
    return redirect(url_for("kiosk.parcel_door", public_id=public_id), 303)


def _allowed() -> list[int]:
    """Return the parcels that this visit has shown the right to.

    Raises:
        PickupOverError: none, or more than five minutes ago.
    """
    shown = visit.get(PICKUP)
    if shown is None or not timedelta(0) <= clock.now() - datetime.fromisoformat(shown["at"]) <= SHOWN:
        raise PickupOverError
    return list(shown["ids"])


def _mine(public_id: UUID) -> Parcel:
    parcel = queries.parcel(session(), principal().site, public_id)
    if parcel.id not in _allowed():
        raise PickupOverError
    return parcel


def _door(parcel: Parcel) -> dict[str, object]:
    others = [each for each in queries.waiting_with(session(), parcel.id) if each.id in _allowed()]
    return {
        "parcel": parcel,
        "view": desk.door(session(), parcel),
        "columns": places.columns(session(), parcel.site_id),
        "others": [each for each in others if each.id != parcel.id],
    }


def _pad() -> str:
    return f"kiosk:{principal().kiosk_id}"


def _fact(reading: Session, site_id: int) -> str:
    waiting = queries.counts(reading, site_id).waiting
    if not waiting:
        return gettext("Collect or deliver")
    return ngettext("%(num)d parcel is waiting", "%(num)d parcels are waiting", waiting)


tiles.add(
    tiles.Tile(
        order=20,
        title=N_("Parcel"),
        icon="parcel",
        endpoint="kiosk.parcel_start",
        fact=_fact,
        topics=("parcel",),
        is_strong=True,
    )
)
