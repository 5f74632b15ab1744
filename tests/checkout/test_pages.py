"""The till's pages without script: kiosk, phone, office. What a visitor may not see stays hidden."""

import re
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from shop_hub.checkout import receipts
from shop_hub.checkout.models import AgeRefusal
from shop_hub.core import clock
from shop_hub.core.web import ShopHub
from shop_hub.fleet.models import CommandState, Link
from shop_hub.people import signin
from tests.catalog.makers import gtin
from tests.checkout.shop import BEER, BREAD, COLA, MILK, Shop
from tests.checkout.till import Till, text


@pytest.fixture
def till(app: ShopHub, shop: Shop) -> Till:
    return Till(app, shop)


def test_scan_pay_receipt(till: Till, shop: Shop) -> None:
    till.scan(gtin(MILK), gtin(COLA), gtin(COLA))
    page = text(till.get("/kiosk/shop"))
    assert "Vollmilch 1 l 1,29 € das Stück dazu Pfand 0,15 €" in page
    assert "davon Pfand 0,65 € 3 Waren 3,92 €" in page
    assert till.post("/kiosk/shop/checkout").location == "/kiosk/shop/pay"
    assert till.get("/kiosk/shop/account").location == "/kiosk/shop/card?next=pay"
    assert "Ihre Geheimzahl" in text(till.post("/kiosk/shop/card", code=till.card, next="pay"))
    assert till.sign_in().location == "/kiosk/shop/account"
    assert "Auf Ihrem Konto 100,00 € Nach dem Einkauf 96,08 €" in text(till.get("/kiosk/shop/account"))
    paid = till.post("/kiosk/shop/pay/account", expected_cents="392")
    assert paid.status_code == 303
    receipt = text(till.get(paid.location))
    assert "Summe 3,92 €" in receipt
    assert "darin 7 % Mehrwertsteuer 0,09 € " in receipt
    assert "Kassenzettel K1-1" in receipt
    assert shop.balance() == 9_608
    assert shop.deviations() == []


def test_a_repeated_payment_is_answered_from_memory(till: Till, shop: Shop) -> None:
    till.scan(gtin(BREAD))
    till.sign_in()
    answers = [till.post("/kiosk/shop/pay/account", key="same-key-1", expected_cents="349") for _ in range(5)]
    assert {(answer.status_code, answer.location) for answer in answers} == {(303, answers[0].location)}
    assert (shop.receipts(), shop.balance()) == ([1], 9_651)
    other = till.post("/kiosk/shop/pay/account", key="same-key-1", expected_cents="1")
    assert (other.status_code, shop.receipts()) == (422, [1])


def test_nobody_pays_a_total_they_have_not_seen(till: Till, shop: Shop) -> None:
    till.scan(gtin(BREAD))
    till.sign_in()
    refused = till.post("/kiosk/shop/pay/account", expected_cents="348")
    assert (refused.status_code, "Ihr Korb ist jetzt anders" in text(refused)) == (409, True)
    assert shop.receipts() == []


def test_a_wrong_pin_and_an_unknown_card_are_told_on_the_same_page(till: Till) -> None:
    wrong = till.sign_in(pin="4712")
    assert wrong.status_code == 403
    assert "Die Geheimzahl stimmt nicht" in text(wrong)
    assert "data-pad" in wrong.text
    unknown = till.post("/kiosk/shop/card", code="D1MAAAAAAAAAAAAAAAAAAAAAAAAAA", next="pay")
    assert (unknown.status_code, "Diese Karte kennen wir nicht" in text(unknown)) == (404, True)
    assert till.get("/kiosk/shop/account").location == "/kiosk/shop/card?next=pay"


def test_after_five_minutes_money_asks_for_the_pin_again(till: Till, shop: Shop) -> None:
    till.scan(gtin(BREAD))
    till.sign_in()
    for seconds in range(60, 320, 60):
        with clock.shifted(timedelta(seconds=seconds)):
            till.get("/kiosk/shop")
    with clock.shifted(timedelta(seconds=305)):
        again = till.post("/kiosk/shop/pay/account", expected_cents="349")
    assert (again.location, shop.receipts()) == ("/kiosk/shop/card?next=pay", [])


def test_age_limited_goods_wait_for_the_card_of_someone_old_enough(till: Till, shop: Shop) -> None:
    till.scan(gtin(MILK))
    refused = till.post("/kiosk/shop/scan", code=gtin(BEER))
    assert refused.status_code == 403
    assert "Diese Ware ist erst ab 16 Jahren" in text(refused)
    assert "Mitgliedskarte zeigen" in text(refused)
    assert "Vollmilch" in text(refused)
    till.sign_in("shop")
    assert till.post("/kiosk/shop/scan", code=gtin(BEER)).status_code == 403
    with shop.session() as session:
        shop.member(session).age_level = 16
    till.sign_in("shop")
    till.scan(gtin(BEER))
    with shop.database.reading() as session:
        assert session.scalar(select(func.count()).select_from(AgeRefusal)) == 2


