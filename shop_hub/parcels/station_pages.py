"""The parcel station in the backoffice: its doors, what lies behind them, and what staff may do."""

from typing import Any
from uuid import UUID

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from shop_hub.core.access import Role, access, principal
from shop_hub.core.errors import BadInputError
from shop_hub.core.idempotency import idempotent
from shop_hub.core.web import session
from shop_hub.lockers import queries as lockers
from shop_hub.lockers import service as locker_service
from shop_hub.lockers.models import Allocation, Compartment, Service
from shop_hub.lockers.queries import DoorView, StationView
from shop_hub.parcels import office, queries
from shop_hub.parcels import service as parcels
from shop_hub.parcels.office import blueprint


@blueprint.get("/station")
@access(Role.VOLUNTEER)
def station() -> ResponseReturnValue:
    """Show the station's front with the state of each door."""
    return render_template("parcels/office/station.html", **_station())


@blueprint.get("/station/front")
@access(Role.VOLUNTEER)
def station_front() -> ResponseReturnValue:
    """Return the part of the page that follows the doors."""
    return render_template("parcels/office/_station.html", **_station())


@blueprint.get("/station/<uuid:public_id>")
@access(Role.VOLUNTEER)
def compartment(public_id: UUID) -> ResponseReturnValue:
    """Show one compartment: its state, its last openings, what may be done."""
    found = _compartment(public_id)
    return render_template(
        "parcels/office/compartment.html",
        compartment=found,
        parcel=queries.behind(session(), [found.id]).get(found.id),
        openings=lockers.openings_of(session(), found.id),
        services=list(Service),
        office=office,
    )


@blueprint.post("/station/<uuid:public_id>/open")
@access(Role.OPERATOR)
@idempotent
def open_door(public_id: UUID) -> ResponseReturnValue:
    """Open a door, for a reason."""
    found = _compartment(public_id)
    parcels.open_door(session(), found, actor=principal().actor, reason=request.form.get("reason", "")[:500])
    flash(
        gettext("Door %(number)s was asked to open. Its state below follows the sensor.", number=found.number), "info"
    )
    return _to(found)


@blueprint.post("/station/<uuid:public_id>/inspect")
@access(Role.OPERATOR)
@idempotent
def inspect(public_id: UUID) -> ResponseReturnValue:
    """Say what was seen inside a compartment."""
    found = _compartment(public_id)
    if request.form.get("empty") not in {"yes", "no"}:
        raise BadInputError(field="empty")
    is_empty = request.form["empty"] == "yes"
    locker_service.inspect(session(), found.id, actor=principal().actor, is_empty=is_empty)
    return _to(found)


@blueprint.post("/station/<uuid:public_id>/service")
@access(Role.OPERATOR)
@idempotent
def set_service(public_id: UUID) -> ResponseReturnValue:
    """Take a compartment out of service or put it back."""
    found = _compartment(public_id)
    wanted = request.form.get("service", "")
    if wanted not in set(Service):
        raise BadInputError(field="service")
    reason = request.form.get("reason", "")[:200]
    locker_service.set_service(session(), found.id, Service(wanted), reason=reason, actor=principal().actor)
    return _to(found)


def _compartment(public_id: UUID) -> Compartment:
    return lockers.compartment(session(), principal().site, public_id)


def _to(found: Compartment) -> ResponseReturnValue:
    return redirect(url_for("parcels.compartment", public_id=found.public_id), 303)


def _station() -> dict[str, Any]:
    locker = lockers.station_of(session(), principal().site)
    view = lockers.station(session(), locker.id)
    behind = queries.behind(session(), [door.id for door in view.doors])
    return {"station": view, "columns": _columns(view), "behind": behind, "office": office}


def _columns(view: StationView) -> list[list[dict[str, str]]]:
    return [
        [
            {
                "label": str(door.number),
                "size": door.size.lower(),
                "state": _state(door),
                "title": gettext(office.ALLOCATIONS[door.allocation]),
                "href": url_for("parcels.compartment", public_id=door.public_id),
            }
            for door in column
        ]
        for column in view.columns
    ]


def _state(door: DoorView) -> str:
    if door.allocation is Allocation.SUSPECT or door.service is not Service.IN_SERVICE:
        return "out"
    return "free" if door.is_usable else "taken"
