"""Sales in the backoffice: the list, one sale with its receipt, undoing it, payments that nobody could settle."""

from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import get_locale, gettext

from shop_hub.checkout import cases, queries, rules, service, words
from shop_hub.checkout.errors import UndoNeedsManagerError
from shop_hub.checkout.models import Sale, SaleState
from shop_hub.core import menu
from shop_hub.core.access import Principal, Role, access, principal
from shop_hub.core.errors import N_, BadInputError, NotFoundError
from shop_hub.core.idempotency import idempotent
from shop_hub.core.web import session
from shop_hub.payments import queries as payments

PAGE = 50
_UNDO_LIMIT = rules.STAFF_UNDO_CENTS // 100
blueprint = Blueprint("checkout", __name__, url_prefix="/office/sales", template_folder="templates")


def _waiting(asking: Principal) -> int:
    return len(queries.in_review(session(), asking.site))


menu.add(
    menu.MenuItem(
        label=N_("Sales"), endpoint="checkout.index", icon="receipt", role=Role.VOLUNTEER, sort=20, badge=_waiting
    )
)


@blueprint.get("/")
@access(Role.VOLUNTEER)
def index() -> ResponseReturnValue:
    """Show the newest sales, those that need a decision first."""
    asking, before = principal(), _before()
    rows = queries.recent_sales(session(), asking.site, limit=PAGE + 1, before=before)
    return render_template(
        "checkout/index.html",
        rows=rows[:PAGE],
        cases=[] if before else queries.in_review(session(), asking.site),
        today=queries.sales_today(session(), asking.site),
        first=url_for("checkout.index") if before else None,
        following=url_for("checkout.index", before=rows[PAGE - 1].public_id) if len(rows) > PAGE else None,
        words=words,
    )


@blueprint.get("/<uuid:public_id>")
@access(Role.VOLUNTEER)
def sale(public_id: UUID) -> ResponseReturnValue:
    """Show one sale."""
    found = _own(public_id)
    return render_template(
        "checkout/sale.html",
        sale=found,
        receipt=queries.receipt(session(), public_id) if found.state is SaleState.DONE else None,
        intent=payments.of_sale(session(), found.id),
        case=cases.case_number(public_id),
        may_act=principal().has(Role.OPERATOR),
        may_undo=_may_undo(found),
        undo_limit=_UNDO_LIMIT,
        is_undoable=found.reverses_id is None and found.location_id is None,
        language=str(get_locale() or "de")[:2],
        words=words,
    )


@blueprint.post("/<uuid:public_id>/undo")
@access(Role.OPERATOR)
@idempotent
def undo(public_id: UUID) -> ResponseReturnValue:
    """Undo a purchase for the customer, later than the kiosk would; a large one takes a manager."""
    if not _may_undo(_own(public_id)):
        raise UndoNeedsManagerError(euros=_UNDO_LIMIT)
    reason = request.form.get("reason", "")
    undone = service.undo(session(), public_id, actor=principal().actor, is_staff=True, reason=reason)
    flash(gettext("The purchase is undone."), "good")
    return redirect(url_for("checkout.sale", public_id=undone.public_id), 303)


@blueprint.post("/<uuid:public_id>/decision")
@access(Role.OPERATOR)
@idempotent
def decide(public_id: UUID) -> ResponseReturnValue:
    """Take a person's decision about a payment that nobody could settle."""
    _own(public_id)
    answer = request.form.get("money")
    if answer not in {"kept", "returned"}:
        raise BadInputError(field="money")
    reason = request.form.get("reason", "")
    service.decide(session(), public_id, is_paid=answer == "kept", reason=reason, actor=principal().actor)
    flash(gettext("The decision is booked."), "good")
    return redirect(url_for("checkout.sale", public_id=public_id), 303)


def _own(public_id: UUID) -> Sale:
    found = queries.sale(session(), public_id)
    if found.site_id != principal().site:
        raise NotFoundError(what="sale")
    return found


def _may_undo(found: Sale) -> bool:
    return principal().has(Role.MANAGER) or found.total_cents <= rules.STAFF_UNDO_CENTS


def _before() -> UUID | None:
    try:
        return UUID(request.args["before"]) if "before" in request.args else None
    except ValueError:
        raise BadInputError(field="before") from None
