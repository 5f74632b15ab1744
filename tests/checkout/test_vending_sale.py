"""Goods out of a machine: reserved, paid, dropped, booked; or nothing of it (shop.md acceptance 1)."""

from collections.abc import Iterator

import pytest
from sqlalchemy.orm import Session

from shop_hub.checkout import service
from shop_hub.checkout.models import SaleState
from shop_hub.checkout.service import saga
from shop_hub.checkout.service.booking import Sold
from shop_hub.fleet.models import CommandState
from shop_hub.ledger.errors import InsufficientBalanceError
from shop_hub.stock import queries as stock
from shop_hub.stock.errors import OutOfStockError
from tests.catalog.makers import gtin
from tests.checkout.shop import BREAD, COLA, Shop
from tests.checkout.test_account_sale import together


@pytest.fixture
def paid(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Sold]]:
    """The sales that the machine was told to drop."""
    told: list[Sold] = []
    monkeypatch.setattr(saga, "_on_paid", [lambda _session, sale: told.append(sale)])
    return told


def vend(shop: Shop, slot: int, *, by_card: bool = False, member_id: int | None = None) -> Sold:
    with shop.session() as session:
        (item,) = service.find_items(session, shop.site.id, [(gtin(COLA), 1)])
        return service.start_vending(
            session,
            shop.site.id,
            shop.kiosk_id,
            item,
            location_id=slot,
            member=None if by_card else shop.member(session, member_id),
            terminal_device_id=shop.terminal_id if by_card else None,
        )


def in_slot(shop: Shop, slot: int) -> int:
    with shop.database.reading() as session:
        return stock.location_level(session, slot, shop.products[COLA])


def call(shop: Shop, verb: object, *args: object, **more: object) -> None:
    with shop.session() as session:
        verb(session, *args, **more)  # type: ignore[operator]


def test_money_is_held_until_the_goods_have_dropped(shop: Shop, paid: list[Sold]) -> None:
    slot = shop.make_slot(COLA, 3)
    sold = vend(shop, slot)
    assert (sold.state, [sale.id for sale in paid]) == (SaleState.PAID, [sold.id])
    assert (in_slot(shop, slot), shop.balance(), shop.balance("held"), shop.receipts()) == (2_000, 9_876, 124, [])
    for _ in range(2):
        call(shop, service.delivered, sold.id)
    assert (shop.sale(sold).state, shop.balance("held"), shop.receipts()) == (SaleState.DONE, 0, [1])
    assert (in_slot(shop, slot), shop.level(COLA)) == (2_000, 12_000)
    assert shop.deviations() == []


def test_a_jam_gives_everything_back(shop: Shop, paid: list[Sold]) -> None:
    slot = shop.make_slot(COLA, 3)
    sold = vend(shop, slot)
    for _ in range(2):
        call(shop, service.not_delivered, sold.id, "jam")
    call(shop, service.delivered, sold.id)
    assert (shop.sale(sold).state, shop.sale(sold).reason) == (SaleState.VOID, "jam")
    assert (in_slot(shop, slot), shop.balance(), shop.balance("held"), shop.receipts()) == (3_000, 10_000, 0, [])
    assert len(paid) == 1
    assert shop.deviations() == []


def test_a_vend_in_doubt_costs_the_customer_nothing_and_the_piece_is_written_off(shop: Shop, paid: list[Sold]) -> None:
    slot = shop.make_slot(COLA, 3)
    sold = vend(shop, slot)
    call(shop, service.not_delivered, sold.id, "unknown", is_gone=True)
    assert (in_slot(shop, slot), shop.balance(), len(paid)) == (2_000, 10_000, 1)
    assert shop.deviations() == []


def test_a_card_is_charged_first_and_paid_back_after_a_jam(shop: Shop, paid: list[Sold]) -> None:
    slot = shop.make_slot(COLA, 1)
    sold = vend(shop, slot, by_card=True)
    assert (sold.state, in_slot(shop, slot), paid) == (SaleState.NEW, 0, [])
    shop.approve()
    assert (shop.sale(sold).state, len(paid)) == (SaleState.PAID, 1)
    call(shop, service.not_delivered, sold.id, "jam")
    assert shop.sale(sold).state is SaleState.ABORT
    shop.answer(CommandState.DONE, op="reverse", outcome="reversed")
    assert (shop.sale(sold).state, in_slot(shop, slot), shop.receipts()) == (SaleState.VOID, 1_000, [])
    assert shop.deviations() == []


def test_a_card_payment_of_dropped_goods_is_captured(shop: Shop, paid: list[Sold]) -> None:
    slot = shop.make_slot(COLA, 1)
    sold = vend(shop, slot, by_card=True)
    shop.approve()
    call(shop, service.delivered, sold.id)
    assert (shop.sale(sold).state, shop.balance("card-clearing"), len(paid)) == (SaleState.DONE, -124, 1)
    assert shop.deviations() == []


def test_a_declined_card_frees_the_piece(shop: Shop, paid: list[Sold]) -> None:
    slot = shop.make_slot(COLA, 1)
    vend(shop, slot, by_card=True)
    shop.answer(CommandState.FAILED, "declined", outcome="declined")
    assert (in_slot(shop, slot), paid) == (1_000, [])
    assert shop.deviations() == []


def test_of_four_at_once_one_gets_the_last_piece_of_a_slot(shop: Shop, paid: list[Sold]) -> None:
    slot = shop.make_slot(COLA, 1)
    found = together(4, lambda _number: vend(shop, slot))
    assert sum(isinstance(it, OutOfStockError) for it in found) == 3
    assert (in_slot(shop, slot), len(paid), shop.balance()) == (0, 1, 9_876)
    assert shop.deviations() == []


def test_without_money_nothing_is_reserved(shop: Shop, paid: list[Sold]) -> None:
    slot = shop.make_slot(COLA, 1)
    with shop.session() as session:
        poor = shop.make_member(session, cents=0)
    with pytest.raises(InsufficientBalanceError):
        vend(shop, slot, member_id=poor)
    assert (in_slot(shop, slot), paid) == (1_000, [])


def test_after_a_restart_the_command_to_drop_is_made_sure_of(shop: Shop, paid: list[Sold]) -> None:
    slot = shop.make_slot(COLA, 1)
    sold = vend(shop, slot)
    shop.tick(3)
    assert [sale.public_id for sale in paid] == [sold.public_id] * 2
    assert shop.sale(sold).state is SaleState.PAID
    assert shop.level(BREAD) == 10_000


def test_a_hook_that_fails_keeps_nothing(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_session: Session, _sale: Sold) -> None:
        raise OutOfStockError

    slot = shop.make_slot(COLA, 1)
    monkeypatch.setattr(saga, "_on_paid", [broken])
    with pytest.raises(OutOfStockError):
        vend(shop, slot)
    assert (in_slot(shop, slot), shop.balance(), shop.deviations()) == (1_000, 10_000, [])
