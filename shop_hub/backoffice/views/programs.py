"""API tokens: the access of programs (tills, carriers, monitors); for administrators."""

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from shop_hub.backoffice.views import blueprint
from shop_hub.core import audit, menu
from shop_hub.core.access import Role, access, principal
from shop_hub.core.errors import N_, BadInputError, ShopError
from shop_hub.core.menu import MenuItem
from shop_hub.core.web import hub, session
from shop_hub.people import queries, staff

menu.add(
    MenuItem(label=N_("Programs (API)"), endpoint="backoffice.programs", icon="link", role=Role.ADMINISTRATOR, sort=94)
)

LONGEST_LABEL = 60


@blueprint.get("/programs")
@access(Role.ADMINISTRATOR)
def programs() -> ResponseReturnValue:
    """List the programs that may call the API of this site."""
    return _list()


@blueprint.post("/programs")
@access(Role.ADMINISTRATOR)
def create_program() -> ResponseReturnValue:
    """Make a token and show it once."""
    longest = hub().settings.sessions.api_token_days
    form = request.form
    try:
        label = form.get("label", "").strip()[:LONGEST_LABEL]
        if not label:
            raise BadInputError(field="label")
        role = next((role for role in staff.API_ROLES if role.value == form.get("role")), Role.ANONYMOUS)
        carrier = queries.carrier_by_code(session(), form.get("carrier", "")) if role is Role.CARRIER else None
        token = staff.issue_api_token(
            session(),
            principal().site,
            role,
            label=label,
            days=min(max(form.get("days", longest, type=int), 1), longest),
            carrier_id=carrier.id if carrier else None,
        )
    except ShopError as refusal:
        return _list(error=_(refusal.message, **refusal.params)), refusal.status
    audit.record(
        session(), principal().site, principal().actor, "api-token-issued", f"token:{token.id}", role=role.value
    )
    return render_template("backoffice/token.html", label=label, text=token.text)


@blueprint.post("/programs/<int:token_id>/revoke")
@access(Role.ADMINISTRATOR)
def revoke_program(token_id: int) -> ResponseReturnValue:
    """End a program's access at once."""
    staff.revoke_api_token(session(), token_id, site_id=principal().site, actor=principal().actor)
    flash(_("The program has no access any more."), "good")
    return redirect(url_for("backoffice.programs"), 303)


def _list(error: str = "") -> str:
    return render_template(
        "backoffice/programs.html",
        tokens=queries.api_tokens(session(), principal().site),
        carrier_options=[(carrier.code, carrier.name) for carrier in queries.carriers(session())],
        longest_days=hub().settings.sessions.api_token_days,
        error=error,
    )
