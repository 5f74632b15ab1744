"""A villager's own page: card and PIN first, only what is one's own, forgotten at the end."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from shop_hub.core import clock
from shop_hub.core.db import Database
from shop_hub.core.ids import uuid7
from shop_hub.core.web import ShopHub
from shop_hub.fleet.models import Kiosk
from shop_hub.ledger import service as ledger
from shop_hub.people import queries
from shop_hub.people import service as people
from shop_hub.people.models import Notify

PIN = "4711"
PAGES = ("/kiosk/me", "/kiosk/me/account", "/kiosk/me/settings", "/kiosk/me/cards")
WISHES = {"language": "en", "text_size": "150", "notify": "mail"}


@dataclass
class Villager:
    """Gerda with two cards and 12 euros; a neighbour with one card."""

    client: FlaskClient
    database: Database
    id: int
    cards: tuple[int, int]
    card: str
    foreign_card: int

    def post(self, path: str, **form: object) -> TestResponse:
        token = re.search(r'name="csrf_token" value="(\w+)"', self.client.get("/kiosk/").text)
        assert token
        return self.client.post(path, data={"csrf_token": token[1], "idempotency_key": str(uuid7()), **form})

    def sign_in(self) -> TestResponse:
        return self.post("/kiosk/shop/pin", card=self.card, pin=PIN, next="me")

    def live_cards(self) -> list[int]:
        with self.database.reading() as session:
            return sorted(card.id for card in queries.cards(session, self.id) if card.is_live)


@pytest.fixture
def gerda(client: FlaskClient, page_database: Database) -> Villager:
    app: Any = client.application
    assert isinstance(app, ShopHub)
    with page_database.transaction() as session:
        site_id = 1
        session.add(Kiosk(site_id=site_id, name="Kiosk", register_code="K1"))
        new: Callable[..., people.NewPerson] = people.NewPerson
        person = people.create_person(
            session, new(home_site_id=site_id, first_name="Gerda", last_name="Wendt", email="gerda@example.org")
        )
        neighbour = people.create_person(session, new(home_site_id=site_id, first_name="Ernst", last_name="Ribbe"))
        people.set_pin(session, app.hasher, person.id, PIN)
        first, second = people.issue_card(session, person.id), people.issue_card(session, person.id)
        foreign = people.issue_card(session, neighbour.id)
        ledger.top_up(session, site_id, person.id, 1200, source="cash-box", actor="operator:1", ref="me")
        return Villager(client, page_database, person.id, (first.id, second.id), second.text, foreign.id)


def test_card_and_pin_come_first(gerda: Villager):
    assert {gerda.client.get(path).location for path in PAGES} == {"/kiosk/shop/card?next=me"}
    assert gerda.sign_in().location == "/kiosk/me"
    assert [gerda.client.get(path).status_code for path in PAGES] == [200] * 4


def test_balance_movements_and_name_are_shown(gerda: Villager):
    gerda.sign_in()
    page = gerda.client.get("/kiosk/me")
    assert [word in page.text for word in ("Guten Tag, Gerda", "12,00")] == [True, True]
    assert page.headers["Cache-Control"] == "no-store"
    assert "eingezahlt" in gerda.client.get("/kiosk/me/account").text


def test_finish_forgets_at_once(gerda: Villager):
    gerda.sign_in()
    gerda.post("/kiosk/reset")
    assert gerda.client.get("/kiosk/me").status_code == 303
    assert "Gerda" not in gerda.client.get("/kiosk/").text


def test_who_walks_away_is_forgotten(gerda: Villager):
    gerda.sign_in()
    with clock.shifted(timedelta(seconds=80)):
        assert [gerda.client.get(path).status_code for path in PAGES] == [303] * 4


def test_wishes_are_kept_and_the_screen_follows(gerda: Villager):
    gerda.sign_in()
    assert gerda.post("/kiosk/me/settings", **WISHES).location == "/kiosk/me"
    page = gerda.client.get("/kiosk/me").text
    assert [word in page for word in ('lang="en"', 'data-zoom="150"', "Your wishes are saved.")] == [True] * 3
    with gerda.database.reading() as session:
        person = queries.person(session, gerda.id)
        assert (person.language, person.text_size, person.notify) == ("en", 150, Notify.MAIL)


def test_unknown_wishes_are_refused(gerda: Villager):
    gerda.sign_in()
    for wrong in ({"language": "xx"}, {"text_size": "900"}, {"notify": "pigeon"}):
        assert gerda.post("/kiosk/me/settings", **{**WISHES, **wrong}).status_code == 422


def test_a_lost_card_is_blocked_after_a_question(gerda: Villager):
    lost, used = gerda.cards
    gerda.sign_in()
    assert f"Karte {lost} für immer sperren?" in gerda.client.get(f"/kiosk/me/cards/{lost}").text
    assert gerda.live_cards() == [lost, used]
    assert gerda.post(f"/kiosk/me/cards/{lost}").location == "/kiosk/me/cards"
    assert gerda.live_cards() == [used]
    assert gerda.client.get("/kiosk/me").status_code == 200
    assert gerda.client.get(f"/kiosk/me/cards/{lost}").status_code == 404


def test_who_blocks_the_card_in_the_hand_is_signed_out(gerda: Villager):
    lost, used = gerda.cards
    gerda.sign_in()
    assert gerda.post(f"/kiosk/me/cards/{used}").location == "/kiosk/"
    assert gerda.live_cards() == [lost]
    assert gerda.client.get("/kiosk/me").status_code == 303
    assert gerda.sign_in().status_code == 404


def test_a_foreign_card_is_not_there(gerda: Villager):
    gerda.sign_in()
    assert gerda.client.get(f"/kiosk/me/cards/{gerda.foreign_card}").status_code == 404
    assert gerda.post(f"/kiosk/me/cards/{gerda.foreign_card}").status_code == 404


def test_without_a_sign_in_nothing_is_changed(gerda: Villager):
    for path in ("/kiosk/me/settings", f"/kiosk/me/cards/{gerda.cards[0]}", "/kiosk/me/parcels"):
        assert gerda.post(path, **WISHES).status_code in {302, 303, 401, 403}
    assert gerda.live_cards() == sorted(gerda.cards)
