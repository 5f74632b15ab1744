"""Pages of the backoffice about products: list, detail, codes, prices."""

from collections.abc import Mapping
from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import get_locale
from flask_babel import gettext as _

from shop_hub.catalog import forms, listing, queries, service
from shop_hub.catalog.listing import Shown
from shop_hub.catalog.models import Product
from shop_hub.catalog.service import NewCode, NewProduct
from shop_hub.core import menu, typed
from shop_hub.core.access import Role, access, principal
from shop_hub.core.errors import N_, BadInputError, ShopError
from shop_hub.core.idempotency import idempotent
from shop_hub.core.menu import MenuItem
from shop_hub.core.sites import Site
from shop_hub.core.web import session

blueprint = Blueprint("catalog", __name__, url_prefix="/office/products", template_folder="templates")
menu.add(MenuItem(label=N_("Products"), endpoint="catalog.index", icon="tag", role=Role.VOLUNTEER, sort=30))

EMPTY = {
    "unit": "piece",
    "vat_class": "reduced",
    "content_unit": "g",
    "min_age": 0,
    "stock_policy": "soft",
    "date_policy": "warn",
    "is_active": True,
}
FIELDS = {
    "name": N_("Please enter a name."),
    "group": N_("Please choose a group."),
    "content": N_("Please enter a number, for example 500."),
    "drained": N_("The drained weight cannot be more than the content."),
    "contains": N_("Please enter the code of the bottle and how many are in the crate."),
    "price": N_("Please enter an amount, for example 2,49."),
    "valid_from": N_("Please enter a day."),
    "quantity": N_("Please check the quantity."),
}


@blueprint.get("/")
@access(Role.VOLUNTEER)
def index() -> ResponseReturnValue:
    """List products, found by name, maker or code, of one group or all."""
    text, group = request.args.get("q", "")[:200], request.args.get("group", "")
    shown = Shown(request.args["shown"]) if request.args.get("shown") in set(Shown) else Shown.SOLD
    cursor = request.args.get("cursor", "")
    found = listing.products(session(), principal().site, text, group=group, shown=shown, cursor=cursor)
    return render_template(
        "catalog/index.html",
        found=found,
        groups=queries.groups(session()),
        q=text,
        group=group,
        shown=shown,
        cursor=cursor,
        total=listing.count(session()),
        words=forms.WORDS,
    )


@blueprint.get("/new")
@access(Role.OPERATOR)
def new() -> ResponseReturnValue:
    """Show an empty form; a code that was scanned before comes along."""
    return _form(None, EMPTY | {"code": request.args.get("code", "")[:40]})


@blueprint.post("/new")
@access(Role.OPERATOR)
@idempotent
def create() -> ResponseReturnValue:
    """Enter a product with its first code and price."""
    here, actor = principal().site, principal().actor
    try:
        product = service.create_product(session(), _typed_product(), site_id=here, actor=actor)
        if request.form.get("code", "").strip():
            service.add_code(session(), product.id, NewCode(code=request.form["code"]), site_id=here, actor=actor)
        if request.form.get("price", "").strip():
            service.set_price(session(), here, product.id, forms.price_cents(request.form), actor=actor)
    except ShopError as refusal:
        return _form(None, request.form, refusal)
    flash(_("%(name)s was entered.", name=product.name), "good")
    return redirect(url_for("catalog.show", public_id=product.public_id), 303)


@blueprint.get("/<uuid:public_id>")
@access(Role.VOLUNTEER)
def show(public_id: UUID) -> ResponseReturnValue:
    """Show a product with its codes and the history of its prices."""
    product = listing.product(session(), public_id)
    content = forms.content_of(product.content_milli, product.content_unit)
    return render_template(
        "catalog/show.html",
        product=product,
        listed=listing.listed(session(), principal().site, product.id),
        codes=listing.codes(session(), product.id),
        prices=listing.prices(session(), principal().site, product.id),
        content=" ".join(content) if content[0] else "",
        names=forms,
        words=forms.WORDS,
        vat_permille=queries.vat_permille(session(), product.vat_class),
    )


@blueprint.get("/<uuid:public_id>/edit")
@access(Role.OPERATOR)
def edit(public_id: UUID) -> ResponseReturnValue:
    """Show the form with what is known."""
    product = listing.product(session(), public_id)
    group = next(group.key for group in queries.groups(session()) if group.id == product.group_id)
    deposit = listing.deposit_key(session(), product.deposit_type_id)
    contained = listing.codes(session(), product.contains_id) if product.contains_id else []
    return _form(product, forms.values(product, group, deposit, contained[0].text if contained else ""))


