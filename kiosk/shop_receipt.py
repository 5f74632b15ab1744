"""Receipts at the kiosk: on the screen, as QR code, printed, found again, undone."""

from datetime import timedelta
from uuid import UUID

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from kiosk.blueprint import blueprint
from kiosk.shop import check_seen, has_bought, language, remember
from shop_hub.checkout import cases, queries, receipts, service, slips
from shop_hub.checkout.errors import UndoNotYoursError
from shop_hub.checkout.models import SaleState
from shop_hub.core import limits, qr
from shop_hub.core.access import Role, access, principal
from shop_hub.core.errors import NotFoundError
from shop_hub.core.idempotency import idempotent
from shop_hub.core.web import hub, session
from shop_hub.fleet import queries as fleet
from shop_hub.fleet.models import Device, DeviceKind
from shop_hub.people import signin

CASE_LIMIT = limits.Limit("sale-case", tries=10, window=timedelta(minutes=15))


@blueprint.get("/shop/receipt/<uuid:public_id>")
@access(Role.KIOSK)
def shop_receipt(public_id: UUID) -> ResponseReturnValue:
    """Show a receipt of this visit, or one that the signed-in member has made."""
    receipt = _own(public_id)
    return render_template(
        "kiosk/shop/receipt.html",
        receipt=receipt,
        is_new="fresh" in request.args,
        may_undo=receipt.is_undoable and _is_yours(receipt),
        code=qr.svg(_address(public_id), label=gettext("Receipt %(number)s", number=receipt.number)),
        can_print=fleet.can_print(session(), principal().kiosk_id or 0),
        language=language(),
    )


@blueprint.post("/shop/receipt/<uuid:public_id>/print")
@access(Role.KIOSK)
@idempotent
def shop_print(public_id: UUID) -> ResponseReturnValue:
    """Print a receipt at this kiosk."""
    receipt, printer = _own(public_id), _printer()
    if printer is not None:
        slips.print_receipt(session(), printer.id, receipt, qr=_address(public_id), language=language())
        flash(gettext("Your receipt is being printed."), "good")
    return redirect(url_for("kiosk.shop_receipt", public_id=public_id), 303)


@blueprint.get("/shop/receipt/<uuid:public_id>/undo")
@access(Role.KIOSK)
def shop_undo(public_id: UUID) -> ResponseReturnValue:
    """Ask whether a purchase shall be undone."""
    return render_template("kiosk/shop/undo.html", receipt=_undoable(public_id))


@blueprint.post("/shop/receipt/<uuid:public_id>/undo")
@access(Role.KIOSK)
@idempotent
def shop_undo_now(public_id: UUID) -> ResponseReturnValue:
    """Undo a purchase; one paid by card waits for the terminal to give the money back."""
    receipt = _undoable(public_id)
    undone = service.undo(session(), receipt.public_id, actor=principal().actor)
    remember(undone.public_id)
    if undone.state is SaleState.DONE:
        return redirect(url_for("kiosk.shop_receipt", public_id=undone.public_id, fresh=1), 303)
    return redirect(url_for("kiosk.shop_payment", public_id=undone.public_id), 303)


@blueprint.get("/shop/receipts")
@access(Role.KIOSK)
def shop_receipts() -> ResponseReturnValue:
    """Show the receipts of a signed-in member, or ask for a receipt's code or a card."""
    member_id = principal().member_id
    is_known = member_id is not None and signin.has_fresh_pin()
    rows = queries.sales_of_member(session(), member_id or 0) if is_known else None
    return render_template("kiosk/shop/receipts.html", rows=rows)


@blueprint.get("/shop/case")
@access(Role.KIOSK)
def shop_case() -> ResponseReturnValue:
    """Ask for the number of a payment that was still unclear when its customer left."""
    return render_template("kiosk/shop/case.html")


@blueprint.post("/shop/case")
@access(Role.KIOSK)
def shop_case_open() -> ResponseReturnValue:
    """Show where the payment with this number stands; tries are counted."""
    limits.count(session(), (CASE_LIMIT, f"kiosk:{principal().kiosk_id}"))
    found = cases.find_case(session(), principal().site, request.form.get("number", "").strip())
    if found is None:
        flash(gettext("We do not find a payment with this number. Please check the digits."), "bad")
        return render_template("kiosk/shop/case.html"), 404
    remember(found)
    return redirect(url_for("kiosk.shop_payment", public_id=found), 303)


@blueprint.post("/shop/left/<uuid:public_id>")
@access(Role.KIOSK)
def shop_left(public_id: UUID) -> ResponseReturnValue:
    """Open a payment that this kiosk's page has offered because its customer may not have seen its end."""
    kiosk_id = principal().kiosk_id
    offered = cases.left_behind(session(), kiosk_id) if kiosk_id is not None else []
    if public_id not in {row.public_id for row in offered}:
        raise NotFoundError(what="sale")
    remember(public_id)
    return redirect(url_for("kiosk.shop_payment", public_id=public_id), 303)


def _own(public_id: UUID) -> queries.Receipt:
    """Return a receipt that this visit may see."""
    receipt = queries.receipt(session(), public_id)
    if not _is_of_member(receipt):
        check_seen(public_id)
    return receipt


def _undoable(public_id: UUID) -> queries.Receipt:
    """Return a receipt that this visit may undo: having found its code or number is not enough for that."""
    receipt = _own(public_id)
    if not _is_yours(receipt):
        raise UndoNotYoursError
    return receipt


def _is_yours(receipt: queries.Receipt) -> bool:
    return has_bought(receipt.public_id) or _is_of_member(receipt)


def _is_of_member(receipt: queries.Receipt) -> bool:
    """Tell whether the member of this sale stands here, card and PIN just shown."""
    return receipt.member_id is not None and receipt.member_id == principal().member_id and signin.has_fresh_pin()


def _printer() -> Device | None:
    kiosk_id = principal().kiosk_id
    return None if kiosk_id is None else fleet.bound_to(session(), kiosk_id, DeviceKind.PRINTER)


def _address(public_id: UUID) -> str:
    return receipts.address(hub().settings.http.public_url or request.host_url, public_id)
