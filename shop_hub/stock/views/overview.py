"""What runs low and what is to be done."""

from uuid import UUID

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from shop_hub.catalog import listing as products
from shop_hub.catalog import queries as catalog
from shop_hub.catalog.errors import UnknownBarcodeError
from shop_hub.catalog.listing import Shown
from shop_hub.core import menu
from shop_hub.core.access import Principal, Role, access, principal
from shop_hub.core.errors import N_, ShopError
from shop_hub.core.menu import MenuItem
from shop_hub.core.web import session
from shop_hub.stock import queries, tasks
from shop_hub.stock.views import blueprint

FOUND = 12


@blueprint.get("/")
@access(Role.VOLUNTEER)
def index() -> ResponseReturnValue:
    """Show tasks and what runs low; with a search, the stock of the products found."""
    here, text = principal().site, request.args.get("q", "")[:200]
    found = products.products(session(), here, text, shown=Shown.SOLD, limit=FOUND).items if text.strip() else []
    low = queries.low_stock(session(), here)
    to_do = queries.open_tasks(session(), here)
    named = {item.product_id for item in low} | {task.product_id for task in to_do if task.product_id}
    return render_template(
        "stock/index.html",
        q=text,
        found=found,
        levels=queries.levels(session(), here, [item.id for item in found]),
        low=low,
        tasks=to_do,
        cards=products.named(session(), named),
    )


@blueprint.get("/find")
@access(Role.VOLUNTEER)
def find() -> ResponseReturnValue:
    """Go to the product that was scanned."""
    code = request.args.get("code", "")
    try:
        product_id = catalog.find_in_goods(session(), code).product_id
    except ShopError as refusal:
        flash(_(refusal.message, **refusal.params), "bad")
        is_unknown = isinstance(refusal, UnknownBarcodeError)
        return redirect(url_for("stock.index", q=code[:40] if is_unknown else None), 303)
    public_id = products.named(session(), {product_id})[product_id].public_id
    return redirect(url_for("stock.product", public_id=public_id), 303)


@blueprint.post("/tasks/<uuid:task_id>/close")
@access(Role.VOLUNTEER)
def close_task(task_id: UUID) -> ResponseReturnValue:
    """Note that a task is done, or needs not be done."""
    is_dismissed = "dismiss" in request.form
    tasks.close(session(), principal().site, task_id, actor=principal().actor, is_dismissed=is_dismissed)
    flash(_("The task is put aside.") if is_dismissed else _("The task is done."), "good")
    return redirect(url_for("stock.index"), 303)


def _tasks(asking: Principal) -> int:
    return queries.count_tasks(session(), asking.site)


menu.add(
    MenuItem(label=N_("Stock"), endpoint="stock.index", icon="shelves", role=Role.VOLUNTEER, sort=20, badge=_tasks)
)
