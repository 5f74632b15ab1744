"""The stock pages as a browser sees them."""

import re
from uuid import UUID

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from shop_hub.catalog.models import Product
from shop_hub.core.access import Role
from shop_hub.core.db import Database
from shop_hub.core.ids import uuid7
from shop_hub.core.sites import Site
from shop_hub.core.web import ShopHub
from shop_hub.stock import queries, receipts, tasks
from shop_hub.stock import service as stock
from shop_hub.stock.models import GoodsReceipt, GoodsReceiptLine, MoveReason, TaskKind
from tests.catalog.makers import gtin, make_basics, make_product
from tests.catalog.test_views import Office, statements

__all__ = ["statements"]

MINUS = "\N{MINUS SIGN}"
SCRIPT = {"HX-Request": "true", "Accept-Language": "en"}


@pytest.fixture
def office(app: ShopHub, client: FlaskClient, site: Site, database: Database) -> Office:
    with database.transaction() as session:
        make_basics(session)
        stock.shelf(session, site.id)
    browser = Office(app, client, site)
    browser.become(Role.VOLUNTEER)
    return browser


@pytest.fixture
def milk(office: Office, database: Database) -> Product:
    with database.transaction() as session:
        product = make_product(session, office.site.id, codes=["4006381333931"])
        stock.receive(session, office.site.id, product.id, 10_000, lot=stock.NewLot(code="L1"), actor="system")
    return product


@pytest.fixture
def delivery(office: Office, database: Database) -> str:
    """The address of an open delivery."""
    with database.transaction() as session:
        supplier = receipts.add_supplier(session, "Hof Krug", site_id=office.site.id, actor="system")
        receipt = receipts.open_receipt(session, office.site.id, supplier, "LS 1", actor="system")
    return f"/office/stock/deliveries/{receipt.public_id}"


def page_of(product: Product) -> str:
    return f"/office/stock/products/{product.public_id}"


def level(office: Office, product: Product) -> int:
    with office.app.database.reading() as session:
        return queries.level(session, office.site.id, product.id)


@pytest.mark.parametrize(
    ("fields", "sentence", "left"),
    [
        ({"counted": "8", "reason": "theft", "note": "box was open"}, f"The stock is corrected by {MINUS}2.", 8000),
        ({"counted": "12,5", "reason": "count"}, "The stock is corrected by +2.5.", 12_500),
        ({"counted": "10", "reason": "count"}, "The stock was right.", 10_000),
        ({"counted": "-1", "reason": "count"}, "Something in the form is missing or wrong.", 10_000),
        ({"counted": "", "reason": "count"}, "Something in the form is missing or wrong.", 10_000),
        ({"counted": "5", "reason": "sale"}, "Something in the form is missing or wrong.", 10_000),
    ],
)
def test_counting(office: Office, milk: Product, fields: dict[str, str], sentence: str, left: int) -> None:
    status, page = office.post(f"{page_of(milk)}/count", page_of(milk), **fields)
    assert (status, sentence in page) == (303, True)
    assert level(office, milk) == left
    assert ("box was open" in page) == ("note" in fields)


@pytest.mark.parametrize(
    ("fields", "sentence", "left"),
    [
        ({"quantity": "2", "reason": "expired"}, "It is taken out of the stock.", 8000),
        ({"quantity": "0", "reason": "expired"}, "Please check the quantity.", 10_000),
        ({"quantity": "2", "reason": "receipt"}, "Something in the form is missing or wrong.", 10_000),
    ],
)
def test_throwing_away(office: Office, milk: Product, fields: dict[str, str], sentence: str, left: int) -> None:
    status, page = office.post(f"{page_of(milk)}/waste", page_of(milk), **fields)
    assert (status, sentence in page) == (303, True)
    assert level(office, milk) == left


def test_a_count_that_is_sent_twice_counts_once(office: Office, milk: Product) -> None:
    page = office.get(page_of(milk))
    hidden = dict(re.findall(r'name="(csrf_token|idempotency_key)" value="([^"]*)"', page))
    for _ in range(2):
        answer = office.client.post(f"{page_of(milk)}/waste", data=hidden | {"quantity": "1", "reason": "waste"})
        assert answer.status_code == 303
    assert level(office, milk) == 9000


