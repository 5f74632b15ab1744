"""Parcels in the backoffice: lists, one parcel's story, announcing, recipients, disputes, slips."""

from typing import Any
from uuid import UUID

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from shop_hub.core import qr
from shop_hub.core.access import Role, access, principal
from shop_hub.core.db import paused
from shop_hub.core.errors import BadInputError, ShopError
from shop_hub.core.idempotency import idempotent
from shop_hub.core.web import hub, session
from shop_hub.lockers.models import Size, Zone
from shop_hub.parcels import credentials, mails, office, queries, station_pages
from shop_hub.parcels import service as parcels
from shop_hub.parcels.credentials import COLLECTABLE
from shop_hub.parcels.errors import ParcelChangedError
from shop_hub.parcels.models import FINAL, Parcel, ParcelState
from shop_hub.parcels.office import blueprint
from shop_hub.parcels.service import NewParcel, Outcome
from shop_hub.people import queries as people
from shop_hub.people.models import Person

__all__ = ["blueprint", "station_pages"]

PER_PAGE = 30
GROUPS: dict[str, tuple[ParcelState, ...]] = {
    "here": (ParcelState.READY, ParcelState.COLLECTING, ParcelState.DEPOSITING, ParcelState.DISPUTED,
             ParcelState.EXPIRED, ParcelState.RETURNING),
    "announced": (ParcelState.ANNOUNCED,),
    "late": (ParcelState.EXPIRED, ParcelState.RETURNING),
    "disputed": (ParcelState.DISPUTED,),
    "gone": FINAL,
    "all": (),
}  # fmt: skip


