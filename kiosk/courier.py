"""Couriers at the kiosk: badge, label, door, next label."""

from typing import Any
from uuid import UUID

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from kiosk.blueprint import blueprint
from kiosk.parcels import reload_if
from shop_hub.core import qr
from shop_hub.core.access import Role, access, principal
from shop_hub.core.idempotency import idempotent
from shop_hub.core.tokens import Purpose, normalise
from shop_hub.core.web import hub, session
from shop_hub.lockers import queries as lockers
from shop_hub.lockers.models import Size
from shop_hub.parcels import courier_edge, desk, labels, places, queries, rules, station_code
from shop_hub.parcels.courier_edge import Next
from shop_hub.parcels.models import Channel
from shop_hub.people import service as people
from shop_hub.people.errors import WrongPinError

PAGES = {
    Next.DESK: "courier",
    Next.RECIPIENT: "courier_recipient",
    Next.SIZE: "courier_size",
    Next.PIN: "courier_take",
    Next.PLACE: "courier",
}


@blueprint.get("/courier")
@access(Role.KIOSK)
def courier() -> ResponseReturnValue:
    """Show the courier's desk, or how to sign in."""
    if not (principal().has(Role.COURIER) and courier_edge.is_at_work()):
        return render_template("kiosk/courier/sign_in.html", **_station_code())
    return render_template("kiosk/courier/desk.html", **_desk())


@blueprint.get("/courier/news")
@access(Role.COURIER)
def courier_news() -> ResponseReturnValue:
    """Have the desk load again if something has happened since it was made."""
    return reload_if(_desk()["at"] != request.args.get("at"))


@blueprint.get("/courier/station-code")
@access(Role.KIOSK)
def courier_station_code() -> ResponseReturnValue:
    """Return the station's QR code of this minute."""
    return render_template("kiosk/courier/_station_code.html", **_station_code())


@blueprint.post("/courier/scan")
@access(Role.KIOSK)
@idempotent
def courier_scan() -> ResponseReturnValue:
    """Take a badge or a parcel label."""
    code = request.form.get("code", "")[: labels.LONGEST_SCAN + 1]
    if normalise(code).startswith(Purpose.COURIER):
        courier_edge.begin(code, Channel.KIOSK)
        return _go(Next.DESK)
    if not principal().has(Role.COURIER):
        flash(gettext("Please show your badge first."), "warning")
        return _go(Next.DESK)
    return _go(courier_edge.scan(code))


@blueprint.get("/courier/recipient")
@access(Role.COURIER)
def courier_recipient() -> ResponseReturnValue:
    """Ask whom an unannounced parcel is for: people of the village who take parcels in the station."""
    text = request.args.get("q", "")
    found = queries.recipients(session(), principal().site, text)
    label = courier_edge.label()
    if label is None:
        return _go(Next.DESK)
    return render_template("kiosk/courier/recipient.html", people=found, q=text, label=label)


@blueprint.post("/courier/recipient")
@access(Role.COURIER)
def courier_recipient_chosen() -> ResponseReturnValue:
    """Note the recipient."""
    return _go(courier_edge.choose_recipient(request.form.get("person", "")))


@blueprint.get("/courier/size")
@access(Role.COURIER)
def courier_size() -> ResponseReturnValue:
    """Ask how large the parcel is."""
    if courier_edge.label() is None:
        return _go(Next.DESK)
    return render_template("kiosk/courier/size.html", sizes=list(Size), found=courier_edge.sizes())


@blueprint.post("/courier/size")
@access(Role.COURIER)
@idempotent
def courier_size_chosen() -> ResponseReturnValue:
    """Open a door of this size."""
    return _go(courier_edge.choose_size(request.form.get("size", "")))


@blueprint.get("/courier/<uuid:public_id>/unusable")
@access(Role.COURIER)
def courier_unusable(public_id: UUID) -> ResponseReturnValue:
    """Ask what is wrong with the compartment."""
    return render_template("kiosk/courier/unusable.html", parcel=courier_edge.parcel(public_id))


@blueprint.post("/courier/<uuid:public_id>")
@access(Role.COURIER)
@idempotent
def courier_act(public_id: UUID) -> ResponseReturnValue:
    """Do what the touched key says with a parcel."""
    return _go(courier_edge.act(courier_edge.parcel(public_id), request.form.get("act", "")))


@blueprint.get("/courier/done")
@access(Role.COURIER)
def courier_done() -> ResponseReturnValue:
    """List what was put in, each with a way to take it out again."""
    return render_template("kiosk/courier/done.html", **_desk())


@blueprint.get("/courier/take")
@access(Role.COURIER)
def courier_take() -> ResponseReturnValue:
    """List what is to be taken back; asks for badge and PIN first."""
    if not courier_edge.has_pin():
        return render_template("kiosk/courier/show_badge.html")
    found = desk.to_take(session(), courier_edge.at_work())
    return render_template("kiosk/courier/take.html", parcels=found)


@blueprint.get("/courier/scan")
@blueprint.get("/courier/take/badge")
@blueprint.get("/courier/take/pin")
@access(Role.KIOSK)
def courier_again() -> ResponseReturnValue:
    """Lead back to the desk who loads an answer again, e.g. in another language."""
    return redirect(url_for("kiosk.courier"))


@blueprint.post("/courier/take/badge")
@access(Role.COURIER)
def courier_take_badge() -> ResponseReturnValue:
    """Take the badge once more and ask for its PIN."""
    badge = request.form.get("code", "")
    people.identify_badge(session(), badge)
    return render_template("kiosk/courier/pin.html", badge=normalise(badge))


@blueprint.post("/courier/take/pin")
@access(Role.COURIER)
def courier_take_pin() -> ResponseReturnValue:
    """Check the PIN."""
    badge, pin = request.form.get("badge", ""), request.form.get("pin", "")
    try:
        courier_edge.begin_with_pin(badge, pin, Channel.KIOSK, pad=f"kiosk:{principal().kiosk_id}")
    except WrongPinError as error:
        flash(gettext(error.message), "bad")
        return render_template("kiosk/courier/pin.html", badge=badge), error.status
    return redirect(url_for("kiosk.courier_take"), 303)


@blueprint.post("/courier/leave")
@access(Role.COURIER)
def courier_leave() -> ResponseReturnValue:
    """End the courier's session."""
    courier_edge.leave()
    return redirect(url_for("kiosk.home"), 303)


def _go(next_: Next) -> ResponseReturnValue:
    return redirect(url_for(f"kiosk.{PAGES[next_]}"), 303)


def _desk() -> dict[str, Any]:
    current = courier_edge.at_work()
    found = desk.desk(session(), current)
    return {
        "desk": found,
        "at": found.key,
        "courier": current.courier,
        "label": courier_edge.label(),
        "columns": places.columns(session(), current.site_id),
    }


def _station_code() -> dict[str, Any]:
    locker = lockers.station_of(session(), principal().site)
    code = station_code.current(hub().hasher, locker, rules.station_code_s())
    base = hub().settings.http.public_url.rstrip("/") or request.host_url.rstrip("/")
    label = gettext("Code for the courier's phone")
    return {"code": qr.svg(f"{base}/courier/#{code.text}", label=label), "seconds": code.seconds_left}