def test_only_operators_say_what_the_shop_wants(office: Office, milk: Product) -> None:
    assert "What we want to have" not in office.get(page_of(milk))
    fields = {"min": "20", "max": "60", "place": "Regal 1"}
    assert office.post(f"{page_of(milk)}/wanted", page_of(milk), **fields)[0] == 403
    office.become(Role.OPERATOR)
    status, page = office.post(f"{page_of(milk)}/wanted", page_of(milk), **fields)
    assert (status, "runs low" in page, "Regal 1" in page) == (303, True, True)
    status, page = office.post(f"{page_of(milk)}/wanted", page_of(milk), min="20", max="10")
    assert "Please check the quantity." in page
    page = office.get("/office/stock/")
    assert "Regal 1" in page
    assert re.search(r'data-label="To order"[^>]*>50<', page)


def test_tasks_are_shown_and_closed(office: Office, database: Database, milk: Product) -> None:
    with database.transaction() as session:
        stock.take_soft(session, office.site.id, milk.id, 20_000, reason=MoveReason.SALE, ref="sale:1", actor="kiosk:1")
        tasks.open_pull(session, office.site.id, milk.id, lot="L1", day="2026-11-01")
        tasks.report_unknown_code(session, office.site.id, gtin(5))
    page = office.get("/office/stock/")
    for words in ("Count Vollmilch", "Take Vollmilch off the shelf", f"Unknown code {gtin(5)}"):
        assert words in page
    assert "Enter the product" not in page
    with database.reading() as session:
        unknown = queries.open_tasks(session, office.site.id)[2].public_id
    status, page = office.post(f"/office/stock/tasks/{unknown}/close", "/office/stock/", dismiss="1")
    assert (status, gtin(5) in page) == (303, False)
    assert office.post(f"/office/stock/tasks/{unknown}/close", "/office/stock/")[0] == 404
    office.post(f"{page_of(milk)}/count", page_of(milk), counted="3", reason="count")
    assert "Count Vollmilch" not in office.get("/office/stock/")


def test_a_scan_leads_to_the_stock_of_the_article(office: Office, milk: Product) -> None:
    answer = office.client.get("/office/stock/find?code=4006381333931")
    assert (answer.status_code, answer.location) == (303, page_of(milk))
    for code in (gtin(9), "4006381333930", "x" * 10_000, ""):
        answer = office.client.get("/office/stock/find", query_string={"code": code})
        assert answer.status_code == 303
        assert answer.location.startswith("/office/stock/")


def lines(office: Office, delivery: str) -> list[tuple[int, int, str, str]]:
    """Return good, broken, lot and date of each line."""
    with office.app.database.reading() as session:
        receipt = session.scalars(
            select(GoodsReceipt.id).where(GoodsReceipt.public_id == UUID(delivery.rsplit("/", 1)[1]))
        ).one()
        return [
            (line.good_milli, line.broken_milli, line.lot_code, str(line.use_by or line.best_before or ""))
            for line in receipts.receipt_lines(session, receipt)
        ]


def scan(office: Office, delivery: str, code: str) -> str:
    """Send a scan as the page's script does; return the fragment."""
    token = re.search(r'name="csrf_token" value="([^"]*)"', office.get(delivery))
    assert token
    data = {"barcode": code, "csrf_token": token[1], "idempotency_key": str(uuid7())}
    answer = office.client.post(f"{delivery}/scan", data=data, headers=SCRIPT)
    assert answer.status_code in {200, 422}, answer.text
    assert "<html" not in answer.text
    return answer.text


def test_a_delivery_from_note_to_shelf(office: Office, database: Database, milk: Product) -> None:
    with database.transaction() as session:
        supplier = receipts.add_supplier(session, "Hof Krug", site_id=office.site.id, actor="system")
    overview = "/office/stock/deliveries/"
    status, page = office.post(overview, overview, supplier=str(supplier), delivery_note="LS 4711")
    assert (status, "Delivery LS4711" in page, "Scan the first article." in page) == (303, True, True)
    with database.reading() as session:
        delivery = f"{overview}{session.scalars(select(GoodsReceipt.public_id)).one()}"
    scan(office, delivery, "4006381333931")
    assert "Book 2 articles" in scan(office, delivery, "]d20104006381333931" + "15270131" + "10L9")
    assert lines(office, delivery) == [(1000, 0, "", ""), (1000, 0, "L9", "2027-01-31")]
    with database.reading() as session:
        [first, _second] = session.scalars(select(GoodsReceiptLine.id).order_by(GoodsReceiptLine.id))
    fields = {"good": "22", "broken": "2", "lot": "L8", "date": "2027-02-28", "date_kind": "best_before"}
    status, page = office.post(f"{delivery}/lines/{first}", delivery, **fields)
    assert (status, 'value="22"' in page) == (200, True)
    status, page = office.post(f"{delivery}/book", delivery)
    assert (status, "The goods are in stock now." in page) == (303, True)
    assert level(office, milk) == 10_000 + 22_000 + 1000
    status, page = office.post(overview, overview, supplier=str(supplier), delivery_note="ls4711")
    assert "was booked before. Nothing was booked twice." in page
    assert office.post(f"{delivery}/undo", delivery)[0] == 403
    office.become(Role.OPERATOR)
    assert "The delivery is undone." in office.post(f"{delivery}/undo", delivery)[1]
    assert level(office, milk) == 10_000


