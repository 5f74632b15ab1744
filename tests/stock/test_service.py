from dataclasses import dataclass
from datetime import date

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DatabaseError, IntegrityError

from shop_hub.core.audit import AuditEntry
from shop_hub.core.db import Database
from shop_hub.core.sites import Site
from shop_hub.stock import checks, jobs, queries, tasks
from shop_hub.stock import service as stock
from shop_hub.stock.errors import (
    AlreadyReversedError,
    BadLotError,
    BadQuantityError,
    OutOfStockError,
    UnknownLocationError,
    UnknownMoveError,
    UnknownTaskError,
)
from shop_hub.stock.models import LocationKind, MoveReason, StockMove, TaskKind
from shop_hub.stock.service import Line, NewLot
from tests.catalog.makers import make_basics, make_product
from tests.conftest import make_site

SALE = {"reason": MoveReason.SALE, "ref": "sale:1", "actor": "kiosk:1"}


@dataclass(frozen=True)
class Shop:
    """A site with milk and beer on the books, both at zero, and an empty slot."""

    database: Database
    site: int
    milk: int
    beer: int
    shelf: int
    slot: int

    def level(self, product_id: int) -> int:
        with self.database.reading() as session:
            return queries.level(session, self.site, product_id)

    def at(self, location_id: int, product_id: int) -> int:
        with self.database.reading() as session:
            return queries.location_level(session, location_id, product_id)

    def receive(self, quantity_milli: int, lot: NewLot | None = None) -> None:
        with self.database.transaction() as session:
            stock.receive(session, self.site, self.milk, quantity_milli, lot=lot, actor="operator:1")

    def sell(self, quantity_milli: int, **changed: object) -> None:
        with self.database.transaction() as session:
            stock.take_soft(session, self.site, self.milk, quantity_milli, **(SALE | changed))  # type: ignore[arg-type]

    def lots(self) -> dict[str, int]:
        with self.database.reading() as session:
            return {lot.code: lot.on_hand_milli for lot in queries.lots(session, self.site, self.milk)}

    def verify(self) -> None:
        with self.database.reading() as session:
            assert [list(check(session)) for check in checks.CHECKS] == [[], []]


@pytest.fixture
def shop(database: Database, site: Site) -> Shop:
    with database.transaction() as session:
        make_basics(session)
        milk = make_product(session, site.id).id
        beer = make_product(session, site.id, name="Bier").id
        shelf = stock.shelf(session, site.id)
        slot = stock.put_location(session, site.id, LocationKind.SLOT, "7")
    return Shop(database, site.id, milk, beer, shelf, slot)


LOT_A = NewLot(code="A", best_before=date(2026, 12, 1))
LOT_B = NewLot(code="B", best_before=date(2026, 12, 5))
LOT_C = NewLot(code="C", best_before=date(2026, 1, 1))


def test_goods_come_and_go(shop: Shop) -> None:
    shop.receive(5000)
    shop.sell(2000)
    assert (shop.level(shop.milk), shop.level(shop.beer)) == (3000, 0)
    with shop.database.reading() as session:
        seen = [
            (move.reason, move.quantity_milli, move.sign, move.ref)
            for move in queries.moves(session, shop.site, shop.milk)
        ]
        assert queries.levels(session, shop.site, [shop.beer, shop.milk]) == {shop.beer: 0, shop.milk: 3000}
    assert seen == [(MoveReason.SALE, 2000, -1, "sale:1"), (MoveReason.RECEIPT, 5000, 1, "")]
    shop.verify()


def test_what_is_in_the_hand_is_sold_and_one_count_task_is_made(shop: Shop) -> None:
    shop.receive(1000)
    shop.sell(1000)
    shop.sell(1000)
    shop.sell(1000)
    assert shop.level(shop.milk) == -2000
    with shop.database.reading() as session:
        [task] = queries.open_tasks(session, shop.site)
    assert (task.kind, task.product_id, task.location_id) == (TaskKind.COUNT, shop.milk, shop.shelf)
    shop.verify()


def test_a_slot_never_gives_more_than_it_holds(shop: Shop) -> None:
    shop.receive(1000)
    with shop.database.transaction() as session:
        stock.move(session, shop.shelf, shop.slot, shop.milk, 1000, actor="operator:1")
        stock.take_hard(session, shop.slot, shop.milk, 1000, **SALE)
    with pytest.raises(OutOfStockError) as refusal, shop.database.transaction() as session:
        stock.take_hard(session, shop.slot, shop.milk, 1000, **SALE)
    assert refusal.value.params == {"product_id": shop.milk, "wanted_milli": 1000}
    assert (shop.at(shop.slot, shop.milk), shop.at(shop.shelf, shop.milk)) == (0, 0)
    shop.verify()