@blueprint.post("/<uuid:public_id>/edit")
@access(Role.OPERATOR)
def change(public_id: UUID) -> ResponseReturnValue:
    """Change what describes a product."""
    product = listing.product(session(), public_id)
    try:
        service.change_product(
            session(), product.id, _typed_product(), site_id=principal().site, actor=principal().actor
        )
    except ShopError as refusal:
        return _form(product, request.form, refusal)
    flash(_("The changes are saved."), "good")
    return redirect(url_for("catalog.show", public_id=public_id), 303)


@blueprint.post("/<uuid:public_id>/prices")
@access(Role.OPERATOR)
@idempotent
def set_price(public_id: UUID) -> ResponseReturnValue:
    """Set a new price from now or from a day on."""
    product = listing.product(session(), public_id)
    site = session().get_one(Site, principal().site)
    try:
        day = forms.valid_from(request.form, site.timezone)
        cents = forms.price_cents(request.form)
        price = service.set_price(session(), site.id, product.id, cents, actor=principal().actor, valid_from=day)
    except ShopError as refusal:
        return _back(public_id, "", refusal)
    is_now = price.valid_from == price.created_at
    return _back(public_id, _("The new price holds from now on.") if is_now else _("The new price is noted."))


@blueprint.post("/<uuid:public_id>/codes")
@access(Role.OPERATOR)
def add_code(public_id: UUID) -> ResponseReturnValue:
    """Give the product one more code, e.g. that of the crate."""
    product = listing.product(session(), public_id)
    try:
        quantity = typed.milli(request.form.get("quantity") or "1", "quantity")
        code = NewCode(code=request.form.get("code", ""), quantity_milli=quantity)
        service.add_code(session(), product.id, code, site_id=principal().site, actor=principal().actor)
    except ShopError as refusal:
        return _back(public_id, "", refusal)
    return _back(public_id, _("The code is added."))


@blueprint.post("/<uuid:public_id>/codes/<int:code_id>/remove")
@access(Role.OPERATOR)
def remove_code(public_id: UUID, code_id: int) -> ResponseReturnValue:
    """Take a code from the product."""
    product = listing.product(session(), public_id)
    service.remove_code(session(), product.id, code_id, site_id=principal().site, actor=principal().actor)
    return _back(public_id, _("The code is removed."))


def _typed_product() -> NewProduct:
    text = request.form.get("contains_code", "").strip()
    try:
        contains_id = queries.find_in_goods(session(), text).product_id if text else None
    except ShopError:
        raise BadInputError(field="contains") from None
    return forms.new_product(request.form, contains_id)


def _words(refusal: ShopError) -> tuple[str, str]:
    """Return which field a refusal is about and what to tell the person; without field it is about the code."""
    field = str(refusal.params.get("field", "code"))
    return field, _(FIELDS[field]) if field in FIELDS else _(refusal.message, **refusal.params)


def _form(product: Product | None, values: Mapping[str, object], refusal: ShopError | None = None) -> tuple[str, int]:
    errors = dict([_words(refusal)]) if refusal else {}
    page = render_template(
        "catalog/form.html",
        product=product,
        values=values,
        errors=errors,
        options=_options(),
        deposits=listing.deposit_choices(session()),
    )
    return page, refusal.status if refusal else 200


def _options() -> dict[str, list[tuple[object, str]]]:
    """Return the choices of the form in the reader's language."""
    groups = [(group.key, group.label(str(get_locale()))) for group in queries.groups(session())]
    return {
        "group": [("", _("Please choose")), *groups],
        "unit": [(unit.value, _(text)) for unit, text in forms.UNIT_NAMES.items()],
        "vat": [(vat.value, _(text)) for vat, text in forms.VAT_NAMES.items()],
        "content": [(unit, _(text)) for unit, text in forms.CONTENT_NAMES.items()],
        "age": [(age, _(text)) for age, text in forms.AGES.items()],
    }


def _back(public_id: UUID, done: str, refusal: ShopError | None = None) -> ResponseReturnValue:
    """Show the product again with what became of a small form on its page."""
    if refusal:
        flash(_words(refusal)[1], "bad")
    else:
        flash(done, "good")
    return redirect(url_for("catalog.show", public_id=public_id), 303)
