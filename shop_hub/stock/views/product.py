"""The stock of one product: count it, take spoilt pieces out, see where it went."""

from uuid import UUID

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from shop_hub.catalog import listing as products
from shop_hub.catalog.models import Product
from shop_hub.core import clock, typed
from shop_hub.core.access import Role, access, principal
from shop_hub.core.errors import ShopError
from shop_hub.core.formats import quantity
from shop_hub.core.idempotency import idempotent
from shop_hub.core.sites import Site
from shop_hub.core.web import session
from shop_hub.stock import forms, queries, service
from shop_hub.stock.views import blueprint

MINUS = "\N{MINUS SIGN}"


@blueprint.get("/products/<uuid:public_id>")
@access(Role.VOLUNTEER)
def product(public_id: UUID) -> ResponseReturnValue:
    """Show what is there, of which lots, and the last moves."""
    found, here = products.product(session(), public_id), principal().site
    return render_template(
        "stock/product.html",
        product=found,
        unit="" if found.unit == "piece" else found.unit.value,
        places=queries.places(session(), here, found.id),
        shelf_milli=queries.shelf_level(session(), here, found.id),
        lots=queries.lots(session(), here, found.id),
        moves=queries.moves(session(), here, found.id),
        wanted=queries.wanted(session(), here, found.id),
        today=clock.today(session().get_one(Site, here).timezone),
        reasons=forms.REASONS,
        count_reasons=[(reason.value, _(text)) for reason, text in forms.COUNT_REASONS.items()],
        waste_reasons=[(reason.value, _(text)) for reason, text in forms.WASTE_REASONS.items()],
    )


@blueprint.post("/products/<uuid:public_id>/count")
@access(Role.VOLUNTEER)
@idempotent
def count(public_id: UUID) -> ResponseReturnValue:
    """Bring the shelf's level to what was counted."""
    found = products.product(session(), public_id)
    try:
        difference = service.correct(
            session(),
            principal().site,
            found.id,
            counted_milli=typed.milli(request.form.get("counted", ""), "counted"),
            reason=forms.reason(request.form, forms.COUNT_REASONS),
            actor=principal().actor,
            note=forms.note(request.form),
        )
    except ShopError as refusal:
        return _back(found, _(refusal.message, **refusal.params), "bad")
    if difference:
        return _back(found, _("The stock is corrected by %(difference)s.", difference=_signed(difference)))
    return _back(found, _("The stock was right."))


@blueprint.post("/products/<uuid:public_id>/waste")
@access(Role.VOLUNTEER)
@idempotent
def waste(public_id: UUID) -> ResponseReturnValue:
    """Take goods out of the books that nobody will buy."""
    found = products.product(session(), public_id)
    try:
        service.waste(
            session(),
            principal().site,
            found.id,
            typed.milli(request.form.get("quantity", ""), "quantity"),
            reason=forms.reason(request.form, forms.WASTE_REASONS),
            actor=principal().actor,
            note=forms.note(request.form),
        )
    except ShopError as refusal:
        return _back(found, _(refusal.message, **refusal.params), "bad")
    return _back(found, _("It is taken out of the stock."))


@blueprint.post("/products/<uuid:public_id>/wanted")
@access(Role.OPERATOR)
def set_wanted(public_id: UUID) -> ResponseReturnValue:
    """Set how much there should be, and on which shelf."""
    found = products.product(session(), public_id)
    try:
        service.set_assortment(
            session(),
            principal().site,
            found.id,
            min_milli=forms.optional_milli(request.form, "min") or 0,
            max_milli=forms.optional_milli(request.form, "max"),
            place=request.form.get("place", ""),
            actor=principal().actor,
        )
    except ShopError as refusal:
        return _back(found, _(refusal.message, **refusal.params), "bad")
    return _back(found, _("The changes are saved."))


def _signed(milli: int) -> str:
    return f"{'+' if milli > 0 else MINUS}{quantity(abs(milli))}"


def _back(found: Product, text: str, tone: str = "good") -> ResponseReturnValue:
    flash(text, tone)
    return redirect(url_for("stock.product", public_id=found.public_id), 303)