def test_a_whole_basket_is_taken_or_nothing(shop: Shop) -> None:
    shop.receive(3000)
    lines = [
        Line(product_id=shop.milk, quantity_milli=1000),
        Line(product_id=shop.milk, quantity_milli=1000),
        Line(product_id=shop.beer, quantity_milli=1000, is_hard=True),
    ]
    with pytest.raises(OutOfStockError), shop.database.transaction() as session:
        stock.take_lines(session, shop.site, lines, **SALE)
    assert (shop.level(shop.milk), shop.level(shop.beer)) == (3000, 0)
    with shop.database.transaction() as session:
        stock.take_lines(session, shop.site, lines[:2], **SALE)
    assert shop.level(shop.milk) == 1000
    shop.verify()


@pytest.mark.parametrize("quantity", [0, -1000, 10**12])
def test_strange_quantities_are_refused(shop: Shop, quantity: int) -> None:
    for act in (shop.receive, shop.sell):
        with pytest.raises(BadQuantityError):
            act(quantity)
    with pytest.raises(BadQuantityError), shop.database.transaction() as session:
        stock.take_lines(session, shop.site, [], **SALE)


def test_the_earliest_date_goes_first(shop: Shop) -> None:
    shop.receive(5000, LOT_B)
    shop.receive(2000, LOT_A)
    shop.receive(9000)
    sold = []
    for _ in range(3):
        before = shop.lots()
        shop.sell(1000)
        sold += [code for code, milli in before.items() if shop.lots().get(code, 0) < milli]
    assert sold == ["A", "A", "B"]
    assert shop.lots() == {"B": 4000}
    shop.verify()


def test_a_known_lot_goes_before_the_earliest(shop: Shop) -> None:
    shop.receive(2000, LOT_A)
    shop.receive(2000, LOT_B)
    with shop.database.transaction() as session:
        lot_id = stock.put_lot(session, shop.site, shop.milk, LOT_B)
        line = Line(product_id=shop.milk, quantity_milli=3000, lot_id=lot_id)
        stock.take_lines(session, shop.site, [line], **SALE)
    assert shop.lots() == {"A": 1000}
    shop.verify()


def test_goods_sold_before_they_were_booked_belong_to_no_lot(shop: Shop) -> None:
    shop.sell(2000)
    shop.receive(5000, LOT_A)
    assert (shop.level(shop.milk), shop.lots()) == (3000, {"A": 3000})
    shop.verify()


def test_the_same_batch_is_one_lot(shop: Shop) -> None:
    shop.receive(1000, LOT_A)
    shop.receive(1000, NewLot(code=" a ", best_before=date(2026, 12, 1)))
    assert shop.lots() == {"A": 2000}
    with pytest.raises(BadLotError):
        shop.receive(1000, NewLot(best_before=date(2026, 12, 1), use_by=date(2026, 12, 1)))


def test_lots_go_along_into_a_slot_and_back(shop: Shop) -> None:
    shop.receive(3000, LOT_A)
    with shop.database.transaction() as session:
        stock.move(session, shop.shelf, shop.slot, shop.milk, 2000, actor="operator:1")
    assert (shop.at(shop.shelf, shop.milk), shop.at(shop.slot, shop.milk)) == (1000, 2000)
    assert shop.lots() == {"A": 3000}
    with pytest.raises(OutOfStockError), shop.database.transaction() as session:
        stock.move(session, shop.slot, shop.shelf, shop.milk, 3000, actor="operator:1")
    with shop.database.transaction() as session:
        stock.move(session, shop.slot, shop.shelf, shop.milk, 2000, actor="operator:1")
    assert shop.at(shop.shelf, shop.milk) == 3000
    shop.verify()


def test_goods_never_leave_their_site(shop: Shop) -> None:
    other = make_site(shop.database, "buchow")
    with shop.database.transaction() as session:
        far = stock.shelf(session, other.id)
    for target in (far, shop.shelf, 999):
        with pytest.raises(UnknownLocationError), shop.database.transaction() as session:
            stock.move(session, shop.shelf, target, shop.milk, 1000, actor="operator:1")
    with pytest.raises(UnknownLocationError), shop.database.transaction() as session:
        stock.correct(session, shop.site, shop.milk, counted_milli=1, actor="operator:1", location_id=far)


def test_undoing_restores_goods_and_lot_once(shop: Shop) -> None:
    shop.receive(1000, LOT_A)
    shop.receive(2000)
    shop.sell(3000)
    with shop.database.transaction() as session:
        stock.put_back_ref(session, shop.site, "sale:1", actor="kiosk:1")
    assert (shop.level(shop.milk), shop.lots()) == (3000, {"A": 1000})
    with pytest.raises(AlreadyReversedError), shop.database.transaction() as session:
        stock.put_back_ref(session, shop.site, "sale:1", actor="kiosk:1")
    assert shop.level(shop.milk) == 3000
    shop.verify()


