from datetime import date

import pytest
from sqlalchemy import select

from shop_hub.core.audit import AuditEntry
from shop_hub.core.db import Database
from shop_hub.core.sites import Site
from shop_hub.stock import checks, queries, receipts
from shop_hub.stock import service as stock
from shop_hub.stock.errors import (
    BadLotError,
    BadQuantityError,
    BadReceiptError,
    BadSupplierError,
    DeliveryNoteBookedError,
    EmptyReceiptError,
    ReceiptClosedError,
    SupplierExistsError,
    UnknownReceiptError,
)
from shop_hub.stock.models import GoodsReceipt, ReceiptState
from shop_hub.stock.receipts import Entry
from shop_hub.stock.service import NewLot
from tests.catalog.makers import make_basics, make_product
from tests.conftest import make_site
from tests.stock.test_races import together

WHO = {"actor": "operator:1"}
LOT = NewLot(code="L1", best_before=date(2027, 1, 31))


@pytest.fixture
def milk(database: Database, site: Site) -> int:
    with database.transaction() as session:
        make_basics(session)
        stock.shelf(session, site.id)
        return make_product(session, site.id).id


@pytest.fixture
def supplier(database: Database, site: Site) -> int:
    with database.transaction() as session:
        return receipts.add_supplier(session, "Bäckerei  Krug", site_id=site.id, **WHO)


@pytest.fixture
def receipt(database: Database, site: Site, supplier: int) -> GoodsReceipt:
    with database.transaction() as session:
        return receipts.open_receipt(session, site.id, supplier, " ls 4711 ", **WHO)


def load(session: object, receipt: GoodsReceipt) -> GoodsReceipt:
    return receipts.receipt(session, receipt.site_id, receipt.public_id)  # type: ignore[arg-type]


def test_a_delivery_with_broken_goods(database: Database, site: Site, milk: int, receipt: GoodsReceipt) -> None:
    with database.transaction() as session:
        open_ = load(session, receipt)
        receipts.add_line(session, open_, milk, Entry(good_milli=22_000, broken_milli=2000, lot=LOT))
        assert queries.level(session, site.id, milk) == 0
        receipts.book(session, open_, **WHO)
    with database.reading() as session:
        assert queries.level(session, site.id, milk) == 22_000
        [left] = queries.lots(session, site.id, milk)
        assert (left.code, left.day, left.on_hand_milli) == ("L1", date(2027, 1, 31), 22_000)
        moves = [(move.reason, move.quantity_milli, move.sign) for move in queries.moves(session, site.id, milk)]
        assert moves == [("waste", 2000, -1), ("receipt", 24_000, 1)]
        entry = session.scalars(select(AuditEntry).where(AuditEntry.action == "goods-received")).one()
        assert (entry.object, entry.detail) == (f"goods-receipt:{receipt.id}", {"lines": 1})
        assert [list(check(session)) for check in checks.CHECKS] == [[], []]


def test_scanning_counts_up_per_lot(database: Database, milk: int, receipt: GoodsReceipt) -> None:
    one, one_of_lot = Entry(good_milli=1000), Entry(good_milli=1000, lot=LOT)
    with database.transaction() as session:
        open_ = load(session, receipt)
        for entry in (one, one, one_of_lot, one_of_lot, one):
            receipts.add_line(session, open_, milk, entry)
        found = [(line.lot_code, line.good_milli) for line in receipts.receipt_lines(session, receipt.id)]
    assert found == [("", 2000), ("L1", 3000)]


def test_lines_can_be_changed_and_taken_out(database: Database, milk: int, receipt: GoodsReceipt) -> None:
    with database.transaction() as session:
        open_ = load(session, receipt)
        line = receipts.add_line(session, open_, milk, Entry(good_milli=1000))
        changed = receipts.change_line(session, open_, line.id, Entry(good_milli=5000, lot=LOT))
        assert (changed.good_milli, changed.lot_code, changed.best_before) == (5000, "L1", LOT.best_before)
        receipts.remove_line(session, open_, line.id)
        assert receipts.receipt_lines(session, receipt.id) == []
        with pytest.raises(UnknownReceiptError):
            receipts.remove_line(session, open_, 999)


@pytest.mark.parametrize(
    ("entry", "error"),
    [
        (Entry(good_milli=0), BadQuantityError),
        (Entry(good_milli=-1, broken_milli=5), BadQuantityError),
        (Entry(good_milli=10**12), BadQuantityError),
        (Entry(good_milli=1, lot=NewLot(best_before=date(2027, 1, 1), use_by=date(2027, 1, 1))), BadLotError),
    ],
)
def test_impossible_lines_are_refused(
    database: Database, milk: int, receipt: GoodsReceipt, entry: Entry, error: type[Exception]
) -> None:
    with pytest.raises(error), database.transaction() as session:
        receipts.add_line(session, load(session, receipt), milk, entry)


