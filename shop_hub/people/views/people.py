"""Villagers: list, detail, enter, change, block, PIN."""

from dataclasses import asdict
from uuid import UUID

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from shop_hub.core import audit, menu
from shop_hub.core.access import Role, access, principal
from shop_hub.core.errors import N_, NotFoundError, ShopError
from shop_hub.core.menu import MenuItem
from shop_hub.core.web import hub, session
from shop_hub.people import queries, service
from shop_hub.people.forms import new_person
from shop_hub.people.models import Person
from shop_hub.people.views import blueprint

menu.add(MenuItem(label=N_("People"), endpoint="people.index", icon="people", role=Role.OPERATOR, sort=60))

PAGE = 25


@blueprint.get("/")
@access(Role.OPERATOR)
def index() -> ResponseReturnValue:
    """List villagers, found by name or address."""
    text = request.args.get("q", "")[:80]
    page = max(1, request.args.get("page", 1, type=int))
    total = queries.count_people(session(), principal().site, text)
    pages = max(1, -(-total // PAGE))
    page = min(page, pages)
    found = queries.find_people(session(), principal().site, text, limit=PAGE, offset=(page - 1) * PAGE)
    live = queries.live_cards(session(), [person.id for person in found])
    return render_template("people/index.html", people=found, live=live, q=text, page=page, pages=pages, total=total)


@blueprint.get("/new")
@access(Role.OPERATOR)
def new() -> ResponseReturnValue:
    """Show an empty form."""
    return render_template("people/form.html", person=None, values={"age_level": 0, "notify": "kiosk"}, error="")


@blueprint.post("/new")
@access(Role.OPERATOR)
def create() -> ResponseReturnValue:
    """Enter a villager."""
    try:
        person = service.create_person(session(), new_person(request.form, principal().site), actor=principal().actor)
    except ShopError as refusal:
        error = _(refusal.message, **refusal.params)
        return render_template("people/form.html", person=None, values=request.form, error=error), refusal.status
    flash(_("%(name)s was entered. Now the card and the PIN.", name=person.name), "good")
    return redirect(url_for("people.show", public_id=person.public_id), 303)


@blueprint.get("/<uuid:public_id>")
@access(Role.OPERATOR)
def show(public_id: UUID) -> ResponseReturnValue:
    """Show a villager with cards and account."""
    person = villager(public_id)
    return render_template("people/show.html", person=person, cards=queries.cards(session(), person.id))


@blueprint.get("/<uuid:public_id>/edit")
@access(Role.OPERATOR)
def edit(public_id: UUID) -> ResponseReturnValue:
    """Show the form with what is known."""
    person = villager(public_id)
    values = {name: getattr(person, name) for name in service.NewPerson.__dataclass_fields__}
    return render_template("people/form.html", person=person, values=values, error="")


@blueprint.post("/<uuid:public_id>/edit")
@access(Role.OPERATOR)
def change(public_id: UUID) -> ResponseReturnValue:
    """Change a villager."""
    person = villager(public_id)
    changes = asdict(new_person(request.form, person.home_site_id))
    try:
        service.change_person(session(), person.id, changes, actor=principal().actor)
    except ShopError as refusal:
        error = _(refusal.message, **refusal.params)
        return render_template("people/form.html", person=person, values=request.form, error=error), refusal.status
    flash(_("The changes are saved."), "good")
    return redirect(url_for("people.show", public_id=public_id), 303)


@blueprint.post("/<uuid:public_id>/block")
@access(Role.OPERATOR)
def block(public_id: UUID) -> ResponseReturnValue:
    """Block a villager with all cards at once, or open again."""
    is_blocked = request.form.get("is_blocked") == "1"
    service.change_person(session(), villager(public_id).id, {"is_blocked": is_blocked}, actor=principal().actor)
    flash(_("All cards of this person are blocked.") if is_blocked else _("The cards work again."), "good")
    return redirect(url_for("people.show", public_id=public_id), 303)


@blueprint.post("/<uuid:public_id>/pin")
@access(Role.OPERATOR)
def set_pin(public_id: UUID) -> ResponseReturnValue:
    """Set a new PIN, typed by the villager."""
    person = villager(public_id)
    service.set_pin(session(), hub().hasher, person.id, request.form.get("pin", ""))
    audit.record(session(), principal().site, principal().actor, "pin-set", f"person:{person.id}")
    flash(_("The new PIN works from now on."), "good")
    return redirect(url_for("people.show", public_id=public_id), 303)


def villager(public_id: UUID) -> Person:
    """Return a villager of the operator's site.

    Raises:
        NotFoundError: no such person here.
    """
    person = queries.person_by_public_id(session(), public_id)
    if person.home_site_id != principal().site:
        raise NotFoundError(what="person")
    return person