def test_there_is_nothing_to_undo(shop: Shop) -> None:
    with pytest.raises(UnknownMoveError), shop.database.transaction() as session:
        stock.put_back_ref(session, shop.site, "sale:9", actor="kiosk:1")
    shop.sell(1000)
    with shop.database.transaction() as session:
        stock.put_back_ref(session, shop.site, "sale:1", actor="kiosk:1")
        [undone] = session.scalars(select(StockMove.id).where(StockMove.reverses_id.is_not(None)))
    for move_id in (undone, 999):
        with pytest.raises(UnknownMoveError), shop.database.transaction() as session:
            stock.put_back(session, move_id, actor="kiosk:1")


def test_undoing_a_transfer_takes_the_goods_from_the_slot_again(shop: Shop) -> None:
    shop.receive(1000, LOT_A)
    with shop.database.transaction() as session:
        stock.move(session, shop.shelf, shop.slot, shop.milk, 1000, actor="operator:1", ref="fill:1")
    with shop.database.transaction() as session:
        stock.put_back_ref(session, shop.site, "fill:1", actor="operator:1")
    assert (shop.at(shop.shelf, shop.milk), shop.at(shop.slot, shop.milk)) == (1000, 0)
    shop.verify()


def test_undoing_a_transfer_finds_an_empty_slot(shop: Shop) -> None:
    with shop.database.transaction() as session:
        stock.move(session, shop.shelf, shop.slot, shop.milk, 1000, actor="operator:1", ref="fill:1")
        stock.take_hard(session, shop.slot, shop.milk, 1000, **SALE)
    with pytest.raises(OutOfStockError), shop.database.transaction() as session:
        stock.put_back_ref(session, shop.site, "fill:1", actor="operator:1")
    shop.verify()


def test_undoing_a_receipt_of_sold_goods_asks_for_a_count(shop: Shop) -> None:
    with shop.database.transaction() as session:
        stock.receive(session, shop.site, shop.milk, 2000, lot=LOT_A, actor="operator:1", ref="receipt:1")
    shop.sell(1000)
    with shop.database.transaction() as session:
        stock.put_back_ref(session, shop.site, "receipt:1", actor="operator:1")
        assert [task.kind for task in queries.open_tasks(session, shop.site)] == [TaskKind.COUNT]
    assert shop.level(shop.milk) == -1000
    shop.verify()


@pytest.mark.parametrize(("counted", "difference"), [(9000, 4000), (5000, 0), (0, -5000)])
def test_a_count_sets_the_level_and_ends_the_task(shop: Shop, counted: int, difference: int) -> None:
    shop.receive(5000, LOT_A)
    with shop.database.transaction() as session:
        tasks.open_counts(session, shop.site, shop.shelf, [shop.milk])
    with shop.database.transaction() as session:
        found = stock.correct(session, shop.site, shop.milk, counted_milli=counted, actor="operator:1")
        assert queries.open_tasks(session, shop.site) == []
        entry = session.scalars(select(AuditEntry).where(AuditEntry.action == "stock-corrected")).one()
    assert (found, shop.level(shop.milk)) == (difference, counted)
    assert entry.detail == {"location": shop.shelf, "before_milli": 5000, "counted_milli": counted, "reason": "count"}
    shop.verify()


def test_a_negative_count_is_refused(shop: Shop) -> None:
    with pytest.raises(BadQuantityError), shop.database.transaction() as session:
        stock.correct(session, shop.site, shop.milk, counted_milli=-1, actor="operator:1")


def test_counting_while_selling(shop: Shop) -> None:
    shop.receive(10_000)
    shop.sell(1000)
    with shop.database.transaction() as session:
        assert stock.correct(session, shop.site, shop.milk, counted_milli=9000, actor="operator:1") == 0


def test_waste_leaves_with_a_reason(shop: Shop) -> None:
    shop.receive(3000, LOT_A)
    with shop.database.transaction() as session:
        stock.waste(session, shop.site, shop.milk, 1000, actor="operator:1", reason=MoveReason.EXPIRED, note="mould")
        seen = queries.moves(session, shop.site, shop.milk)[0]
        actions = session.scalars(select(AuditEntry.action).where(AuditEntry.site_id == shop.site))
        assert list(actions)[-1] == "goods-wasted"
    assert (seen.reason, seen.note, seen.sign, seen.lot_code) == (MoveReason.EXPIRED, "mould", -1, "A")
    assert shop.level(shop.milk) == 2000
    with pytest.raises(OutOfStockError), shop.database.transaction() as session:
        stock.waste(session, shop.site, shop.milk, 1000, actor="operator:1", location_id=shop.slot)


