"""Sales from a village account: one transaction (shop.md acceptance 2, 3, 15)."""

import threading
from collections.abc import Callable
from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from shop_hub.checkout import queries, receipts, service
from shop_hub.checkout.errors import (
    AgeNotProvenError,
    AlreadyUndoneError,
    BasketClosedError,
    BasketEmptyError,
    NotUndoableError,
    UndoTooLateError,
    UnknownReceiptError,
)
from shop_hub.checkout.models import Channel, SaleState
from shop_hub.core import clock
from shop_hub.core.audit import AuditEntry
from shop_hub.core.errors import BadInputError
from shop_hub.ledger import queries as ledger
from shop_hub.ledger.errors import InsufficientBalanceError
from shop_hub.stock import queries as stock
from shop_hub.stock.errors import OutOfStockError
from tests.catalog.makers import gtin
from tests.checkout.shop import BEER, BREAD, CHEESE, COLA, MARKED, MILK, Shop


def together(count: int, work: Callable[[int], object]) -> list[object]:
    """Run `work` in threads released together; return results and errors, each as it came."""
    barrier, found = threading.Barrier(count), []

    def run(number: int) -> None:
        barrier.wait()
        try:
            found.append(work(number))
        except Exception as error:  # noqa: BLE001 - the test looks at the kind
            found.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def sell(shop: Shop, *wanted: tuple[str, int], member_id: int | None = None) -> service.Item:
    with shop.session() as session:
        items = service.find_items(session, shop.site.id, wanted)
        return service.sell(session, shop.site.id, items, shop.member(session, member_id))


def test_goods_money_number_and_receipt_move_together(shop: Shop) -> None:
    sold = shop.pay(shop.basket(gtin(MILK), gtin(COLA), gtin(COLA)))
    assert (sold.state, sold.number, sold.total_cents) == (SaleState.DONE, "K1-1", 392)
    assert (shop.level(MILK), shop.level(COLA), shop.level(BREAD)) == (9_000, 8_000, 10_000)
    assert shop.balance() == 10_000 - 392
    with shop.database.reading() as session:
        entry = ledger.entry_id(session, shop.site.id, "sale", str(sold.public_id))
        assert entry is not None
        assert dict(ledger.postings(session, entry)) == {
            f"member:{shop.member_id}": -392,
            "vat:70": 9,
            "vat:190": 40,
            "deposit": 14 + 42,
            "revenue:70": 144 - 9 - 14,
            "revenue:190": 248 - 40 - 42,
        }
    assert shop.deviations() == []


def test_an_account_without_enough_money_buys_nothing(shop: Shop) -> None:
    with shop.session() as session:
        poor = shop.make_member(session, cents=391)
    basket = shop.basket(gtin(MILK), gtin(COLA), gtin(COLA))
    with pytest.raises(InsufficientBalanceError):
        shop.pay(basket, poor)
    assert shop.basket_state(basket) == "open"
    assert (shop.level(MILK), shop.balance(f"member:{poor}"), shop.receipts()) == (10_000, 391, [])
    assert shop.deviations() == []


def test_an_empty_basket_is_not_paid(shop: Shop) -> None:
    with pytest.raises(BasketEmptyError):
        shop.pay(shop.basket())


def test_numbers_run_per_register_without_gaps_after_refusals(shop: Shop) -> None:
    shop.pay(shop.basket(gtin(MILK)))
    with shop.session() as session:
        poor = shop.make_member(session, cents=0)
    with pytest.raises(InsufficientBalanceError):
        shop.pay(shop.basket(gtin(MILK)), poor)
    assert shop.pay(shop.basket(gtin(MILK))).number == "K1-2"
    assert sell(shop, (gtin(BREAD), 2)).number == "A1-1"
    assert shop.deviations() == []


def test_a_program_sells_several_articles_at_once(shop: Shop) -> None:
    sold = sell(shop, (gtin(BREAD), 2), (gtin(COLA), 1))
    assert (sold.total_cents, shop.level(BREAD), shop.level(COLA)) == (822, 8_000, 9_000)
    receipt = shop.receipt(sold)
    assert (receipt.channel, receipt.number, receipt.member_id) == (Channel.API, "A1-1", shop.member_id)
    assert [line.total_cents for line in receipt.lines] == [698, 99, 25]