def test_the_first_scan_may_be_a_refused_one(till: Till) -> None:
    assert till.post("/kiosk/shop/scan", code=gtin(BEER)).status_code == 403
    assert till.post("/kiosk/shop/scan", code="4006381333931").status_code == 404
    assert till.post("/kiosk/shop/scan", code="x" * 10_000).status_code == 422
    assert "Bitte halten Sie den Strichcode" in text(till.get("/kiosk/shop"))


def test_a_card_payment_is_waited_for_cancelled_or_declined(till: Till, shop: Shop) -> None:
    till.scan(gtin(BREAD))
    waiting = till.post("/kiosk/shop/pay/card", expected_cents="349").location
    assert "Bitte halten Sie Ihre Bankkarte an das Kartengerät" in text(till.get(waiting))
    assert till.get(f"{waiting}/state?shown=new").status_code == 204
    assert till.post(f"{waiting}/cancel").location == waiting
    assert "Wir brechen die Zahlung ab" in text(till.get(waiting))
    shop.answer(CommandState.FAILED, "aborted", outcome="aborted")
    moved = till.get(f"{waiting}/state?shown=new-cancelled")
    assert (moved.status_code, moved.headers["HX-Redirect"]) == (200, waiting)
    assert "Die Zahlung wurde abgebrochen. Es wurde nichts abgebucht." in text(till.get(waiting))
    again = till.post("/kiosk/shop/pay/card", expected_cents="349").location
    shop.approve()
    done = till.get(again)
    assert "Mit Bankkarte bezahlt" in text(till.get(done.location))


def test_a_terminal_that_is_off_is_said_before_and_after(till: Till, shop: Shop) -> None:
    till.scan(gtin(BREAD))
    shop.set_link(Link.OFFLINE)
    assert "Das Kartengerät ist gerade nicht verbunden." in text(till.get("/kiosk/shop/pay"))
    refused = till.post("/kiosk/shop/pay/card", expected_cents="349")
    assert (refused.status_code, "Es wurde nichts abgebucht" in text(refused)) == (409, True)
    assert shop.basket_state(1) == "open"


def test_a_price_change_is_shown_before_it_is_paid(till: Till, shop: Shop) -> None:
    from shop_hub.catalog import service as catalog

    till.scan(gtin(BREAD))
    with shop.session() as session:
        catalog.set_price(session, shop.site.id, shop.products[BREAD], 399, actor="operator:1")
    with clock.shifted(timedelta(minutes=11)):
        assert till.post("/kiosk/shop/checkout").location == "/kiosk/shop"
        assert "vorher: 3,49 €" in text(till.get("/kiosk/shop"))
        assert till.post("/kiosk/shop/checkout").location == "/kiosk/shop/pay"


def test_nobody_sees_the_payment_or_receipt_of_another_visit(till: Till, shop: Shop) -> None:
    till.scan(gtin(BREAD))
    waiting = till.post("/kiosk/shop/pay/card").location
    shop.approve()
    receipt = till.get(waiting).location
    assert till.get(receipt).status_code == 200
    till.post("/kiosk/reset")
    for path in (waiting, f"{waiting}/state", receipt):
        assert till.get(path).status_code == 404
    assert till.post(f"{receipt.split('?')[0]}/undo").status_code == 404
    assert shop.receipts() == [1]


def test_a_receipt_comes_back_by_its_code_and_to_its_member(till: Till, shop: Shop) -> None:
    sold = shop.pay(shop.basket(gtin(BREAD)))
    code = receipts.address("http://localhost", sold.public_id)
    opened = till.post("/kiosk/shop/scan", code=code).location
    assert "Kassenzettel K1-1" in text(till.get(opened))
    till.post("/kiosk/reset")
    assert "Bitte halten Sie das Quadrat" in text(till.get("/kiosk/shop/receipts"))
    till.sign_in("receipts")
    assert "Kassenzettel K1-1" in text(till.get("/kiosk/shop/receipts"))
    assert till.get(opened).status_code == 200


def test_undo_at_the_kiosk(till: Till, shop: Shop) -> None:
    till.scan(gtin(BREAD))
    till.sign_in()
    receipt = till.post("/kiosk/shop/pay/account").location.split("?")[0]
    assert "Sie bekommen 3,49 € zurück" in text(till.get(f"{receipt}/undo"))
    undone = till.post(f"{receipt}/undo")
    assert "Rücknahme von Kassenzettel K1-1" in text(till.get(undone.location))
    twice = till.post(f"{receipt}/undo")
    assert (twice.status_code, shop.receipts()) == (409, [1, 2])
    assert shop.deviations() == []


def undo_offered(till: Till, receipt: str) -> bool:
    return f"{receipt}/undo" in till.get(receipt).text


