"""Deliveries: open by delivery note, scan, correct the lines, book."""

from uuid import UUID

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from shop_hub.catalog import listing as products
from shop_hub.catalog import queries as catalog
from shop_hub.catalog.barcodes import is_gtin
from shop_hub.catalog.errors import UnknownBarcodeError, UnreadableBarcodeError
from shop_hub.core import menu
from shop_hub.core.access import Role, access, principal
from shop_hub.core.errors import N_, ShopError
from shop_hub.core.idempotency import idempotent
from shop_hub.core.menu import MenuItem
from shop_hub.core.web import session
from shop_hub.stock import forms, queries, receipts, tasks
from shop_hub.stock.models import GoodsReceipt
from shop_hub.stock.receipts import Entry
from shop_hub.stock.service import NewLot
from shop_hub.stock.views import blueprint

menu.add(MenuItem(label=N_("Deliveries"), endpoint="stock.deliveries", icon="truck", role=Role.VOLUNTEER, sort=25))

CHOICES = 8


@blueprint.get("/deliveries/")
@access(Role.VOLUNTEER)
def deliveries() -> ResponseReturnValue:
    """List deliveries; a form opens a new one."""
    before = request.args.get("before", type=int)
    found = queries.deliveries(session(), principal().site, before=before)
    return render_template("stock/deliveries.html", found=found, before=before, suppliers=queries.suppliers(session()))


@blueprint.post("/deliveries/")
@access(Role.VOLUNTEER)
def open_delivery() -> ResponseReturnValue:
    """Open a delivery, or go on with the one of this delivery note."""
    supplier_id = request.form.get("supplier", 0, type=int)
    note = request.form.get("delivery_note", "")
    try:
        receipt = receipts.open_receipt(session(), principal().site, supplier_id, note, actor=principal().actor)
    except ShopError as refusal:
        flash(_(refusal.message, **refusal.params), "bad")
        return redirect(url_for("stock.deliveries"), 303)
    return redirect(url_for("stock.delivery", public_id=receipt.public_id), 303)


@blueprint.get("/deliveries/<uuid:public_id>")
@access(Role.VOLUNTEER)
def delivery(public_id: UUID) -> ResponseReturnValue:
    """Show a delivery with its lines."""
    return _page(_receipt(public_id), "stock/delivery.html")


@blueprint.post("/deliveries/<uuid:public_id>/scan")
@access(Role.VOLUNTEER)
@idempotent
def scan(public_id: UUID) -> ResponseReturnValue:
    """Add the article that was scanned; what was typed is looked for by its name."""
    receipt, text = _receipt(public_id), request.form.get("barcode", "")
    try:
        found = catalog.find_in_goods(session(), text)
    except (UnknownBarcodeError, UnreadableBarcodeError):
        return _not_found(receipt, text)
    lot = NewLot(code=found.lot or "", best_before=found.best_before, use_by=found.use_by)
    line = receipts.add_line(session(), receipt, found.product_id, Entry(good_milli=found.quantity_milli, lot=lot))
    return _answer(receipt, newest=line.id)


@blueprint.post("/deliveries/<uuid:public_id>/lines/product/<uuid:product_id>")
@access(Role.VOLUNTEER)
@idempotent
def add_found(public_id: UUID, product_id: UUID) -> ResponseReturnValue:
    """Add one piece of an article that was found by its name."""
    receipt = _receipt(public_id)
    product = products.product(session(), product_id)
    line = receipts.add_line(session(), receipt, product.id, Entry(good_milli=1000))
    return _answer(receipt, newest=line.id)


@blueprint.post("/deliveries/<uuid:public_id>/lines/<int:line_id>")
@access(Role.VOLUNTEER)
def change_line(public_id: UUID, line_id: int) -> ResponseReturnValue:
    """Set quantities, lot and date of a line, or take it out."""
    receipt = _receipt(public_id)
    if "remove" in request.form:
        receipts.remove_line(session(), receipt, line_id)
    else:
        receipts.change_line(session(), receipt, line_id, forms.entry(request.form))
    return _answer(receipt)


@blueprint.post("/deliveries/<uuid:public_id>/book")
@access(Role.VOLUNTEER)
@idempotent
def book(public_id: UUID) -> ResponseReturnValue:
    """Put the goods on the shelf."""
    receipt = _receipt(public_id)
    receipts.book(session(), receipt, actor=principal().actor)
    flash(_("The delivery is booked. The goods are in stock now."), "good")
    return redirect(url_for("stock.delivery", public_id=public_id), 303)


@blueprint.post("/deliveries/<uuid:public_id>/undo")
@access(Role.OPERATOR)
@idempotent
def undo(public_id: UUID) -> ResponseReturnValue:
    """Take a booked delivery back."""
    receipts.undo(session(), _receipt(public_id), actor=principal().actor)
    flash(_("The delivery is undone. The delivery note can be entered again."), "good")
    return redirect(url_for("stock.delivery", public_id=public_id), 303)


@blueprint.post("/deliveries/<uuid:public_id>/discard")
@access(Role.VOLUNTEER)
def discard(public_id: UUID) -> ResponseReturnValue:
    """Throw an open delivery away."""
    receipts.discard(session(), _receipt(public_id))
    flash(_("The delivery is discarded. Nothing was booked."), "good")
    return redirect(url_for("stock.deliveries"), 303)


def _receipt(public_id: UUID) -> GoodsReceipt:
    return receipts.receipt(session(), principal().site, public_id)


def _not_found(receipt: GoodsReceipt, text: str) -> ResponseReturnValue:
    """Offer what is named like it; note a code that nobody knows, so that an operator can enter the product."""
    code = text.strip()
    if is_gtin(code):
        tasks.report_unknown_code(session(), principal().site, code)
        return _answer(receipt, unknown=code)
    choices = products.products(session(), principal().site, text[:80], limit=CHOICES).items
    return _answer(receipt, choices=choices, unknown="" if choices else code[:40] or "?", typed=code[:80])


def _answer(receipt: GoodsReceipt, **more: object) -> ResponseReturnValue:
    """Return the lines for a page with script, else the whole page."""
    return _page(receipt, "stock/_delivery.html" if "HX-Request" in request.headers else "stock/delivery.html", **more)


def _page(receipt: GoodsReceipt, template: str, **more: object) -> ResponseReturnValue:
    lines = receipts.receipt_lines(session(), receipt.id)
    values = {"choices": [], "unknown": "", "newest": 0, "typed": ""} | more
    return render_template(
        template,
        receipt=receipt,
        lines=lines,
        cards=products.named(session(), {line.product_id for line in lines}),
        supplier=queries.supplier(session(), receipt.supplier_id),
        **values,
    )