def test_unknown_codes_are_noted_and_names_offered(
    office: Office, database: Database, milk: Product, delivery: str
) -> None:
    assert f"{gtin(3)} is not known here." in scan(office, delivery, gtin(3))
    with database.reading() as session:
        [task] = queries.open_tasks(session, office.site.id)
    assert (task.kind, task.detail) == (TaskKind.UNKNOWN_CODE, {"code": gtin(3)})
    assert "Nothing is named like this." in scan(office, delivery, "Hafer")
    page = scan(office, delivery, "vollm")
    assert "Which one is it?" in page
    status, page = office.post(f"{delivery}/lines/product/{milk.public_id}", delivery)
    assert (status, lines(office, delivery)) == (200, [(1000, 0, "", "")])
    assert "The code was not read correctly." in scan(office, delivery, "4006381333930")
    assert "We could not read" not in scan(office, delivery, "x" * 10_000)
    assert lines(office, delivery) == [(1000, 0, "", "")]


def test_a_scan_that_is_sent_twice_counts_once(office: Office, milk: Product, delivery: str) -> None:
    page = office.get(delivery)
    hidden = dict(re.findall(r'name="(csrf_token|idempotency_key)" value="([^"]*)"', page))
    for _ in range(3):
        office.client.post(f"{delivery}/scan", data=hidden | {"barcode": "4006381333931"}, headers=SCRIPT)
    assert lines(office, delivery) == [(1000, 0, "", "")]
    assert level(office, milk) == 10_000


def test_wrong_lines_are_refused_and_others_taken_out(office: Office, milk: Product, delivery: str) -> None:
    scan(office, delivery, "4006381333931")
    with office.app.database.reading() as session:
        line = session.scalars(select(GoodsReceiptLine.id)).one()
    for fields in ({"good": "0"}, {"good": "viel"}, {"good": "1", "date": "31.12."}):
        assert office.post(f"{delivery}/lines/{line}", delivery, **fields)[0] == 422
    assert lines(office, delivery) == [(1000, 0, "", "")]
    assert office.post(f"{delivery}/lines/{line}", delivery, remove="1")[0] == 200
    assert lines(office, delivery) == []
    assert office.post(f"{delivery}/book", delivery)[0] == 409
    status, page = office.post(f"{delivery}/discard", delivery)
    assert (status, "Nothing was booked." in page) == (303, True)
    assert office.client.get(delivery).status_code == 404
    assert level(office, milk) == 10_000


def test_another_site_sees_no_delivery(office: Office, delivery: str) -> None:
    office.site.id += 1
    office.become(Role.MANAGER)
    assert office.client.get(delivery).status_code == 404


def test_pages_take_the_same_statements_for_1_and_30_rows(
    office: Office, database: Database, delivery: str, statements: list[str]
) -> None:
    def fill(first: int, last: int) -> None:
        with database.transaction() as session:
            receipt = receipts.receipt(session, office.site.id, UUID(delivery.rsplit("/", 1)[1]))
            for number in range(first, last):
                product = make_product(session, office.site.id, name=f"Milch {number}", codes=[gtin(number)])
                stock.set_assortment(session, office.site.id, product.id, min_milli=1000)
                receipts.add_line(session, receipt, product.id, receipts.Entry(good_milli=1000))
                stock.take_soft(
                    session, office.site.id, product.id, 1000, reason=MoveReason.SALE, ref="s", actor="kiosk:1"
                )

    def costs() -> list[int]:
        counts = []
        for page in ("/office/stock/?q=Milch", delivery, "/office/stock/deliveries/"):
            office.get(page)
            statements.clear()
            office.get(page)
            counts.append(len(statements))
        return counts

    fill(0, 1)
    for_one = costs()
    fill(1, 30)
    assert costs() == for_one
    assert len(lines(office, delivery)) == 30


def test_suppliers_are_entered_by_operators(office: Office) -> None:
    page = "/office/stock/suppliers"
    assert office.post(page, page, name="Hof Krug")[0] == 403
    office.become(Role.OPERATOR)
    assert "The supplier is entered." in office.post(page, page, name="Hof Krug")[1]
    assert "There is a supplier of this name already." in office.post(page, page, name="Hof Krug")[1]
    assert "Please enter the name of the supplier." in office.post(page, page, name=" ")[1]