def test_what_runs_low(shop: Shop) -> None:
    shop.receive(3000)
    with shop.database.transaction() as session:
        stock.set_assortment(session, shop.site, shop.milk, min_milli=3000, max_milli=9000, place="Regal 1")
        stock.set_assortment(session, shop.site, shop.beer, min_milli=0)
        stock.take_soft(session, shop.site, shop.beer, 1000, **SALE)
    with shop.database.reading() as session:
        low = [
            (item.product_id, item.on_hand_milli, item.min_milli, item.place)
            for item in queries.low_stock(session, shop.site)
        ]
    assert low == [(shop.beer, -1000, 0, ""), (shop.milk, 3000, 3000, "Regal 1")]
    shop.receive(1000)
    with shop.database.reading() as session:
        assert [item.product_id for item in queries.low_stock(session, shop.site)] == [shop.beer]
    with pytest.raises(BadQuantityError), shop.database.transaction() as session:
        stock.set_assortment(session, shop.site, shop.milk, min_milli=5, max_milli=4)


def test_another_site_sees_nothing_of_it(shop: Shop) -> None:
    other = make_site(shop.database, "buchow")
    shop.sell(1000)
    with shop.database.reading() as session:
        assert queries.level(session, other.id, shop.milk) == 0
        assert queries.open_tasks(session, other.id) == []
        assert queries.low_stock(session, other.id) == []
        assert queries.moves(session, other.id, shop.milk) == []


def test_an_unknown_code_is_reported_once(shop: Shop) -> None:
    with shop.database.transaction() as session:
        assert tasks.report_unknown_code(session, shop.site, "4006381333931")
        assert not tasks.report_unknown_code(session, shop.site, "4006381333931")
        tasks.report_unknown_code(session, shop.site, "x\x00" * 500)
        [known, garbage] = queries.open_tasks(session, shop.site)
    assert (known.detail, garbage.detail) == ({"code": "4006381333931"}, {"code": "x" * 40})
    with shop.database.transaction() as session:
        tasks.close(session, shop.site, known.public_id, actor="operator:1", is_dismissed=True)
    with pytest.raises(UnknownTaskError), shop.database.transaction() as session:
        tasks.close(session, shop.site, known.public_id, actor="operator:1")
    with shop.database.transaction() as session:
        assert tasks.report_unknown_code(session, shop.site, "4006381333931")


def test_moves_cannot_be_rewritten_and_slots_not_overdrawn_by_hand(shop: Shop) -> None:
    shop.receive(1000)
    for statement in ("UPDATE stock_move SET quantity_milli = 1", "DELETE FROM stock_move"):
        with pytest.raises(DatabaseError), shop.database.transaction() as session:
            session.execute(text(statement))
    with shop.database.transaction() as session:
        stock.move(session, shop.shelf, shop.slot, shop.milk, 1000, actor="operator:1")
    with pytest.raises(IntegrityError), shop.database.transaction() as session:
        session.execute(text(f"UPDATE stock_level SET on_hand_milli = -1 WHERE location_id = {shop.slot}"))


def test_verify_names_a_level_that_was_changed_by_hand(shop: Shop) -> None:
    shop.receive(1000, LOT_A)
    with shop.database.transaction() as session:
        session.execute(text("UPDATE stock_level SET on_hand_milli = 7"))
        session.execute(text("UPDATE lot_level SET on_hand_milli = 8"))
    with shop.database.reading() as session:
        found = [deviation for check in checks.CHECKS for deviation in check(session)]
    assert [(one.check, one.expected, one.found) for one in found] == [
        ("stock-level", "1000", "7"),
        ("lot-level", "1000", "8"),
    ]


def test_goods_past_their_use_by_date_are_to_be_pulled_once(shop: Shop) -> None:
    with shop.database.transaction() as session:
        for code, use_by in (("A", date(2026, 1, 1)), ("B", date(2999, 1, 1))):
            lot = NewLot(code=code, use_by=use_by)
            stock.receive(session, shop.site, shop.milk, 1000, lot=lot, actor="system")
        stock.receive(session, shop.site, shop.milk, 1000, lot=LOT_C, actor="system")
    for _ in range(2):
        with shop.database.transaction() as session:
            jobs.pull_expired(session)
    with shop.database.reading() as session:
        [task] = queries.open_tasks(session, shop.site)
    assert (task.kind, task.product_id) == (TaskKind.PULL, shop.milk)
    assert task.detail == {"lot": "A", "day": "2026-01-01"}
