"""Filling a basket (shop.md acceptance 5, 6, 8, 16, 17)."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from shop_hub.catalog import service as catalog
from shop_hub.catalog.errors import UnreadableBarcodeError, WrongCheckDigitError
from shop_hub.checkout import queries, service
from shop_hub.checkout.errors import (
    AgeNotProvenError,
    BasketClosedError,
    PastUseByError,
    PriceChangedError,
    TooExpensiveError,
    TooManyError,
    TotalChangedError,
    UnknownLineError,
)
from shop_hub.checkout.models import AgeRefusal, LineKind, SaleLine
from shop_hub.core import clock
from shop_hub.stock import queries as stock
from tests.catalog.makers import gtin
from tests.checkout.shop import BEER, BREAD, CHEESE, COLA, GIN, MILK, Shop


def view(shop: Shop, basket_id: int) -> queries.BasketView:
    with shop.database.reading() as session:
        return queries.basket(session, basket_id)


def rows(shop: Shop, basket_id: int) -> list[tuple[str, int, int, int]]:
    return [(row.name, row.pieces, row.total_cents, row.deposit_cents) for row in view(shop, basket_id).rows]


def test_the_newest_article_stands_first_with_its_deposit_beside_it(shop: Shop) -> None:
    basket = shop.basket(gtin(MILK), gtin(COLA))
    assert rows(shop, basket) == [("Cola 0,5 l", 1, 99, 25), ("Vollmilch 1 l", 1, 129, 15)]
    assert (view(shop, basket).total_cents, view(shop, basket).deposit_cents) == (268, 40)


def test_a_second_scan_raises_the_quantity_and_the_deposit(shop: Shop) -> None:
    basket = shop.basket(gtin(MILK), gtin(MILK), gtin(COLA), gtin(MILK))
    assert rows(shop, basket) == [("Cola 0,5 l", 1, 99, 25), ("Vollmilch 1 l", 3, 387, 45)]


def test_removing_milk_removes_its_deposit(shop: Shop) -> None:
    basket = shop.basket(gtin(MILK), gtin(COLA))
    milk = view(shop, basket).rows[1].id
    with shop.session() as session:
        service.change_quantity(session, basket, milk, 4)
    assert rows(shop, basket) == [("Cola 0,5 l", 1, 99, 25), ("Vollmilch 1 l", 4, 516, 60)]
    with shop.session() as session:
        service.change_quantity(session, basket, milk, 0)
    assert rows(shop, basket) == [("Cola 0,5 l", 1, 99, 25)]
    with pytest.raises(UnknownLineError), shop.session() as session:
        service.change_quantity(session, basket, milk, 1)


def test_deposit_is_taxed_as_its_drink_and_refers_to_it(shop: Shop) -> None:
    sold = shop.pay(shop.basket(gtin(MILK), gtin(COLA), gtin(COLA)))
    with shop.database.reading() as session:
        lines = session.scalars(select(SaleLine).order_by(SaleLine.position)).all()
        found = [
            (line.kind, line.refers_to, line.vat_permille, line.quantity_milli, line.total_cents) for line in lines
        ]
    assert found == [
        (LineKind.GOODS, None, 70, 1000, 129),
        (LineKind.DEPOSIT, 1, 70, 1000, 15),
        (LineKind.GOODS, None, 190, 2000, 198),
        (LineKind.DEPOSIT, 3, 190, 2000, 50),
    ]
    assert [(row.permille, row.gross_cents, row.vat_cents) for row in shop.receipt(sold).vat] == [
        (70, 144, 9),
        (190, 248, 40),
    ]
    assert (shop.receipt(sold).goods_cents, shop.receipt(sold).deposit_cents) == (327, 65)


@pytest.mark.parametrize(
    ("scan", "error"),
    [
        ("4006381333930", WrongCheckDigitError),
        ("x" * 10_000, UnreadableBarcodeError),
        ("\x00\x1b[A", UnreadableBarcodeError),
        ("", UnreadableBarcodeError),
    ],
)
def test_garbage_leaves_the_basket_as_it_is(shop: Shop, scan: str, error: type[Exception]) -> None:
    basket = shop.basket(gtin(MILK))
    with pytest.raises(error):
        shop.scan(basket, scan)
    assert rows(shop, basket) == [("Vollmilch 1 l", 1, 129, 15)]


def test_age_limited_goods_are_refused_alone_and_logged_without_a_person(shop: Shop) -> None:
    basket = shop.basket(gtin(MILK))
    with pytest.raises(AgeNotProvenError) as refusal:
        shop.scan(basket, gtin(BEER))
    assert refusal.value.params == {"min_age": 16, "products": ["Pils"]}
    assert rows(shop, basket) == [("Vollmilch 1 l", 1, 129, 15)]
    with shop.database.reading() as session:
        logged = session.scalars(select(AgeRefusal)).one()
        assert (logged.product_id, logged.min_age, logged.kiosk_id) == (shop.products[BEER], 16, shop.kiosk_id)
        assert "member" not in AgeRefusal.__table__.columns
    assert shop.pay(basket).total_cents == 144


@pytest.mark.parametrize(("level", "beer", "gin"), [(0, False, False), (16, True, False), (18, True, True)])
def test_a_verified_level_opens_what_it_covers(shop: Shop, level: int, *, beer: bool, gin: bool) -> None:
    basket = shop.basket(age_level=level)
    for number, is_sold in ((BEER, beer), (GIN, gin)):
        if is_sold:
            shop.scan(basket, gtin(number))
        else:
            with pytest.raises(AgeNotProvenError):
                shop.scan(basket, gtin(number))
    assert len(rows(shop, basket)) == beer + gin


def test_a_shown_price_holds_until_the_quote_ends(shop: Shop) -> None:
    basket = shop.basket(gtin(BREAD))
    with shop.session() as session:
        catalog.set_price(session, shop.site.id, shop.products[BREAD], 399, actor="operator:1")
    assert shop.pay(basket).total_cents == 349


@pytest.mark.parametrize("price", [399, 299])
def test_after_the_quote_the_customer_sees_the_new_price_first(shop: Shop, price: int) -> None:
    basket = shop.basket(gtin(BREAD), gtin(MILK))
    with shop.session() as session:
        catalog.set_price(session, shop.site.id, shop.products[BREAD], price, actor="operator:1")
    with clock.shifted(timedelta(minutes=11)):
        with pytest.raises(PriceChangedError):
            shop.pay(basket)
        with shop.session() as session:
            assert service.requote(session, basket)
        assert [(row.price_before_cents, row.total_cents) for row in view(shop, basket).rows] == [
            (None, 129),
            (349, price),
        ]
        with pytest.raises(TotalChangedError), shop.session() as session:
            service.pay_from_account(session, basket, shop.member(session), expected_cents=493)
        assert shop.pay(basket).total_cents == price + 144


def test_an_old_quote_without_changes_is_renewed_silently(shop: Shop) -> None:
    basket = shop.basket(gtin(BREAD))
    with clock.shifted(timedelta(minutes=11)):
        with shop.session() as session:
            assert not service.requote(session, basket)
        assert shop.pay(basket).total_cents == 349


def test_limits_of_a_basket(shop: Shop) -> None:
    basket = shop.basket(gtin(CHEESE))
    line = view(shop, basket).rows[0].id
    with pytest.raises(TooManyError) as many, shop.session() as session:
        service.change_quantity(session, basket, line, 100)
    assert many.value.params == {"most": 99}
    with pytest.raises(TooExpensiveError) as expensive, shop.session() as session:
        service.change_quantity(session, basket, line, 99)
    assert expensive.value.params == {"most_euro": 1000}
    assert rows(shop, basket) == [("Käse", 1, 1290, 0)]


def test_a_closed_basket_takes_nothing_more(shop: Shop) -> None:
    basket = shop.basket(gtin(MILK))
    shop.pay(basket)
    with pytest.raises(BasketClosedError):
        shop.scan(basket, gtin(MILK))
    with pytest.raises(BasketClosedError):
        shop.pay(basket)
    gone = shop.basket(gtin(MILK))
    with shop.session() as session:
        service.abandon(session, gone)
    with pytest.raises(BasketClosedError):
        shop.scan(gone, gtin(MILK))


def test_a_passed_use_by_date_blocks_and_asks_to_pull_the_goods(shop: Shop) -> None:
    basket = shop.basket(gtin(MILK))
    for _ in range(2):
        with pytest.raises(PastUseByError):
            shop.scan(basket, f"]d2010{gtin(BREAD)}1725010110LOT42")
    with shop.database.reading() as session:
        tasks = stock.open_tasks(session, shop.site.id)
    assert [(task.product_id, task.detail) for task in tasks] == [
        (shop.products[BREAD], {"lot": "LOT42", "day": "2025-01-01"})
    ]
    assert len(rows(shop, basket)) == 1


def test_a_passed_best_before_date_warns_only(shop: Shop) -> None:
    basket = shop.basket(f"]d2010{gtin(BREAD)}15250101", gtin(BREAD))
    assert [(row.name, row.is_past_best_before) for row in view(shop, basket).rows] == [("Landbrot", True)]


def test_a_forgotten_basket_is_given_up(shop: Shop) -> None:
    basket = shop.basket(gtin(MILK))
    shop.tick(29 * 60)
    assert shop.basket_state(basket) == "open"
    shop.tick(31 * 60)
    assert shop.basket_state(basket) == "abandoned"
