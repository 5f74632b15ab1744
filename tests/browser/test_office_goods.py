"""Goods in the backoffice, in a real browser: a volunteer books a delivery with a scanner, an operator sets a price."""

import pytest
from playwright.sync_api import Page, expect

from shop_hub.catalog import queries as catalog
from shop_hub.core.access import Role
from shop_hub.people import staff
from shop_hub.stock import queries as stock
from shop_hub.stock import receipts
from tests.browser.checks import axe_check
from tests.browser.conftest import LiveHub
from tests.catalog.makers import gtin, make_basics, make_product

PASSWORD = "kranich am see im herbst"
MILK, CHEESE, UNKNOWN = gtin(501), gtin(502), gtin(599)


@pytest.fixture(scope="module")
def goods(live_hub: LiveHub) -> dict[str, int]:
    """Milk and cheese with codes, a supplier, and two people who may sign in."""
    with live_hub.database.transaction() as session:
        make_basics(session)
        site = live_hub.site_id
        receipts.add_supplier(session, "Molkerei Seeblick", site_id=site, actor="system")
        for name, role in (("wanda", Role.VOLUNTEER), ("olga", Role.OPERATOR)):
            who = staff.create_operator(session, staff.NewOperator(user_name=name))
            staff.set_role(session, who.id, site, role)
            staff.set_password(session, live_hub.app.hasher, who.id, PASSWORD)
        return {
            "milk": make_product(session, site, name="Seeblick Milch 1 l", codes=[MILK]).id,
            "cheese": make_product(session, site, name="Seeblick Käse 200 g", codes=[CHEESE]).id,
        }


def sign_in(page: Page, name: str, *, width: int, height: int) -> None:
    page.set_viewport_size({"width": width, "height": height})
    page.goto("/office/login")
    page.fill("input[name=user_name]", name)
    page.fill("input[name=password]", PASSWORD)
    page.click("main button[type=submit], form button[type=submit]")
    page.wait_for_url("**/office/")


def scan(page: Page, code: str) -> None:
    """Type as a keyboard-wedge scanner does."""
    page.keyboard.type(code)
    page.keyboard.press("Enter")


def fits(page: Page) -> None:
    """Fail if the page is wider than the screen, or not accessible."""
    assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0
    axe_check(page)


@pytest.mark.browser
@pytest.mark.parametrize(("width", "height"), [(1366, 768), (390, 844)])
def test_a_volunteer_books_a_delivery_with_a_scanner(
    page: Page, live_hub: LiveHub, goods: dict[str, int], width: int, height: int
) -> None:
    with live_hub.database.reading() as session:
        before = stock.levels(session, live_hub.site_id, goods.values())
    sign_in(page, "wanda", width=width, height=height)
    page.goto("/office/stock/deliveries/")
    fits(page)
    page.select_option("#field-supplier", label="Molkerei Seeblick")
    page.fill("#field-delivery_note", f"LS {width}")
    page.get_by_role("button", name="Lieferung öffnen").click()
    expect(page.get_by_role("heading", name=f"Lieferung LS{width}")).to_be_visible()
    page.wait_for_function("document.querySelector('#scan')?._htmx?.initialized")
    for code in (MILK, CHEESE, MILK, MILK):
        scan(page, code)
    milk = page.locator(".delivery-line", has_text="Milch")
    expect(milk.get_by_label("Gut")).to_have_value("3")
    scan(page, UNKNOWN)
    expect(page.get_by_role("status")).to_contain_text(f"{UNKNOWN} ist hier nicht bekannt.")
    milk.get_by_label("Kaputt").fill("1")
    milk.get_by_label("Datum", exact=True).fill("2099-03-31")
    milk.get_by_label("Charge").click()
    expect(page.get_by_role("status")).to_have_count(0)  # the lines were fetched anew: the change is saved
    fits(page)
    page.get_by_role("button", name="2 Artikel buchen").click()
    page.get_by_role("dialog").get_by_role("button", name="Buchen").click()
    expect(page.get_by_role("status").first).to_contain_text("Die Lieferung ist gebucht.")
    fits(page)
    with live_hub.database.reading() as session:
        after = stock.levels(session, live_hub.site_id, goods.values())
        assert [lot.day.isoformat() for lot in stock.lots(session, live_hub.site_id, goods["milk"]) if lot.day] == [
            "2099-03-31"
        ]
    assert {key: after[key] - before[key] for key in after} == {goods["milk"]: 3000, goods["cheese"]: 1000}


@pytest.mark.browser
def test_an_operator_sets_a_price_and_counts(page: Page, live_hub: LiveHub, goods: dict[str, int]) -> None:
    sign_in(page, "olga", width=1366, height=768)
    page.goto("/office/products/")
    fits(page)
    scan(page, CHEESE)
    page.get_by_role("link", name="Seeblick Käse 200 g").click()
    fits(page)
    page.get_by_label("Neuer Preis in Euro").fill("3,29")
    page.get_by_role("button", name="Preis setzen").click()
    expect(page.get_by_role("status").first).to_contain_text("Der neue Preis gilt ab sofort.")
    page.get_by_role("main").get_by_role("link", name="Bestand").click()
    page.get_by_label("Wie viele sind wirklich da?").fill("7")
    page.get_by_role("button", name="Bestand berichtigen").click()
    expect(page.get_by_role("status").first).to_contain_text("Der Bestand ist berichtigt")
    fits(page)
    page.goto("/office/stock/")
    fits(page)
    page.goto("/office/products/new")
    fits(page)
    with live_hub.database.reading() as session:
        assert catalog.product_card(session, live_hub.site_id, goods["cheese"]).unit_price_cents == 329
        assert stock.level(session, live_hub.site_id, goods["cheese"]) == 7000