@pytest.mark.parametrize("rail", ["account", "card"])
def test_a_scanned_receipt_is_for_reading_only(till: Till, shop: Shop, rail: str) -> None:
    basket = shop.basket(gtin(BREAD))
    sold = shop.pay(basket) if rail == "account" else shop.charge(basket)
    if rail == "card":
        shop.approve()
    opened = till.post("/kiosk/shop/scan", code=receipts.address("http://localhost", sold.public_id)).location
    assert "Kassenzettel K1-1" in text(till.get(opened))
    assert not undo_offered(till, opened)
    for refused in (till.get(f"{opened}/undo"), till.post(f"{opened}/undo")):
        assert refused.status_code == 403
        assert "Bitte melden Sie sich mit Ihrer Mitgliedskarte an" in text(refused)
    assert (shop.receipts(), shop.level(BREAD)) == ([1], 9_000)


def test_a_member_undoes_an_earlier_purchase_with_card_and_a_fresh_pin(till: Till, shop: Shop) -> None:
    sold = shop.pay(shop.basket(gtin(BREAD)))
    opened = till.post("/kiosk/shop/scan", code=receipts.address("http://localhost", sold.public_id)).location
    till.sign_in("receipts")
    assert undo_offered(till, opened)
    with clock.shifted(signin.PIN_FRESH + timedelta(seconds=1)):
        assert till.post(f"{opened}/undo").status_code == 403
    undone = till.post(f"{opened}/undo")
    assert "Rücknahme von Kassenzettel K1-1" in text(till.get(undone.location))
    assert (shop.receipts(), shop.balance()) == ([1, 2], 10_000)


def test_a_member_does_not_undo_the_purchase_of_another(till: Till, shop: Shop) -> None:
    with shop.session() as session:
        other = shop.make_member(session, cents=1_000)
    sold = shop.pay(shop.basket(gtin(BREAD)), other)
    opened = till.post("/kiosk/shop/scan", code=receipts.address("http://localhost", sold.public_id)).location
    till.sign_in("receipts")
    assert not undo_offered(till, opened)
    assert (till.post(f"{opened}/undo").status_code, shop.balance(f"member:{other}")) == (403, 651)


@pytest.mark.usefixtures("shop")
def test_an_unpaired_browser_gets_no_till(app: ShopHub) -> None:
    client = app.test_client()
    for path in ("/kiosk/shop", "/kiosk/shop/goods", "/kiosk/shop/receipts", "/kiosk/shop/pay"):
        assert client.get(path).status_code == 401


def test_goods_by_picture_and_by_word(till: Till) -> None:
    assert "Getränke" in text(till.get("/kiosk/shop/groups"))
    page = till.get("/kiosk/shop/goods?group=drinks")
    assert "Cola 0,5 l 0,99 € dazu Pfand 0,25 €" in text(page)
    product = re.search(r'name="product" value="([0-9a-f-]+)"', page.text)
    assert product is not None
    assert till.post("/kiosk/shop/goods", product=product[1]).location == "/kiosk/shop"
    assert "Wir haben nichts gefunden" in text(till.get("/kiosk/shop/goods?words=xyz"))
    assert till.post("/kiosk/shop/goods", product="nonsense").status_code == 404
    assert till.get("/kiosk/shop/goods?trail=nonsense").status_code == 422


def test_a_customer_who_left_finds_the_late_payment_again(till: Till, shop: Shop) -> None:
    till.scan(gtin(BREAD))
    waiting = till.post("/kiosk/shop/pay/card").location
    shop.answer(CommandState.UNKNOWN, "no_answer", outcome="unknown")
    page = text(till.get(waiting))
    assert "Bitte zahlen Sie nicht noch einmal" in page
    case = re.search(r"Nummer: (\d{6})", page)
    assert case is not None
    till.post("/kiosk/reset")
    assert "Die Zahlung über 3,49 € von" in text(till.get("/kiosk/shop"))
    wrong = till.post("/kiosk/shop/case", number=f"{(int(case[1]) + 1) % 1_000_000:06}")
    assert (wrong.status_code, till.get(waiting).status_code) == (404, 404)
    assert till.post("/kiosk/shop/case", number=case[1]).location == waiting
    till.post("/kiosk/reset")
    shop.tick(4)
    shop.answer(CommandState.DONE, op="status", outcome="approved")
    assert "ist angekommen. Ist es Ihre?" in text(till.get("/kiosk/shop"))
    opened = till.post(f"/kiosk/shop/left/{waiting.rsplit('/', 1)[1]}").location
    assert "Kassenzettel K1-1" in text(till.get(till.get(opened).location))
    till.post("/kiosk/reset")
    with clock.shifted(timedelta(hours=3)):
        assert "Ist es Ihre?" not in text(till.get("/kiosk/shop"))
        assert till.post(f"/kiosk/shop/left/{waiting.rsplit('/', 1)[1]}").status_code == 404


def test_case_numbers_cannot_be_tried_for_ever(till: Till) -> None:
    tries = [till.post("/kiosk/shop/case", number=f"{number:06}").status_code for number in range(12)]
    assert tries == [404] * 10 + [429] * 2