def test_a_program_is_told_which_articles_the_member_may_not_have(shop: Shop) -> None:
    with pytest.raises(AgeNotProvenError) as refusal:
        sell(shop, (gtin(BREAD), 1), (gtin(BEER), 2))
    assert refusal.value.params == {"min_age": 16, "products": ["Pils"]}
    assert (shop.level(BREAD), shop.balance(), shop.receipts()) == (10_000, 10_000, [])
    with shop.session() as session:
        adult = shop.make_member(session, cents=1_000, age_level=18)
    assert sell(shop, (gtin(BEER), 2), member_id=adult).total_cents == 238


def test_two_tills_sell_the_last_soft_piece_and_a_count_is_asked_for_once(shop: Shop) -> None:
    with shop.session() as session:
        items = service.find_items(session, shop.site.id, [(gtin(BREAD), 9)])
        service.sell(session, shop.site.id, items, shop.member(session))
    baskets = [shop.basket(gtin(BREAD)) for _ in range(2)]
    sold = together(2, lambda number: shop.pay(baskets[number]))
    assert [getattr(it, "state", it) for it in sold] == [SaleState.DONE] * 2
    assert shop.level(BREAD) == -1_000
    with shop.database.reading() as session:
        assert [task.product_id for task in stock.open_tasks(session, shop.site.id)] == [shop.products[BREAD]]
    assert shop.deviations() == []


def test_of_four_tills_one_gets_the_last_hard_piece(shop: Shop) -> None:
    sell(shop, (gtin(MARKED), 9))
    baskets = [shop.basket(gtin(MARKED)) for _ in range(4)]
    found = together(4, lambda number: shop.pay(baskets[number]))
    assert sum(isinstance(it, OutOfStockError) for it in found) == 3
    assert (shop.level(MARKED), shop.receipts()) == (0, [1, 1])
    assert shop.deviations() == []


def test_a_basket_that_is_paid_twice_at_once_is_sold_once(shop: Shop) -> None:
    basket = shop.basket(gtin(CHEESE))
    found = together(4, lambda _number: shop.pay(basket))
    assert sum(isinstance(it, BasketClosedError) for it in found) == 3
    assert (shop.balance(), shop.level(CHEESE), shop.receipts()) == (8_710, 9_000, [1])


def test_many_tills_at_once_lose_nothing(shop: Shop) -> None:
    with shop.session() as session:
        rich = shop.make_member(session, cents=50_000)

    def buy(number: int) -> None:
        for _ in range(5):
            sell(shop, (gtin(MILK), 1), (gtin(number % 3 + 1), 2), member_id=rich)

    assert together(4, buy) == [None] * 4
    assert shop.receipts() == list(range(1, 21))
    assert shop.deviations() == []


def test_undo_restores_goods_money_and_deposit_with_a_negative_receipt(shop: Shop) -> None:
    sold = shop.pay(shop.basket(gtin(MILK), gtin(COLA), gtin(COLA)))
    with shop.session() as session:
        undone = service.undo(session, sold.public_id, actor="kiosk:1")
    assert (undone.number, undone.total_cents) == ("K1-2", -392)
    assert (shop.level(MILK), shop.level(COLA), shop.balance()) == (10_000, 10_000, 10_000)
    receipt = shop.receipt(undone)
    assert (receipt.reverses, receipt.deposit_cents) == ("K1-1", -65)
    assert [(row.gross_cents, row.vat_cents) for row in receipt.vat] == [(-144, -9), (-248, -40)]
    assert (shop.receipt(sold).undone_by, shop.receipt(sold).is_undoable) == ("K1-2", False)
    assert [shop.balance(key) for key in ("vat:70", "vat:190", "deposit", "revenue:70", "revenue:190")] == [0] * 5
    assert shop.deviations() == []


def test_a_second_undo_and_undoing_an_undo_are_refused(shop: Shop) -> None:
    sold = shop.pay(shop.basket(gtin(MILK)))
    with shop.session() as session:
        undone = service.undo(session, sold.public_id, actor="kiosk:1")
    for public_id, error in ((sold.public_id, AlreadyUndoneError), (undone.public_id, NotUndoableError)):
        with pytest.raises(error), shop.session() as session:
            service.undo(session, public_id, actor="kiosk:1")
    with pytest.raises(UnknownReceiptError), shop.session() as session:
        service.undo(session, uuid4(), actor="kiosk:1")
    assert (shop.balance(), shop.receipts()) == (10_000, [1, 2])


