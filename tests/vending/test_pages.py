"""The machine's pages: choose, pay, read how it went; fill and mend in the office."""

import re

import pytest
from sqlalchemy import select

from shop_hub.core.access import Role
from shop_hub.fleet.models import CommandState
from shop_hub.people import service as people
from shop_hub.vending.models import Flag, SlotState, VendingSlot
from shop_hub.vending.queries import Phase
from tests.checkout.shop import COLA
from tests.machines import Visitor

PIN = "2580"


@pytest.fixture
def kiosk(village, app, client, site):
    return Visitor(app, client, site.id).become(Role.KIOSK, kiosk_id=village.kiosk_id)


@pytest.fixture
def office(village, app, client, site):
    assert village.machine_id
    return Visitor(app, client, site.id).become(Role.OPERATOR)


@pytest.fixture
def card(village, app):
    with village.session() as session:
        people.set_pin(session, app.hasher, village.member_id, PIN)
        return people.issue_card(session, village.member_id).text


def slot_page(village, number, end=""):
    return f"/kiosk/vending/slots/{village.slots[number]}{end}"


def test_the_grid_shows_numbers_prices_and_what_is_sold_out(village, kiosk):
    for _ in range(3):
        village.buy(3)
        village.result(village.command(), CommandState.DONE)
    page = kiosk.get("/kiosk/vending")
    assert re.findall(r'class="slot-number">(\d)<', page) == ["1", "2", "3"]
    assert page.count('href="/kiosk/vending/slots/') == 2
    assert "€1.29" in page
    assert "plus €0.15 deposit" in page
    assert "sold out" in page


def test_anybody_may_look_but_only_a_kiosk_may_choose(village, kiosk):
    kiosk.become()
    kiosk.get("/kiosk/vending")
    kiosk.get(slot_page(village, 1), status=401)


def test_a_villager_pays_with_card_and_pin_and_sees_it_drop(village, kiosk, card):
    page = kiosk.get(slot_page(village, 1, "/account"))
    assert "Please hold your member card" in page
    page = kiosk.post(slot_page(village, 1, "/card"), slot_page(village, 1, "/account"), status=200, code=card)
    assert card in page
    page = kiosk.post(slot_page(village, 1, "/account"), slot_page(village, 1), card=card, pin=PIN)
    assert "Your article is coming." in page
    village.result(village.command(), CommandState.DONE)
    (vend_id,) = village.vend_ids()
    with village.session() as session:
        from shop_hub.vending.models import Vend

        public_id = session.get(Vend, vend_id).public_id
    page = kiosk.get(f"/kiosk/vending/vends/{public_id}")
    assert "Please take your article out below." in page
    assert "/kiosk/shop/receipts/" in page or "receipt" in page


def test_a_wrong_pin_buys_nothing(village, kiosk, card):
    page = kiosk.post(slot_page(village, 1, "/account"), slot_page(village, 1), status=403, card=card, pin="0000")
    assert ("The PIN is not right." in page, 'data-pad="field-pin"' in page) == (True, True)
    assert village.states() == []
    fields = dict(re.findall(r'name="(csrf_token|idempotency_key)" value="([^"]*)"', page))
    answer = kiosk.client.post(slot_page(village, 1, "/account"), data={**fields, "card": card, "pin": PIN})
    assert (answer.status_code, len(village.vend_ids())) == (303, 1)


def test_what_is_no_card_is_refused_before_a_pin_is_asked(village, kiosk):
    kiosk.post(slot_page(village, 1, "/card"), slot_page(village, 1, "/account"), status=404, code="4006381333931")


def test_a_bank_card_is_asked_for_at_the_terminal(village, kiosk):
    page = kiosk.post(slot_page(village, 2, "/terminal"), slot_page(village, 2))
    assert "Please hold your card to the card machine." in page


def test_a_repeated_touch_buys_once(village, kiosk):
    text = kiosk.get(slot_page(village, 2))
    fields = dict(re.findall(r'name="(csrf_token|idempotency_key)" value="([^"]*)"', text))
    answers = {kiosk.client.post(slot_page(village, 2, "/terminal"), data=fields).location for _ in range(3)}
    assert len(answers) == 1
    assert len(village.vend_ids()) == 1


