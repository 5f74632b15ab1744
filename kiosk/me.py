"""A villager's own page: balance, movements, receipts, parcels, how to be told, and blocking a lost card.

Everything here asks for card and PIN first, and again after five minutes (decisions.md 2). "Finish" and the time limit
of personal pages forget it.
"""

from flask import flash, redirect, render_template, request, url_for
from flask import session as visit
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from kiosk import tiles
from kiosk.blueprint import blueprint
from kiosk.page import LANGUAGE_NAMES, ZOOMS
from kiosk.parcels import show_waiting
from shop_hub.core.access import Role, access, principal
from shop_hub.core.errors import N_, BadInputError, NotFoundError
from shop_hub.core.idempotency import idempotent
from shop_hub.core.web import hub, session
from shop_hub.ledger import queries as ledger
from shop_hub.parcels import queries as parcels
from shop_hub.people import queries, signin
from shop_hub.people import service as people
from shop_hub.people.models import Notify, Person

MOVEMENTS = {
    "top-up": N_("paid in"),
    "sale": N_("purchase"),
    "hold": N_("purchase at the machine"),
    "release": N_("given back by the machine"),
    "undo": N_("purchase undone"),
    "refund": N_("money back"),
}
MOVEMENTS_SHOWN = 7


@blueprint.get("/me")
@access(Role.KIOSK)
def me() -> ResponseReturnValue:
    """Show what a villager has here."""
    person = _signed_in()
    if person is None:
        return _ask_card()
    site = principal().site
    return render_template(
        "kiosk/me/me.html",
        person=person,
        balance=ledger.balance_cents(session(), site, ledger.member_key(person.id)),
        waiting=parcels.waiting_for(session(), person.id, site),
    )


@blueprint.post("/me/parcels")
@access(Role.VILLAGER)
@idempotent
def me_parcels() -> ResponseReturnValue:
    """Lead to the waiting parcels; card and PIN have been shown."""
    person = _signed_in()
    if person is None:
        return _ask_card()
    return show_waiting(parcels.waiting_for(session(), person.id, principal().site), "card")


@blueprint.get("/me/account")
@access(Role.KIOSK)
def me_account() -> ResponseReturnValue:
    """Show the newest movements of the village account."""
    person = _signed_in()
    if person is None:
        return _ask_card()
    key, site = ledger.member_key(person.id), principal().site
    return render_template(
        "kiosk/me/account.html",
        balance=ledger.balance_cents(session(), site, key),
        movements=ledger.history(session(), site, key, limit=MOVEMENTS_SHOWN),
        words=MOVEMENTS,
    )


@blueprint.get("/me/settings")
@access(Role.KIOSK)
def me_settings() -> ResponseReturnValue:
    """Ask for language, text size and the way to be told of a parcel."""
    person = _signed_in()
    if person is None:
        return _ask_card()
    languages = [(code, LANGUAGE_NAMES.get(code, code)) for code in hub().settings.languages]
    return render_template("kiosk/me/settings.html", person=person, languages=languages)


@blueprint.post("/me/settings")
@access(Role.VILLAGER)
@idempotent
def me_change() -> ResponseReturnValue:
    """Keep language, text size and the way to be told; the screen follows at once."""
    person = _signed_in()
    if person is None:
        return _ask_card()
    language, size, notify = (request.form.get(name, "") for name in ("language", "text_size", "notify"))
    if language not in hub().settings.languages or size not in ZOOMS or notify not in set(Notify):
        raise BadInputError(field="settings")
    wanted = {"language": language, "text_size": int(size), "notify": Notify(notify)}
    people.change_person(session(), person.id, wanted, actor=principal().actor)
    visit.update(language=language, zoom=size)
    flash(gettext("Your wishes are saved."), "good")
    return redirect(url_for("kiosk.me"), 303)


@blueprint.get("/me/cards")
@access(Role.KIOSK)
def me_cards() -> ResponseReturnValue:
    """Show the villager's cards that work."""
    person = _signed_in()
    if person is None:
        return _ask_card()
    return render_template("kiosk/me/cards.html", cards=_cards(person), used=visit["member"]["card"])


@blueprint.get("/me/cards/<int:card_id>")
@access(Role.KIOSK)
def me_card(card_id: int) -> ResponseReturnValue:
    """Ask whether a card shall be blocked."""
    person = _signed_in()
    if person is None:
        return _ask_card()
    return render_template("kiosk/me/card.html", card=_card(person, card_id), used=visit["member"]["card"])


@blueprint.post("/me/cards/<int:card_id>")
@access(Role.VILLAGER)
@idempotent
def me_block(card_id: int) -> ResponseReturnValue:
    """Block a card of one's own at once. Who blocks the card in the hand is signed out by that."""
    person = _signed_in()
    if person is None:
        return _ask_card()
    people.block_card(session(), _card(person, card_id).id, actor=principal().actor)
    flash(gettext("The card is blocked. Please ask in the shop for a new one."), "good")
    is_used = visit["member"]["card"] == card_id
    if is_used:
        signin.member_out()
    return redirect(url_for("kiosk.home" if is_used else "kiosk.me_cards"), 303)


def _signed_in() -> Person | None:
    """Return who has shown card and PIN within the last minutes; None asks for them."""
    member_id = principal().member_id
    return queries.person(session(), member_id) if member_id is not None and signin.has_fresh_pin() else None


def _ask_card() -> ResponseReturnValue:
    return redirect(url_for("kiosk.shop_card", next="me"), 303)


def _cards(person: Person) -> list[queries.Card]:
    return [card for card in queries.cards(session(), person.id) if card.is_live]


def _card(person: Person, card_id: int) -> queries.Card:
    found = next((card for card in _cards(person) if card.id == card_id), None)
    if found is None:
        raise NotFoundError(what="card")
    return found


tiles.add(
    tiles.Tile(
        order=80,
        title=N_("My village account"),
        icon="person",
        endpoint="kiosk.me",
        fact=lambda _session, _site: gettext("Balance, receipts, card"),
    )
)