def test_a_raced_undo_happens_once(shop: Shop) -> None:
    sold = shop.pay(shop.basket(gtin(MILK)))

    def undo(_number: int) -> None:
        with shop.session() as session:
            service.undo(session, sold.public_id, actor="kiosk:1")

    found = together(4, undo)
    assert sum(isinstance(it, AlreadyUndoneError) for it in found) == 3
    assert (shop.balance(), shop.level(MILK)) == (10_000, 10_000)
    assert shop.deviations() == []


def test_after_five_minutes_only_staff_may_undo(shop: Shop) -> None:
    sold = shop.pay(shop.basket(gtin(MILK)))
    with clock.shifted(timedelta(minutes=5, seconds=1)):
        with pytest.raises(UndoTooLateError), shop.session() as session:
            service.undo(session, sold.public_id, actor="kiosk:1")
        with shop.session() as session:
            service.undo(session, sold.public_id, actor="operator:1", is_staff=True, reason="Ware verdorben")
    assert shop.balance() == 10_000


def test_staff_undo_only_with_a_reason_that_is_kept(shop: Shop) -> None:
    sold = shop.pay(shop.basket(gtin(MILK)))
    with pytest.raises(BadInputError), shop.session() as session:
        service.undo(session, sold.public_id, actor="operator:1", is_staff=True, reason=" ")
    assert shop.balance() == 9_856
    with shop.session() as session:
        service.undo(session, sold.public_id, actor="operator:1", is_staff=True, reason=" Ware verdorben ")
    with shop.database.reading() as session:
        entry = session.scalars(select(AuditEntry).where(AuditEntry.action == "sale-undone")).one()
    assert (entry.actor, entry.detail) == ("operator:1", {"cents": 144, "reason": "Ware verdorben"})


def test_a_receipt_is_found_by_its_code_only(shop: Shop) -> None:
    sold = shop.pay(shop.basket(gtin(MILK)))
    address = receipts.address("https://laden.example/", sold.public_id)
    assert address.startswith("HTTPS://LADEN.EXAMPLE/R#D1R")
    with shop.database.reading() as session:
        assert queries.receipt_by_scan(session, address.lower()).number == "K1-1"
        for wrong in (address[:-1], address[:-1] + ("A" if address[-1] != "A" else "B"), "D1R", gtin(MILK)):
            with pytest.raises(UnknownReceiptError):
                queries.receipt_by_scan(session, wrong)


def test_sales_of_today(shop: Shop) -> None:
    shop.pay(shop.basket(gtin(MILK)))
    sold = shop.pay(shop.basket(gtin(BREAD)))
    with shop.session() as session:
        service.undo(session, sold.public_id, actor="kiosk:1")
    with shop.database.reading() as session:
        assert queries.sales_today(session, shop.site.id) == queries.SalesToday(count=2, total_cents=144)
    with clock.shifted(timedelta(days=1)), shop.database.reading() as session:
        assert queries.sales_today(session, shop.site.id) == queries.SalesToday(count=0, total_cents=0)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE sale SET total_cents = 1",
        "UPDATE sale SET state = 'void', receipt_number = NULL, finalised_at = NULL",
        "DELETE FROM sale",
        "UPDATE sale_line SET total_cents = 1",
        "DELETE FROM sale_line",
    ],
)
def test_the_database_refuses_to_change_a_receipt(shop: Shop, statement: str) -> None:
    shop.pay(shop.basket(gtin(MILK)))
    with pytest.raises(DBAPIError), shop.session() as session:
        session.execute(text(statement))
    assert shop.deviations() == []


def test_verify_names_a_missing_number_and_a_missing_booking(shop: Shop) -> None:
    shop.pay(shop.basket(gtin(MILK)))
    with shop.session() as session:
        session.execute(text("UPDATE register SET last_number = 3"))
    assert [(d.check, d.expected, d.found) for d in shop.deviations()] == [
        ("receipt-numbers", "3 from 1 to 3", "1 from 1 to 1")
    ]
