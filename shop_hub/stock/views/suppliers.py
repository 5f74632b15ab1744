"""Suppliers."""

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from shop_hub.core.access import Role, access, principal
from shop_hub.core.errors import ShopError
from shop_hub.core.web import session
from shop_hub.stock import queries, receipts
from shop_hub.stock.views import blueprint


@blueprint.get("/suppliers")
@access(Role.VOLUNTEER)
def suppliers() -> ResponseReturnValue:
    """List suppliers."""
    return render_template("stock/suppliers.html", suppliers=queries.suppliers(session()))


@blueprint.post("/suppliers")
@access(Role.OPERATOR)
def add_supplier() -> ResponseReturnValue:
    """Enter a supplier."""
    form = request.form
    try:
        receipts.add_supplier(
            session(),
            form.get("name", ""),
            email=form.get("email", ""),
            phone=form.get("phone", ""),
            site_id=principal().site,
            actor=principal().actor,
        )
    except ShopError as refusal:
        flash(_(refusal.message), "bad")
    else:
        flash(_("The supplier is entered."), "good")
    return redirect(url_for("stock.suppliers"), 303)
