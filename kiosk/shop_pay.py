"""Paying at the kiosk: by card terminal or from the village account, with the end of each told in words to act on."""

from collections.abc import Mapping
from uuid import UUID

from flask import flash, redirect, render_template, request, url_for
from flask import session as visit
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from kiosk.blueprint import blueprint
from kiosk.shop import basket_view, check_seen, remember
from shop_hub.checkout import cases, queries, service
from shop_hub.checkout.errors import BasketEmptyError
from shop_hub.checkout.models import Channel, Rail, Sale, SaleState
from shop_hub.core.access import Role, access, principal
from shop_hub.core.errors import N_
from shop_hub.core.idempotency import idempotent
from shop_hub.core.sites import Site
from shop_hub.core.web import hub, session
from shop_hub.ledger import queries as ledger
from shop_hub.payments import queries as payments
from shop_hub.payments.errors import NoTerminalError
from shop_hub.people import service as people
from shop_hub.people import signin
from shop_hub.people.errors import UnknownCardError, WrongPinError
from shop_hub.people.queries import person

NEXT = {"shop": "kiosk.shop", "pay": "kiosk.shop_account", "receipts": "kiosk.shop_receipts", "me": "kiosk.me"}
"""Where card and PIN lead, by the form's word; never an address from outside."""

ENDINGS = {
    "declined": N_("Your card was not accepted. Nothing was charged."),
    "aborted": N_("The payment was cancelled. Nothing was charged."),
    "cancelled": N_("The payment was cancelled. Nothing was charged."),
    "busy": N_("The card machine was busy. Nothing was charged."),
    "reversed": N_("We took the payment back. You keep your money."),
}
NOT_REACHED = N_("The card machine did not answer. Nothing was charged.")


@blueprint.post("/shop/checkout")
@access(Role.KIOSK)
@idempotent
def shop_checkout() -> ResponseReturnValue:
    """Begin to pay; prices that have changed since they were shown are shown first."""
    basket = basket_view()
    if basket.is_empty:
        raise BasketEmptyError
    if service.requote(session(), basket.id):
        return redirect(url_for("kiosk.shop"), 303)
    return redirect(url_for("kiosk.shop_pay"), 303)


@blueprint.get("/shop/pay")
@access(Role.KIOSK)
def shop_pay() -> ResponseReturnValue:
    """Ask how to pay."""
    basket = basket_view()
    if basket.is_empty:
        return redirect(url_for("kiosk.shop"))
    asking = principal()
    is_ready = payments.is_terminal_ready(session(), asking.site, asking.kiosk_id)
    return render_template("kiosk/shop/pay.html", basket=basket, is_terminal_ready=is_ready)


@blueprint.post("/shop/pay/card")
@access(Role.KIOSK)
@idempotent
def shop_pay_card() -> ResponseReturnValue:
    """Ask the card terminal for the money."""
    asking, basket = principal(), basket_view()
    terminal = payments.terminal_for(session(), asking.site, asking.kiosk_id)
    if terminal is None:
        raise NoTerminalError
    member = person(session(), asking.member_id) if asking.member_id else None
    sale = service.start_terminal_payment(session(), basket.id, terminal.id, member=member, expected_cents=_expected())
    remember(sale.public_id, is_bought=True)
    return redirect(url_for("kiosk.shop_payment", public_id=sale.public_id), 303)


@blueprint.get("/shop/card")
@access(Role.KIOSK)
def shop_card() -> ResponseReturnValue:
    """Ask for the member card; card and PIN lead to the account, to the basket, or to earlier receipts."""
    return _card_page(_following(request.args))


@blueprint.post("/shop/card")
@access(Role.KIOSK)
def shop_card_scan() -> ResponseReturnValue:
    """Take a scanned member card and ask for its PIN; the card's text stays in the answer, nowhere else."""
    card = request.form.get("code", "")
    try:
        people.identify_card(session(), card)
    except UnknownCardError as error:
        flash(gettext(error.message), "bad")
        return _card_page(_following(request.form)), error.status
    return _pin_page(card)


@blueprint.post("/shop/pin")
@access(Role.KIOSK)
def shop_pin() -> ResponseReturnValue:
    """Check card and PIN and sign the villager in for a short while."""
    card = request.form.get("card", "")
    try:
        member = people.verify_member(
            session(), hub().hasher, card, request.form.get("pin", ""), pad=f"kiosk:{principal().kiosk_id}"
        )
    except WrongPinError as error:
        return _pin_page(card, gettext(error.message)), error.status
    signin.member(session(), card, member)
    basket = basket_view()
    if basket.id:
        service.prove_age(session(), basket.id, member.age_level)
    return redirect(url_for(NEXT.get(request.form.get("next", ""), "kiosk.shop_account")), 303)


