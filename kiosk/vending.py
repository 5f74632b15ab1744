"""The vending machine at the kiosk: choose a slot, pay, see the piece drop or read what happens with the money."""

from uuid import UUID

from flask import flash, redirect, render_template, request, url_for
from flask import session as visit
from flask.typing import ResponseReturnValue
from flask_babel import get_locale, gettext, ngettext
from sqlalchemy.orm import Session

from kiosk import tiles
from kiosk.blueprint import blueprint
from kiosk.shop import remember
from shop_hub.core.access import Role, access, principal
from shop_hub.core.errors import N_, NotFoundError
from shop_hub.core.idempotency import idempotent
from shop_hub.core.web import hub, session
from shop_hub.payments import queries as payments
from shop_hub.payments.errors import NoTerminalError
from shop_hub.people import queries as people_queries
from shop_hub.people import service as people
from shop_hub.people import signin
from shop_hub.people.errors import WrongPinError
from shop_hub.people.models import Person
from shop_hub.vending import queries, service
from shop_hub.vending.models import Vend

SLOTS_PER_PAGE = 9
VENDS = "vends"
MOST_VENDS = 20


@blueprint.get("/vending")
@access(Role.ANONYMOUS)
def vending() -> ResponseReturnValue:
    """Show the machine's slots, a page at a time."""
    return render_template("kiosk/vending/vending.html", **_grid())


@blueprint.get("/vending/grid")
@access(Role.ANONYMOUS)
def vending_grid() -> ResponseReturnValue:
    """Return the slots as they are at this moment."""
    return render_template("kiosk/vending/_grid.html", **_grid())


@blueprint.get("/vending/slots/<uuid:slot_id>")
@access(Role.KIOSK)
def vending_slot(slot_id: UUID) -> ResponseReturnValue:
    """Show one slot and the ways to pay."""
    asking = principal()
    return render_template(
        "kiosk/vending/slot.html",
        slot=queries.slot(session(), asking.site, slot_id),
        has_terminal=payments.is_terminal_ready(session(), asking.site, asking.kiosk_id),
        language=_language(),
    )


@blueprint.get("/vending/slots/<uuid:slot_id>/account")
@access(Role.KIOSK)
def vending_account(slot_id: UUID) -> ResponseReturnValue:
    """Ask for the member card, or for a yes from who has shown it a moment ago."""
    asking = principal()
    slot = queries.slot(session(), asking.site, slot_id)
    member = _fresh_member()
    return render_template("kiosk/vending/account.html", slot=slot, member=member, language=_language())


@blueprint.post("/vending/slots/<uuid:slot_id>/card")
@access(Role.KIOSK)
def vending_card(slot_id: UUID) -> ResponseReturnValue:
    """Ask for the PIN of the card that was held to the scanner; the card's text stays on this page only."""
    card = request.form.get("code", "")[:200]
    people.identify_card(session(), card)
    return _pin_page(slot_id, card)


@blueprint.post("/vending/slots/<uuid:slot_id>/account")
@access(Role.KIOSK)
@idempotent
def vending_buy_from_account(slot_id: UUID) -> ResponseReturnValue:
    """Buy from a village account, by card and PIN or by a sign-in of this moment."""
    asking = principal()
    try:
        member = _payer()
    except WrongPinError as error:
        flash(gettext(error.message), "bad")
        return _pin_page(slot_id, _card()), error.status
    vend = service.buy(session(), asking.site, slot_id, kiosk_id=_kiosk_id(), member=member)
    return _to_progress(vend)


@blueprint.post("/vending/slots/<uuid:slot_id>/terminal")
@access(Role.KIOSK)
@idempotent
def vending_buy_at_terminal(slot_id: UUID) -> ResponseReturnValue:
    """Begin to pay with a bank card."""
    asking = principal()
    terminal = payments.terminal_for(session(), asking.site, asking.kiosk_id)
    if terminal is None:
        raise NoTerminalError
    vend = service.buy(session(), asking.site, slot_id, kiosk_id=_kiosk_id(), terminal_id=terminal.id)
    return _to_progress(vend)


@blueprint.get("/vending/vends/<uuid:vend_id>")
@access(Role.KIOSK)
def vending_progress(vend_id: UUID) -> ResponseReturnValue:
    """Show how a purchase goes."""
    return render_template("kiosk/vending/progress.html", **_progress(vend_id))


@blueprint.get("/vending/vends/<uuid:vend_id>/state")
@access(Role.KIOSK)
def vending_progress_state(vend_id: UUID) -> ResponseReturnValue:
    """Return the part of the page that changes."""
    return render_template("kiosk/vending/_progress.html", **_progress(vend_id))


def _grid() -> dict[str, object]:
    site_id = principal().site_id
    machines = [] if site_id is None else queries.machines(session(), site_id)
    slots = [slot for machine in machines for slot in machine.slots if slot.product is not None]
    pages = max(1, -(-len(slots) // SLOTS_PER_PAGE))
    page = min(max(request.args.get("page", 1, type=int), 1), pages)
    return {
        "slots": slots[(page - 1) * SLOTS_PER_PAGE : page * SLOTS_PER_PAGE],
        "is_connected": any(machine.is_connected for machine in machines),
        "is_chosen_there": any(slot.is_chosen_there for slot in slots),
        "number": page,
        "pages": pages,
        "language": _language(),
    }


def _progress(vend_id: UUID) -> dict[str, object]:
    if str(vend_id) not in visit.get(VENDS, []):
        raise NotFoundError(what="vend")
    found = queries.progress(session(), principal().site, vend_id)
    if found.receipt_id is not None:
        remember(found.receipt_id)
    return {"vend": found, "language": _language()}


def _to_progress(vend: Vend) -> ResponseReturnValue:
    visit[VENDS] = [*visit.get(VENDS, []), str(vend.public_id)][-MOST_VENDS:]
    return redirect(url_for("kiosk.vending_progress", vend_id=vend.public_id), 303)


def _pin_page(slot_id: UUID, card: str) -> str:
    slot = queries.slot(session(), principal().site, slot_id)
    return render_template("kiosk/vending/pin.html", slot=slot, card=card, language=_language())


def _card() -> str:
    return request.form.get("card", "")[:200]


def _payer() -> Person:
    """Return who pays; call it before anything is written."""
    member = _fresh_member()
    if "card" not in request.form and member is not None:
        return member
    pad = f"kiosk:{_kiosk_id()}"
    return people.verify_member(session(), hub().hasher, _card(), request.form.get("pin", "")[:20], pad=pad)


def _fresh_member() -> Person | None:
    member_id = principal().member_id
    return people_queries.person(session(), member_id) if member_id is not None and signin.has_fresh_pin() else None


def _kiosk_id() -> int:
    kiosk_id = principal().kiosk_id
    if kiosk_id is None:
        raise NotFoundError(what="kiosk")
    return kiosk_id


def _language() -> str:
    return str(get_locale() or "de")[:2]


def _fact(reading: Session, site_id: int) -> str:
    machines = queries.machines(reading, site_id)
    if not machines:
        return ""
    if not any(machine.is_connected for machine in machines):
        return gettext("not connected right now")
    choice = sum(machine.for_sale for machine in machines)
    if not choice:
        return gettext("sold out right now")
    return ngettext("%(num)d article to choose from", "%(num)d articles to choose from", choice)


tiles.add(
    tiles.Tile(
        order=30,
        title=N_("Vending machine"),
        icon="vending",
        endpoint="kiosk.vending",
        fact=_fact,
        topics=("vending",),
    )
)
