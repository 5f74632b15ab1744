"""Operators and their roles; for administrators."""

from uuid import UUID

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from shop_hub.backoffice.views import blueprint
from shop_hub.core import menu
from shop_hub.core.access import STAFF, Role, access, principal
from shop_hub.core.errors import N_, NotFoundError, ShopError
from shop_hub.core.menu import MenuItem
from shop_hub.core.web import hub, session
from shop_hub.people import queries, staff
from shop_hub.people.models import Operator

menu.add(MenuItem(label=N_("Staff"), endpoint="backoffice.operators", icon="key", role=Role.ADMINISTRATOR, sort=91))

ROLE_NAMES = {
    Role.VOLUNTEER: N_("Volunteer"),
    Role.OPERATOR: N_("Operator"),
    Role.MANAGER: N_("Manager"),
    Role.ADMINISTRATOR: N_("Administrator"),
}
ROLE_HINTS = {
    Role.VOLUNTEER: N_("Sees the day's work and does tasks."),
    Role.OPERATOR: N_("Also sells, receives goods, helps people with cards and parcels, approves notices."),
    Role.MANAGER: N_("Also sets prices, refunds, looks after carriers and reads the audit trail."),
    Role.ADMINISTRATOR: N_("Also looks after staff, kiosks, devices and programs."),
}


@blueprint.get("/staff")
@access(Role.ADMINISTRATOR)
def operators() -> ResponseReturnValue:
    """List who works at this site."""
    return _list(queries.operators(session(), principal().site))


@blueprint.post("/staff")
@access(Role.ADMINISTRATOR)
def create_operator() -> ResponseReturnValue:
    """Enter an operator with a role here, and show the one-time code for the first password."""
    names = ("user_name", "first_name", "last_name", "email", "language")
    values = {name: request.form.get(name, "").strip() for name in names}
    try:
        role = _role(request.form.get("role", ""))
        operator = staff.create_operator(session(), staff.NewOperator(**values))
        staff.set_role(session(), operator.id, principal().site, role, actor=principal().actor)
    except ShopError as refusal:
        error = _(refusal.message, **refusal.params)
        return _list(queries.operators(session(), principal().site), values=values, error=error), refusal.status
    return _show_code(operator)


@blueprint.post("/staff/<uuid:public_id>/role")
@access(Role.ADMINISTRATOR)
def set_operator_role(public_id: UUID) -> ResponseReturnValue:
    """Change the role at this site, or take it away."""
    operator = _operator(public_id)
    text = request.form.get("role", "")
    role = _role(text) if text else None
    staff.set_role(session(), operator.id, principal().site, role, actor=principal().actor)
    flash(_("The role was changed."), "good")
    return redirect(url_for("backoffice.operators"), 303)


@blueprint.post("/staff/<uuid:public_id>/block")
@access(Role.ADMINISTRATOR)
def block_operator(public_id: UUID) -> ResponseReturnValue:
    """Lock an operator out at once, or let the operator in again."""
    operator = _whole_operator(public_id)
    is_blocked = request.form.get("is_blocked") == "1"
    staff.block_operator(
        session(), operator.id, is_blocked=is_blocked, site_id=principal().site, actor=principal().actor
    )
    flash(_("The account is blocked.") if is_blocked else _("The account is open again."), "good")
    return redirect(url_for("backoffice.operators"), 303)


@blueprint.post("/staff/<uuid:public_id>/code")
@access(Role.ADMINISTRATOR)
def issue_code(public_id: UUID) -> ResponseReturnValue:
    """Make a one-time code for a new password and show it once."""
    return _show_code(_whole_operator(public_id))


def _list(found: list[Operator], *, values: dict[str, str] | None = None, error: str = "") -> str:
    here = principal().site
    mine = staff.manageable(session(), found, by=principal().operator_id or 0)
    rows = [(operator, operator.role_at(here), operator.id in mine) for operator in found]
    roles = [(role.value, _(ROLE_NAMES[role]), _(ROLE_HINTS[role])) for role in STAFF]
    options = [(value, label) for value, label, _hint in roles]
    return render_template(
        "backoffice/operators.html", rows=rows, roles=roles, role_options=options, values=values or {}, error=error
    )


def _show_code(operator: Operator) -> str:
    code = staff.issue_reset(session(), operator.id, site_id=principal().site, actor=principal().actor)
    address = (hub().settings.http.public_url or request.host_url.rstrip("/")) + url_for("backoffice.new_password")
    return render_template("backoffice/one_time_code.html", operator=operator, code=code.text, address=address)


def _operator(public_id: UUID) -> Operator:
    operator = queries.operator_by_public_id(session(), public_id)
    if operator is None or operator.role_at(principal().site) is None:
        raise NotFoundError(what="operator")
    return operator


def _whole_operator(public_id: UUID) -> Operator:
    """Return an operator whose account is this administrator's to manage, and not only the role here."""
    operator = _operator(public_id)
    staff.check_may_manage(session(), operator, by=principal().operator_id or 0)
    return operator


def _role(text: str) -> Role:
    role = next((role for role in STAFF if role.value == text), None)
    if role is None:
        raise NotFoundError(what="role")
    return role