@blueprint.get("/shop/account")
@access(Role.KIOSK)
def shop_account() -> ResponseReturnValue:
    """Show the signed-in member what is paid and what is left, or ask for the card."""
    basket, asking = basket_view(), principal()
    if asking.member_id is None or not signin.has_fresh_pin():
        return redirect(url_for("kiosk.shop_card", next="pay"))
    if basket.is_empty:
        return redirect(url_for("kiosk.shop"))
    balance = ledger.balance_cents(session(), asking.site, ledger.member_key(asking.member_id))
    name = person(session(), asking.member_id).first_name
    return render_template("kiosk/shop/account.html", basket=basket, balance=balance, name=name)


@blueprint.post("/shop/pay/account")
@access(Role.VILLAGER)
@idempotent
def shop_pay_account() -> ResponseReturnValue:
    """Pay the basket from the village account of whoever has just shown card and PIN."""
    asking, basket = principal(), basket_view()
    if not signin.has_fresh_pin():
        return redirect(url_for("kiosk.shop_card", next="pay"), 303)
    member = person(session(), asking.member_id or 0)
    sale = service.pay_from_account(session(), basket.id, member, expected_cents=_expected())
    visit.pop("basket", None)
    remember(sale.public_id, is_bought=True)
    return redirect(url_for("kiosk.shop_receipt", public_id=sale.public_id, fresh=1), 303)


@blueprint.get("/shop/paying")
@access(Role.KIOSK)
def shop_paying() -> ResponseReturnValue:
    """Lead to the payment of this visit's basket that is under way."""
    basket = basket_view()
    sale = queries.sale_of_basket(session(), basket.id) if basket.id else None
    if sale is None:
        return redirect(url_for("kiosk.shop"))
    return redirect(url_for("kiosk.shop_payment", public_id=sale.public_id))


@blueprint.get("/shop/payment/<uuid:public_id>")
@access(Role.KIOSK)
def shop_payment(public_id: UUID) -> ResponseReturnValue:
    """Show where a payment stands; a done sale leads to its receipt."""
    check_seen(public_id)
    sale = queries.sale(session(), public_id)
    if sale.state is SaleState.DONE:
        visit.pop("basket", None)
        return redirect(url_for("kiosk.shop_receipt", public_id=public_id, fresh=1))
    return render_template("kiosk/shop/payment.html", **_standing(sale))


@blueprint.get("/shop/payment/<uuid:public_id>/state")
@access(Role.KIOSK)
def shop_payment_state(public_id: UUID) -> ResponseReturnValue:
    """Tell an open waiting page to load itself anew once the payment stands elsewhere; 204 while nothing is new."""
    check_seen(public_id)
    sale = queries.sale(session(), public_id)
    if _shown_state(sale) == request.args.get("shown"):
        return "", 204
    return "", 200, {"HX-Redirect": url_for("kiosk.shop_payment", public_id=public_id)}


@blueprint.post("/shop/payment/<uuid:public_id>/cancel")
@access(Role.KIOSK)
@idempotent
def shop_payment_cancel(public_id: UUID) -> ResponseReturnValue:
    """Stop waiting for the card; should the terminal still approve, the money goes back at once."""
    check_seen(public_id)
    service.cancel(session(), queries.sale(session(), public_id).id)
    return redirect(url_for("kiosk.shop_payment", public_id=public_id), 303)


def _card_page(following: str) -> str:
    phone = session().get_one(Site, principal().site).phone if following == "me" else ""
    return render_template("kiosk/shop/card.html", following=following, phone=phone)


def _pin_page(card: str, error: str = "") -> str:
    if error:
        flash(error, "bad")
    return render_template("kiosk/shop/pin.html", card=card, following=_following(request.form))


def _following(values: Mapping[str, str]) -> str:
    following = values.get("next", "pay")
    return following if following in NEXT else "pay"


def _expected() -> int | None:
    """Return the total that the page showed, so that nobody pays what they have not seen."""
    text = request.form.get("expected_cents", "")
    return int(text) if text.isdecimal() and len(text) < 10 else None  # noqa: PLR2004 - far above any basket


def _standing(sale: Sale) -> dict[str, object]:
    intent = payments.of_sale(session(), sale.id)
    return {
        "sale": sale,
        "shown": _shown_state(sale),
        "is_vending": sale.channel is Channel.VENDING,
        "is_account": sale.rail is Rail.ACCOUNT,
        "terminal": intent.terminal if intent else "",
        "ending": gettext(ENDINGS.get(sale.reason, NOT_REACHED)),
        "case": cases.case_number(sale.public_id),
    }


def _shown_state(sale: Sale) -> str:
    return f"{sale.state.value}{'-cancelled' if sale.is_cancelled else ''}"
