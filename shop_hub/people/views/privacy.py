"""One person's data: give out, erase; for managers."""

import json
from uuid import UUID

from flask import Response, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from shop_hub.core import audit
from shop_hub.core.access import Role, access, principal
from shop_hub.core.errors import BadInputError, ShopError
from shop_hub.core.web import session
from shop_hub.people import privacy
from shop_hub.people.views import blueprint
from shop_hub.people.views.people import villager


@blueprint.get("/<uuid:public_id>/data")
@access(Role.MANAGER)
def data(public_id: UUID) -> ResponseReturnValue:
    """Explain what is kept and offer the two ways."""
    return render_template("people/data.html", person=villager(public_id), error="")


@blueprint.post("/<uuid:public_id>/export")
@access(Role.MANAGER)
def export(public_id: UUID) -> ResponseReturnValue:
    """Give out everything that is kept of a person, as a JSON file."""
    person = villager(public_id)
    exported = privacy.export_person(session(), person.id)
    audit.record(session(), principal().site, principal().actor, "person-exported", f"person:{person.id}")
    response = Response(json.dumps(exported, ensure_ascii=False, indent=1), mimetype="application/json")
    response.headers["Content-Disposition"] = f'attachment; filename="person-{person.id}.json"'
    return response


@blueprint.post("/<uuid:public_id>/erase")
@access(Role.MANAGER)
def erase(public_id: UUID) -> ResponseReturnValue:
    """Erase a person; the last name typed once more protects against a slip."""
    person = villager(public_id)
    if request.form.get("last_name", "").strip().casefold() != person.last_name.casefold():
        error = _("This is not the last name. Nothing was erased.")
        return render_template("people/data.html", person=person, error=error), BadInputError.status
    try:
        privacy.erase_person(session(), person.id, actor=principal().actor)
    except ShopError as refusal:
        error = _(refusal.message, **refusal.params)
        return render_template("people/data.html", person=person, error=error), refusal.status
    flash(_("The person was erased. Receipts and sums stay, without name."), "good")
    return redirect(url_for("people.index"), 303)
