"""Couriers on their own phone. The rotating code of the station proves that they stand there; badge and PIN say who."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from flask import Blueprint, flash, g, redirect, render_template, request, url_for
from flask import session as visit
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from shop_hub.core.access import Role, access, principal
from shop_hub.core.idempotency import idempotent
from shop_hub.core.tokens import Purpose, normalise
from shop_hub.core.web import hub, session
from shop_hub.lockers.models import Size
from shop_hub.parcels import courier_edge, desk, labels, queries, rules, station_code
from shop_hub.parcels.courier_edge import Next
from shop_hub.parcels.errors import StaleStationCodeError
from shop_hub.parcels.models import Channel
from shop_hub.people import service as people

blueprint = Blueprint("courier", __name__, url_prefix="/courier", template_folder="templates")

PAGES = {
    Next.DESK: "home",
    Next.RECIPIENT: "recipient",
    Next.SIZE: "size",
    Next.PIN: "home",
    Next.PLACE: "station_again",
}
SIGN_IN_WITHIN = timedelta(minutes=5)


@blueprint.get("/")
@access(Role.ANONYMOUS)
def home() -> ResponseReturnValue:
    """Show the desk; before that ask for the station's code, then for the badge."""
    g.needs_wasm = True
    if principal().has(Role.COURIER) and courier_edge.is_at_work():
        return render_template("parcels/courier/desk.html", **_desk())
    return render_template("parcels/courier/badge.html" if _is_here() else "parcels/courier/station.html")


@blueprint.post("/station")
@access(Role.ANONYMOUS)
def station() -> ResponseReturnValue:
    """Take the station's code of this minute."""
    return _arrive(request.form.get("code", "")[: labels.LONGEST_SCAN])


@blueprint.get("/station")
@access(Role.ANONYMOUS)
def station_again() -> ResponseReturnValue:
    """Ask for the station's code of this minute, also in the middle of the work."""
    g.needs_wasm = True
    return render_template("parcels/courier/station.html")


@blueprint.post("/badge")
@access(Role.ANONYMOUS)
def badge() -> ResponseReturnValue:
    """Take the badge and ask for its PIN."""
    if not _is_here():
        return _go(Next.DESK)
    text = request.form.get("code", "")[: labels.LONGEST_SCAN]
    people.identify_badge(session(), text)
    return render_template("parcels/courier/pin.html", badge=normalise(text))


@blueprint.get("/badge")
@blueprint.get("/pin")
@blueprint.get("/scan")
@access(Role.ANONYMOUS)
def again() -> ResponseReturnValue:
    """Lead back who loads an answer again."""
    return redirect(url_for("courier.home"))


@blueprint.post("/pin")
@access(Role.ANONYMOUS)
def pin() -> ResponseReturnValue:
    """Check the PIN and begin to work."""
    if not _is_here():
        return _go(Next.DESK)
    text, secret = request.form.get("badge", ""), request.form.get("pin", "")
    courier_edge.begin_with_pin(text, secret, Channel.PHONE, pad=f"phone:{request.remote_addr}")
    return _go(Next.DESK)


@blueprint.get("/news")
@access(Role.COURIER)
def news() -> ResponseReturnValue:
    """Have the desk load again if something has happened since it was made."""
    is_stale = _desk()["at"] != request.args.get("at")
    return ("", 200, {"HX-Refresh": "true"}) if is_stale else ("", 204)


@blueprint.post("/scan")
@access(Role.COURIER)
@idempotent
def scan() -> ResponseReturnValue:
    """Take a label from the camera or as typed."""
    code = request.form.get("code", "")[: labels.LONGEST_SCAN + 1]
    if normalise(code).startswith(Purpose.STATION):
        return _arrive(code)
    if normalise(code).startswith(Purpose.COURIER):
        return _go(Next.DESK)
    return _go(courier_edge.scan(code))


@blueprint.get("/recipient")
@access(Role.COURIER)
def recipient() -> ResponseReturnValue:
    """Ask whom an unannounced parcel is for."""
    text, label = request.args.get("q", ""), courier_edge.label()
    if label is None:
        return _go(Next.DESK)
    found = queries.recipients(session(), principal().site, text)
    return render_template("parcels/courier/recipient.html", people=found, q=text, label=label)


@blueprint.post("/recipient")
@access(Role.COURIER)
def recipient_chosen() -> ResponseReturnValue:
    """Note the recipient."""
    return _go(courier_edge.choose_recipient(request.form.get("person", "")))


@blueprint.get("/size")
@access(Role.COURIER)
def size() -> ResponseReturnValue:
    """Ask how large the parcel is."""
    if courier_edge.label() is None:
        return _go(Next.DESK)
    return render_template("parcels/courier/size.html", sizes=list(Size), found=courier_edge.sizes())


@blueprint.post("/size")
@access(Role.COURIER)
@idempotent
def size_chosen() -> ResponseReturnValue:
    """Open a door of this size."""
    return _go(courier_edge.choose_size(request.form.get("size", "")))


@blueprint.get("/list")
@access(Role.COURIER)
def todo() -> ResponseReturnValue:
    """List what is announced, what was put in, and what is to be taken back."""
    current = courier_edge.at_work()
    return render_template(
        "parcels/courier/list.html",
        to_bring=desk.to_bring(session(), current),
        to_take=desk.to_take(session(), current),
        done=[each for each in desk.desk(session(), current).done if each.may_undo],
    )


@blueprint.get("/<uuid:public_id>/unusable")
@access(Role.COURIER)
def unusable(public_id: UUID) -> ResponseReturnValue:
    """Ask what is wrong with the compartment."""
    return render_template("parcels/courier/unusable.html", parcel=courier_edge.parcel(public_id))


@blueprint.post("/<uuid:public_id>")
@access(Role.COURIER)
@idempotent
def act(public_id: UUID) -> ResponseReturnValue:
    """Do what the touched key says with a parcel."""
    return _go(courier_edge.act(courier_edge.parcel(public_id), request.form.get("act", "")))


@blueprint.post("/leave")
@access(Role.COURIER)
def leave() -> ResponseReturnValue:
    """End the courier's session."""
    courier_edge.leave()
    visit.pop(courier_edge.PLACE, None)
    flash(gettext("You are signed out. Have a good trip."), "good")
    return _go(Next.DESK)


def _go(next_: Next) -> ResponseReturnValue:
    return redirect(url_for(f"courier.{PAGES[next_]}"), 303)


def _arrive(code: str) -> ResponseReturnValue:
    try:
        courier_edge.arrive(station_code.station_of(session(), hub().hasher, code, rules.station_code_s()))
    except StaleStationCodeError as error:
        flash(gettext(error.message), "warning")
    return _go(Next.DESK)


def _is_here() -> bool:
    return courier_edge.is_here(SIGN_IN_WITHIN)


def _desk() -> dict[str, Any]:
    current = courier_edge.at_work()
    found = desk.desk(session(), current)
    return {"desk": found, "at": found.key, "courier": current.courier}
