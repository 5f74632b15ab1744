"""Money paid into village accounts at the operator's desk."""

from uuid import UUID

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from shop_hub.backoffice import accounts
from shop_hub.backoffice.amounts import cents
from shop_hub.backoffice.views import blueprint
from shop_hub.core.access import Role, access, principal
from shop_hub.core.errors import NotFoundError
from shop_hub.core.idempotency import idempotent, request_key
from shop_hub.core.sites import Site
from shop_hub.core.web import session
from shop_hub.ledger import queries as ledger_queries
from shop_hub.ledger import service as ledger
from shop_hub.people import queries
from shop_hub.people.models import Person


@blueprint.post("/accounts/<uuid:public_id>/top-up")
@access(Role.OPERATOR)
@idempotent
def top_up(public_id: UUID) -> ResponseReturnValue:
    """Put money on a village account, once, and lead to the receipt."""
    person = _villager(public_id)
    source = request.form.get("source", "")
    if source not in accounts.SOURCES:
        raise NotFoundError(what="source")
    entry_id = ledger.top_up(
        session(),
        principal().site,
        person.id,
        cents(request.form.get("amount", "")),
        source=source,
        actor=principal().actor,
        ref=request_key(request),
    )
    return redirect(url_for("backoffice.top_up_receipt", public_id=public_id, entry_id=entry_id), 303)


@blueprint.get("/accounts/<uuid:public_id>/top-up/<int:entry_id>")
@access(Role.OPERATOR)
def top_up_receipt(public_id: UUID, entry_id: int) -> ResponseReturnValue:
    """Show the receipt of money paid in, to print."""
    person = _villager(public_id)
    key = ledger_queries.member_key(person.id)
    history = ledger_queries.history(session(), principal().site, key, limit=500)
    booked = next((move for move in history if move.entry_id == entry_id and move.kind == "top-up"), None)
    if booked is None:
        raise NotFoundError(what="receipt")
    source = dict(ledger_queries.postings(session(), entry_id))
    paid = next((_(label) for name, label in accounts.SOURCES.items() if name in source), "")
    site = session().get_one(Site, principal().site)
    return render_template("backoffice/top_up_receipt.html", person=person, booked=booked, paid=paid, site=site)


def _villager(public_id: UUID) -> Person:
    person = queries.person_by_public_id(session(), public_id)
    if person.home_site_id != principal().site:
        raise NotFoundError(what="person")
    return person