def test_each_end_is_told_in_words(village, kiosk):
    page = kiosk.post(slot_page(village, 2, "/terminal"), slot_page(village, 2))
    address = re.search(r"/kiosk/vending/vends/[0-9a-f-]+", page)[0]
    village.approve()
    village.result(village.command(), CommandState.UNKNOWN)
    assert "We are checking whether it came out." in kiosk.get(f"{address}/state")
    assert "case number" in kiosk.get(address)
    village.jobs(62)
    assert "We are giving your money back." in kiosk.get(address)
    village.answer(CommandState.DONE, op="reverse", outcome="reversed")
    assert "You have paid nothing." in kiosk.get(address)


def test_nobody_sees_another_visitor_s_purchase(village, kiosk):
    vend = village.buy(1)
    kiosk.get(f"/kiosk/vending/vends/{vend.public_id}", status=404)
    assert village.phase(vend) is Phase.DISPENSING


def test_the_office_fills_the_machine(village, office):
    machine = f"/office/vending/{village.machine_id}/refill"
    page = office.post(machine, machine, **{"slot-1": "8", "slot-2": ""})
    assert "1 slot has changed." in page
    assert (village.slot(1).pieces, village.slot(2).pieces) == (8, 3)
    assert "1 slot has changed." in office.post(
        machine, machine, **{"slot-1": "8", "replaced-1": "1", "replaced-5": "1"}
    )
    with village.database.reading() as session:
        slots = session.scalars(select(VendingSlot).order_by(VendingSlot.number))
        assert [slot.renewals for slot in slots] == [1, 0, 0, 0, 0, 0]
    office.post(machine, machine, status=422, **{"slot-1": "9"})
    office.post(machine, machine, status=422, **{"slot-1": "x"})


def test_the_office_gives_a_slot_another_article_and_switches_it(village, office):
    page = f"/office/vending/slots/{village.slots[4]}"
    found = office.get(f"{page}?q=cola")
    product = re.search(r'name="product" value="([0-9a-f-]{36})"', found)[1]
    office.post(f"{page}/goods", page, product=product)
    assert village.slot(4).product.product_id == village.products[COLA]
    office.post(f"{page}/switch", page, sells="0")
    assert (village.slot(4).state, village.slot(4).flag) == (SlotState.DISABLED, Flag.OFF)
    assert "switched off by hand" in office.get("/office/vending/")
    office.post(f"{page}/switch", page, sells="1")
    assert village.slot(4).state is SlotState.OK


def test_age_limited_articles_are_not_offered(village, office):
    page = office.get(f"/office/vending/slots/{village.slots[4]}?q=pils")
    assert 'name="product"' not in page


def test_volunteers_fill_but_change_no_planogram(village, office):
    office.become(Role.VOLUNTEER)
    office.get(f"/office/vending/{village.machine_id}/refill")
    page = f"/office/vending/slots/{village.slots[1]}"
    assert "switch" not in office.get(page)
    office.post(f"{page}/switch", "/office/vending/", status=403, sells="0")


@pytest.mark.parametrize(
    ("word", "sentence"),
    [
        ("warm", "too warm, blocked until someone has replaced the goods"),
        ("doubt", "waits until it is clear whether a piece has dropped"),
    ],
)
def test_the_office_reads_why_the_machine_itself_blocks_a_slot(village, office, word, sentence):
    village.publish("slot-01/state", word)
    assert office.get("/office/vending/").count(sentence) == 1
    assert sentence in office.get(f"/office/vending/slots/{village.slots[1]}")


def test_the_office_names_a_slot_as_the_machine_does(village, office):
    page = f"/office/vending/slots/{village.slots[1]}"
    assert "The name is saved." in office.post(f"{page}/selection", page, selection="A1")
    assert 'value="A1"' in office.get(page)
    other = f"/office/vending/slots/{village.slots[2]}"
    assert "has the selection A1 already" in office.post(f"{other}/selection", other, status=422, selection="A1")
    office.post(f"{other}/selection", other, status=422, selection="A 1;")
    assert (village.slot(1).selection, village.slot(2).selection) == ("A1", "")
