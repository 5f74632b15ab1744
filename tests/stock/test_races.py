import threading
from collections.abc import Callable

import pytest
from sqlalchemy import func, select

from shop_hub.core.db import Database
from shop_hub.core.errors import ShopError
from shop_hub.core.sites import Site
from shop_hub.stock import checks, queries
from shop_hub.stock import service as stock
from shop_hub.stock.errors import AlreadyReversedError, OutOfStockError
from shop_hub.stock.models import LocationKind, MoveReason, StockMove
from shop_hub.stock.service import Line
from tests.catalog.makers import make_basics, make_product

SALE = {"reason": MoveReason.SALE, "actor": "kiosk:1"}
ROUNDS = 25


def together(*acts: Callable[[], None]) -> list[type[ShopError] | None]:
    """Release all acts at once; return the refusal of each, or None."""
    barrier = threading.Barrier(len(acts))
    outcomes: list[type[ShopError] | None] = [None] * len(acts)
    errors: list[BaseException] = []

    def run(number: int, act: Callable[[], None]) -> None:
        barrier.wait(10)
        try:
            act()
        except ShopError as refusal:
            outcomes[number] = type(refusal)
        except BaseException as error:  # noqa: BLE001 - shown by the assertion below
            errors.append(error)

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(acts)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert errors == []
    return outcomes


@pytest.fixture
def milk(database: Database, site: Site) -> int:
    with database.transaction() as session:
        make_basics(session)
        stock.shelf(session, site.id)
        return make_product(session, site.id).id


def verify(database: Database) -> None:
    with database.reading() as session:
        assert [list(check(session)) for check in checks.CHECKS] == [[], []]


def test_the_last_piece_in_a_slot_goes_to_one_of_four(database: Database, site: Site, milk: int) -> None:
    with database.transaction() as session:
        slot = stock.put_location(session, site.id, LocationKind.SLOT, "1")

    def buy() -> None:
        with database.transaction() as session:
            stock.take_hard(session, slot, milk, 1000, ref="sale", **SALE)

    for _ in range(ROUNDS):
        with database.transaction() as session:
            stock.receive(session, site.id, milk, 1000, actor="operator:1", location_id=slot)
        outcomes = together(buy, buy, buy, buy)
        assert sorted(map(str, outcomes)) == [str(OutOfStockError)] * 3 + ["None"]
    with database.reading() as session:
        assert queries.location_level(session, slot, milk) == 0
        sold = select(func.count()).where(StockMove.reason == MoveReason.SALE)
        assert session.scalar(sold) == ROUNDS
    verify(database)


def test_the_last_piece_on_the_shelf_is_sold_to_both(database: Database, site: Site, milk: int) -> None:
    with database.transaction() as session:
        stock.receive(session, site.id, milk, 1000, actor="operator:1")

    def buy() -> None:
        with database.transaction() as session:
            stock.take_soft(session, site.id, milk, 1000, ref="sale", **SALE)

    assert together(buy, buy) == [None, None]
    with database.reading() as session:
        assert queries.level(session, site.id, milk) == -1000
        assert len(queries.open_tasks(session, site.id)) == 1
    verify(database)


def test_the_first_sales_of_a_product_without_level_all_count(database: Database, site: Site) -> None:
    def buy(product_id: int) -> Callable[[], None]:
        def act() -> None:
            with database.transaction() as session:
                stock.take_soft(session, site.id, product_id, 1000, ref="sale", **SALE)

        return act

    with database.transaction() as session:
        make_basics(session)
    for number in range(ROUNDS // 5):
        with database.transaction() as session:
            product_id = make_product(session, site.id, name=f"Neu {number}").id
        assert together(*[buy(product_id)] * 4) == [None] * 4
        with database.reading() as session:
            assert queries.level(session, site.id, product_id) == -4000
            assert len(queries.open_tasks(session, site.id)) == number + 1
    verify(database)


def test_two_baskets_in_opposite_order_do_not_block_each_other(database: Database, site: Site, milk: int) -> None:
    with database.transaction() as session:
        beer = make_product(session, site.id, name="Bier").id
        for product_id in (milk, beer):
            lot = stock.NewLot(code="A")
            stock.receive(session, site.id, product_id, 100_000, lot=lot, actor="operator:1")

    def buy(*product_ids: int) -> Callable[[], None]:
        def act() -> None:
            with database.transaction() as session:
                lines = [Line(product_id=product_id, quantity_milli=1000) for product_id in product_ids]
                stock.take_lines(session, site.id, lines, ref="sale", **SALE)

        return act

    for _ in range(ROUNDS):
        assert together(buy(milk, beer), buy(beer, milk), buy(milk, beer), buy(beer, milk)) == [None] * 4
    with database.reading() as session:
        left = 100_000 - ROUNDS * 4000
        assert queries.levels(session, site.id, [milk, beer]) == {milk: left, beer: left}
    verify(database)


def test_a_sale_is_undone_once_however_often_it_is_asked(database: Database, site: Site, milk: int) -> None:
    for number in range(ROUNDS // 5):
        ref = f"sale:{number}"
        with database.transaction() as session:
            stock.take_soft(session, site.id, milk, 1000, ref=ref, **SALE)

        def undo(ref: str = ref) -> None:
            with database.transaction() as session:
                stock.put_back_ref(session, site.id, ref, actor="kiosk:1")

        outcomes = together(undo, undo, undo)
        assert sorted(map(str, outcomes)) == [str(AlreadyReversedError)] * 2 + ["None"]
    with database.reading() as session:
        assert queries.level(session, site.id, milk) == 0
    verify(database)


def test_counting_and_selling_at_once_lose_nothing(database: Database, site: Site, milk: int) -> None:
    with database.transaction() as session:
        stock.receive(session, site.id, milk, 10_000, lot=stock.NewLot(code="A"), actor="operator:1")

    def buy() -> None:
        with database.transaction() as session:
            stock.take_soft(session, site.id, milk, 1000, ref="sale", **SALE)

    def count() -> None:
        with database.transaction() as session:
            stock.correct(session, site.id, milk, counted_milli=10_000, actor="operator:1")

    for _ in range(ROUNDS // 5):
        assert together(buy, count, buy, count) == [None] * 4
        with database.reading() as session:
            assert queries.level(session, site.id, milk) in {8000, 9000, 10_000}
    verify(database)