def test_the_same_note_is_one_receipt(database: Database, site: Site, milk: int, supplier: int) -> None:
    with database.transaction() as session:
        first = receipts.open_receipt(session, site.id, supplier, "LS 4711", **WHO)
        again = receipts.open_receipt(session, site.id, supplier, "ls4711", **WHO)
        assert again.id == first.id
        receipts.add_line(session, first, milk, Entry(good_milli=1000))
        receipts.book(session, first, **WHO)
    with pytest.raises(DeliveryNoteBookedError) as refusal, database.transaction() as session:
        receipts.open_receipt(session, site.id, supplier, "LS 4711", **WHO)
    assert refusal.value.params == {"delivery_note": "LS4711"}


def test_another_site_cannot_go_on_with_it(database: Database, supplier: int, receipt: GoodsReceipt) -> None:
    other = make_site(database, "buchow")
    with pytest.raises(DeliveryNoteBookedError), database.transaction() as session:
        receipts.open_receipt(session, other.id, supplier, "LS4711", **WHO)
    with pytest.raises(UnknownReceiptError), database.reading() as session:
        receipts.receipt(session, other.id, receipt.public_id)


def test_a_receipt_needs_supplier_note_and_lines(
    database: Database, site: Site, supplier: int, receipt: GoodsReceipt
) -> None:
    for supplier_id, note in ((supplier, "  "), (supplier, "x" * 61), (999, "1")):
        with pytest.raises(BadReceiptError), database.transaction() as session:
            receipts.open_receipt(session, site.id, supplier_id, note, **WHO)
    with pytest.raises(EmptyReceiptError), database.transaction() as session:
        receipts.book(session, load(session, receipt), **WHO)
    with database.reading() as session:
        assert load(session, receipt).state == ReceiptState.OPEN


def test_a_mistake_is_undone_and_the_note_may_come_again(
    database: Database, site: Site, milk: int, supplier: int, receipt: GoodsReceipt
) -> None:
    with database.transaction() as session:
        open_ = load(session, receipt)
        receipts.add_line(session, open_, milk, Entry(good_milli=5000, broken_milli=1000, lot=LOT))
        receipts.book(session, open_, **WHO)
    with database.transaction() as session:
        receipts.undo(session, load(session, receipt), **WHO)
    with database.reading() as session:
        assert queries.level(session, site.id, milk) == 0
        assert queries.lots(session, site.id) == []
        assert [list(check(session)) for check in checks.CHECKS] == [[], []]
    with pytest.raises(ReceiptClosedError), database.transaction() as session:
        receipts.undo(session, load(session, receipt), **WHO)
    with database.transaction() as session:
        assert receipts.open_receipt(session, site.id, supplier, "LS4711", **WHO).id != receipt.id


def test_a_closed_receipt_stays_as_it_is(database: Database, milk: int, receipt: GoodsReceipt) -> None:
    with database.transaction() as session:
        open_ = load(session, receipt)
        line = receipts.add_line(session, open_, milk, Entry(good_milli=1000))
        receipts.book(session, open_, **WHO)
    one = Entry(good_milli=1000)
    for act in (
        lambda session: receipts.add_line(session, load(session, receipt), milk, one),
        lambda session: receipts.change_line(session, load(session, receipt), line.id, one),
        lambda session: receipts.remove_line(session, load(session, receipt), line.id),
        lambda session: receipts.discard(session, load(session, receipt)),
        lambda session: receipts.book(session, load(session, receipt), **WHO),
    ):
        with pytest.raises(ReceiptClosedError), database.transaction() as session:
            act(session)


def test_an_open_receipt_can_be_thrown_away(database: Database, milk: int, receipt: GoodsReceipt) -> None:
    with database.transaction() as session:
        receipts.add_line(session, load(session, receipt), milk, Entry(good_milli=1000))
    with database.transaction() as session:
        receipts.discard(session, load(session, receipt))
    with pytest.raises(UnknownReceiptError), database.reading() as session:
        load(session, receipt)


def test_two_volunteers_book_at_once(database: Database, site: Site, milk: int, receipt: GoodsReceipt) -> None:
    with database.transaction() as session:
        receipts.add_line(session, load(session, receipt), milk, Entry(good_milli=5000))

    def book() -> None:
        with database.transaction() as session:
            receipts.book(session, load(session, receipt), **WHO)

    outcomes = together(book, book, book)
    assert sorted(map(str, outcomes)) == [str(ReceiptClosedError)] * 2 + ["None"]
    with database.reading() as session:
        assert queries.level(session, site.id, milk) == 5000


def test_suppliers(database: Database, site: Site, supplier: int) -> None:
    with pytest.raises(SupplierExistsError), database.transaction() as session:
        receipts.add_supplier(session, "Bäckerei Krug", site_id=site.id, **WHO)
    with pytest.raises(BadSupplierError), database.transaction() as session:
        receipts.add_supplier(session, "  ", site_id=site.id, **WHO)
    with database.reading() as session:
        assert [(one.id, one.name) for one in queries.suppliers(session)] == [(supplier, "Bäckerei Krug")]
