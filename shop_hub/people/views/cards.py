"""Member cards: issue, show once for printing, block."""

from uuid import UUID

from flask import flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from shop_hub.core import qr
from shop_hub.core.access import Role, access, principal
from shop_hub.core.errors import NotFoundError
from shop_hub.core.sites import Site
from shop_hub.core.web import session
from shop_hub.people import queries, service
from shop_hub.people.views import blueprint
from shop_hub.people.views.people import villager


@blueprint.post("/<uuid:public_id>/cards")
@access(Role.OPERATOR)
def issue_card(public_id: UUID) -> ResponseReturnValue:
    """Make a card and show its print sheet; the code cannot be shown again."""
    person = villager(public_id)
    card = service.issue_card(session(), person.id, actor=principal().actor)
    code = qr.svg(card.text, label=_("Code of the card"))
    site = session().get(Site, principal().site)
    return render_template("people/card.html", person=person, code=code, number=card.id, site=site)


@blueprint.post("/<uuid:public_id>/cards/<int:card_id>/block")
@access(Role.OPERATOR)
def block_card(public_id: UUID, card_id: int) -> ResponseReturnValue:
    """Block a card at once."""
    person = villager(public_id)
    if card_id not in {card.id for card in queries.cards(session(), person.id)}:
        raise NotFoundError(what="card")
    service.block_card(session(), card_id, actor=principal().actor)
    flash(_("The card is blocked."), "good")
    return redirect(url_for("people.show", public_id=public_id), 303)
