"""A receipt taken along on a phone: the code stands behind the `#` of the address, and so in no log of a server."""

from flask import Blueprint, flash, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import get_locale, gettext

from shop_hub.checkout import queries
from shop_hub.checkout.errors import UnknownReceiptError
from shop_hub.core.access import Role, access
from shop_hub.core.web import session

blueprint = Blueprint("receipts", __name__, template_folder="templates")


@blueprint.get("/R")
@blueprint.get("/r")
@access(Role.ANONYMOUS)
def find() -> ResponseReturnValue:
    """Ask for the code; the page's script takes it from the address and sends it at once."""
    return render_template("checkout/public_find.html")


@blueprint.post("/R")
@blueprint.post("/r")
@access(Role.ANONYMOUS)
def show() -> ResponseReturnValue:
    """Show the receipt whose code was sent; who holds the code may see it."""
    try:
        receipt = queries.receipt_by_scan(session(), request.form.get("code", "")[:300])
    except UnknownReceiptError as error:
        flash(gettext(error.message), "bad")
        return render_template("checkout/public_find.html"), error.status
    return render_template("checkout/public_receipt.html", receipt=receipt, language=str(get_locale() or "de")[:2])
