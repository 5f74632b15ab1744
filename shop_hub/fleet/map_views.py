"""The map of the devices: every device where it stands, live; and the page on which the plan is arranged.

Arranging needs no script: each square is a button, and the arrows move what is chosen by one square.
"""

from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from shop_hub.core import menu
from shop_hub.core.access import Role, access, principal
from shop_hub.core.errors import N_, BadInputError
from shop_hub.core.web import session
from shop_hub.fleet import map_plan, map_reads, queries, words
from shop_hub.fleet.models import PLAN_COLUMNS, PLAN_ROWS
from shop_hub.people import principals

blueprint = Blueprint("map", __name__, url_prefix="/map")
menu.add(menu.MenuItem(label=N_("Device map"), endpoint="fleet.map.index", icon="pin", role=Role.VOLUNTEER, sort=79))


@blueprint.get("/")
@access(Role.VOLUNTEER)
def index() -> ResponseReturnValue:
    """Show the plan of the shop with its devices."""
    return render_template("fleet/map.html", **_plan(), sites=_sites())


@blueprint.get("/now")
@access(Role.VOLUNTEER)
def now() -> ResponseReturnValue:
    """Return the plan as it is at this moment."""
    return render_template("fleet/_map.html", **_plan())


@blueprint.get("/shops")
@access(Role.VOLUNTEER)
def shops() -> ResponseReturnValue:
    """Show all shops that the operator serves, small."""
    return render_template("fleet/map_shops.html", **_plans())


@blueprint.get("/shops/now")
@access(Role.VOLUNTEER)
def shops_now() -> ResponseReturnValue:
    """Return the shops as they are at this moment."""
    return render_template("fleet/_map_shops.html", **_plans())


@blueprint.get("/arrange")
@access(Role.OPERATOR)
def arrange() -> ResponseReturnValue:
    """Show the plan to arrange it; `thing` is the device or room that is chosen."""
    found = map_reads.plan(session(), principal().site)
    thing = request.args.get("thing", "")
    return render_template(
        "fleet/map_arrange.html",
        plan=found,
        spot=next((spot for spot in found.spots if str(spot.public_id) == thing), None),
        room=next((room for room in found.rooms if str(room.public_id) == thing), None),
        pressed=request.args.get("pressed", ""),
        columns=PLAN_COLUMNS,
        rows=PLAN_ROWS,
        words=words,
    )


@blueprint.post("/arrange/devices/<uuid:public_id>")
@access(Role.OPERATOR)
def place_device(public_id: UUID) -> ResponseReturnValue:
    """Put a device on a square, move it by one, or take it off the plan."""
    device, to, actor = queries.by_public_id(session(), principal().site, public_id), _to(), principal().actor
    if to == "off":
        map_plan.place(session(), device, None, actor=actor)
    elif to in map_plan.STEPS:
        map_plan.move(session(), device, to, actor=actor)
    else:
        map_plan.place(session(), device, _square(to), actor=actor)
    return _back(public_id, to)


@blueprint.post("/arrange/devices/<uuid:public_id>/name")
@access(Role.OPERATOR)
def name_device(public_id: UUID) -> ResponseReturnValue:
    """Name a device, and say where it stands."""
    device = queries.by_public_id(session(), principal().site, public_id)
    map_plan.name(
        session(), device, request.form.get("name", ""), request.form.get("place", ""), actor=principal().actor
    )
    flash(_("Saved."), "good")
    return _back(public_id)


@blueprint.post("/arrange/rooms")
@access(Role.OPERATOR)
def add_room() -> ResponseReturnValue:
    """Add a room, to be moved where it belongs."""
    new = map_plan.add_room(session(), principal().site, request.form.get("name", ""))
    return _back(new.public_id)


@blueprint.post("/arrange/rooms/<uuid:public_id>")
@access(Role.OPERATOR)
def place_room(public_id: UUID) -> ResponseReturnValue:
    """Move a room, change its size, or remove it."""
    room, to = map_plan.room(session(), principal().site, public_id), _to()
    if to == "off":
        map_plan.remove_room(session(), room)
        return redirect(url_for(".arrange"), 303)
    if to in map_plan.STEPS or to in map_plan.SIZES:
        map_plan.change_room(session(), room, to)
    else:
        map_plan.place_room(session(), room, _square(to))
    return _back(public_id, to)


@blueprint.post("/arrange/rooms/<uuid:public_id>/name")
@access(Role.OPERATOR)
def name_room(public_id: UUID) -> ResponseReturnValue:
    """Give a room another name."""
    map_plan.name_room(session(), map_plan.room(session(), principal().site, public_id), request.form.get("name", ""))
    flash(_("Saved."), "good")
    return _back(public_id)


def _to() -> str:
    return request.form.get("to", "")


def _square(text: str) -> map_plan.Square:
    try:
        column, row = (int(part) for part in text.split("-"))
    except ValueError:
        raise BadInputError(field="to") from None
    return column, row


def _back(thing: UUID, pressed: str = "") -> ResponseReturnValue:
    """Lead back to what is chosen: to the key that was pressed, which keeps the focus, else to the plan."""
    is_key = pressed in (map_plan.STEPS | map_plan.SIZES)
    anchor = "placing" if pressed and not is_key else None
    return redirect(url_for(".arrange", thing=thing, pressed=pressed if is_key else None, _anchor=anchor), 303)


def _sites() -> list[int]:
    operator = principals.current_operator()
    return [role.site_id for role in operator.roles] if operator is not None else [principal().site]


def _plan() -> dict[str, object]:
    return {
        "plan": map_reads.plan(session(), principal().site),
        "may_arrange": principal().has(Role.OPERATOR),
        "words": words,
    }


def _plans() -> dict[str, object]:
    return {"plans": map_reads.plans(session(), _sites()), "here": principal().site, "words": words}