@blueprint.get("/")
@access(Role.VOLUNTEER)
def index() -> ResponseReturnValue:
    """List parcels."""
    group, text = request.args.get("group", "here"), request.args.get("q", "")
    states = GROUPS.get(group, GROUPS["here"])
    page = max(1, request.args.get("page", 1, type=int))
    site_id = principal().site
    total = queries.count(session(), site_id, states=states, text=text)
    rows = queries.rows(session(), site_id, states=states, text=text, limit=PER_PAGE, offset=(page - 1) * PER_PAGE)
    return render_template(
        "parcels/office/index.html",
        rows=rows,
        total=total,
        page=page,
        pages=-(-total // PER_PAGE) or 1,
        group=group,
        q=text,
        counts=queries.counts(session(), site_id),
        office=office,
    )


@blueprint.get("/<uuid:public_id>")
@access(Role.VOLUNTEER)
def parcel(public_id: UUID) -> ResponseReturnValue:
    """Show a parcel and its story."""
    found = _parcel(public_id)
    text = request.args.get("q", "")
    return render_template(
        "parcels/office/parcel.html",
        parcel=found,
        number=queries.door_number(session(), found),
        history=queries.history(session(), found.id),
        people=queries.recipients(session(), principal().site, text) if text else [],
        q=text,
        outcomes=list(Outcome),
        is_final=found.state in FINAL,
        is_here=found.state in COLLECTABLE,
        office=office,
    )


@blueprint.get("/announce")
@access(Role.OPERATOR)
def announce_form() -> ResponseReturnValue:
    """Show the form for a parcel that will come."""
    return render_template("parcels/office/announce.html", **_announce_page(request.args, None))


@blueprint.post("/announce")
@access(Role.OPERATOR)
@idempotent
def announce() -> ResponseReturnValue:
    """Enter a parcel that will come."""
    form = request.form
    carrier = people.carrier_by_code(session(), form.get("carrier", ""))
    if carrier is None:
        raise BadInputError(field="carrier")
    new = NewParcel(
        carrier_id=carrier.id,
        number=form.get("number", ""),
        recipient_name=form.get("recipient_name", "").strip()[:120],
        size=Size(form["size"]) if form.get("size") in set(Size) else None,
        zone=Zone(form["zone"]) if form.get("zone") in set(Zone) else Zone.AMBIENT,
        sender=form.get("sender", "").strip()[:120],
    )
    try:
        with session().begin_nested():
            made = parcels.announce(session(), principal().site, new, actor=principal().actor)
    except ShopError as error:
        return render_template("parcels/office/announce.html", **_announce_page(form, error)), error.status
    flash(gettext("The parcel is announced."), "good")
    return _to(made)


@blueprint.post("/<uuid:public_id>/assign")
@access(Role.OPERATOR)
@idempotent
def assign(public_id: UUID) -> ResponseReturnValue:
    """Say whom a parcel belongs to."""
    found = _parcel(public_id)
    person = session().query(Person).filter_by(public_id=_uuid(request.form.get("person", ""))).one_or_none()
    if person is None:
        raise BadInputError(field="person")
    parcels.assign(session(), found, person.id, actor=principal().actor)
    flash(gettext("The recipient is set and will be told."), "good")
    return _to(found)


@blueprint.post("/<uuid:public_id>/hold")
@access(Role.OPERATOR)
@idempotent
def hold(public_id: UUID) -> ResponseReturnValue:
    """Forbid to move a parcel, or allow it again."""
    found = _parcel(public_id)
    parcels.hold(session(), found, request.form.get("reason", "")[:200], actor=principal().actor)
    return _to(found)


@blueprint.post("/<uuid:public_id>/extend")
@access(Role.OPERATOR)
@idempotent
def extend(public_id: UUID) -> ResponseReturnValue:
    """Keep a parcel longer."""
    found = _parcel(public_id)
    parcels.extend(session(), found, actor=principal().actor, by_staff=True)
    flash(gettext("The parcel is kept three days longer."), "good")
    return _to(found)


@blueprint.post("/<uuid:public_id>/cancel")
@access(Role.OPERATOR)
@idempotent
def cancel(public_id: UUID) -> ResponseReturnValue:
    """Take back an announcement."""
    return _to(parcels.cancel(session(), _parcel(public_id), actor=principal().actor))


@blueprint.post("/<uuid:public_id>/return")
@access(Role.OPERATOR)
@idempotent
def send_back(public_id: UUID) -> ResponseReturnValue:
    """Give a waiting parcel to the next courier of its carrier."""
    return _to(parcels.refuse(session(), _parcel(public_id), actor=principal().actor))


@blueprint.post("/<uuid:public_id>/resolve")
@access(Role.OPERATOR)
@idempotent
def resolve(public_id: UUID) -> ResponseReturnValue:
    """End a dispute."""
    found = _parcel(public_id)
    outcome = request.form.get("outcome", "")
    if outcome not in set(Outcome):
        raise BadInputError(field="outcome")
    reason = request.form.get("reason", "")[:500]
    parcels.resolve(session(), found, Outcome(outcome), actor=principal().actor, reason=reason)
    flash(gettext("Solved."), "good")
    return _to(found)


@blueprint.get("/slips")
@access(Role.OPERATOR)
def slips() -> ResponseReturnValue:
    """List waiting parcels whose recipient has no mail and got no slip yet."""
    rows = queries.without_slip(session(), principal().site)
    return render_template("parcels/office/slips.html", rows=rows, office=office)


@blueprint.post("/<uuid:public_id>/slip")
@access(Role.OPERATOR)
def slip(public_id: UUID) -> ResponseReturnValue:
    """Make a new code and show the slip once, for the browser's printer. Not repeatable: the answer holds a secret."""
    found = _parcel(public_id)
    with paused(session()):
        code = credentials.make_code(hub().hasher, found.id)
    session().refresh(found, with_for_update={"of": Parcel})
    if found.state not in COLLECTABLE:
        raise ParcelChangedError
    letter = mails.issue(hub(), session(), found, code)
    mails.note_slip(session(), found, actor=principal().actor)
    picture = qr.svg(letter.link, label=gettext("Pick-up code"))
    return render_template("parcels/office/slip.html", letter=letter, qr=picture)


def _parcel(public_id: UUID) -> Parcel:
    return queries.parcel(session(), principal().site, public_id)


def _to(parcel: Parcel) -> ResponseReturnValue:
    return redirect(url_for("parcels.parcel", public_id=parcel.public_id), 303)


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise BadInputError(field="person") from error


def _announce_page(values: Any, error: ShopError | None) -> dict[str, Any]:
    carriers = [(carrier.code, carrier.name) for carrier in people.carriers(session())]
    message = gettext(error.message, **error.params) if error is not None else ""
    return {"values": values, "carriers": carriers, "sizes": list(Size), "zones": list(Zone), "error": message}
