"""Shopping at the kiosk's glass: scan, pay, receipt; the card terminal's part is played by the test."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, expect
from sqlalchemy import select, update

from devices.protocol.messages import Event
from shop_hub.checkout import receipts
from shop_hub.checkout.models import Sale, SaleState
from shop_hub.core import clock, tokens
from shop_hub.core.ids import uuid7
from shop_hub.core.sites import Site
from shop_hub.core.tokens import Purpose
from shop_hub.demo import goods, tables
from shop_hub.fleet import scans, settle
from shop_hub.fleet.dispatch import Dispatcher
from shop_hub.fleet.models import (
    UNRESOLVED,
    CommandState,
    Device,
    DeviceCommand,
    DeviceKind,
    HubLease,
    Kiosk,
    Link,
)
from shop_hub.ledger import service as ledger
from shop_hub.payments import listeners as payment_listeners
from shop_hub.payments import service as payments
from shop_hub.people import service as people
from tests.browser.checks import axe_check, geometry_check
from tests.browser.conftest import SCREENSHOTS, LiveHub

PIN = "4711"


@dataclass
class Till:
    """The shop of the demo's goods with a kiosk, a terminal, a scanner and a member."""

    hub: LiveHub
    dispatcher: Dispatcher = field(default_factory=Dispatcher)
    scans: int = 0

    def __post_init__(self) -> None:
        payment_listeners.register(self.dispatcher)
        with self.hub.database.transaction() as session:
            site = session.get_one(Site, self.hub.site_id)
            goods.add_rates(session)
            self.products = goods.add_goods(session, site)
            session.merge(
                HubLease(name="hub", owner="test", boot=1, generation=1, until=clock.now() + timedelta(days=2))
            )
            kiosk = Kiosk(site_id=site.id, name="Kiosk am Eingang", register_code="K9")
            session.add(kiosk)
            session.flush()
            self.kiosk_id = kiosk.id
            self.cookie = tokens.issue(session, Purpose.KIOSK, kiosk.id, site_id=site.id).text
            self.terminal_id = self._device(session, "kartengeraet", DeviceKind.TERMINAL)
            self.scanner_id = self._device(session, "scanner-9", DeviceKind.SCANNER)
            new = people.NewPerson(home_site_id=site.id, first_name="Gerda", last_name="Wendt", age_level=18)
            self.member = people.create_person(session, new)
            self.card = people.issue_card(session, self.member.id).text
            people.set_pin(session, self.hub.app.hasher, self.member.id, PIN)
            ledger.top_up(
                session, site.id, self.member.id, 5_000, source="cash-box", actor="operator:1", ref="browser-shop"
            )

    def _device(self, session: Any, slug: str, kind: DeviceKind) -> int:
        device = Device(
            site_id=self.hub.site_id, slug=slug, kind=kind, name="Kartengerät", link=Link.READY,
            link_at=clock.now(), epoch="0123456789abcdef", boot=1, kiosk_id=self.kiosk_id,
        )  # fmt: skip
        session.add(device)
        session.flush()
        return device.id

    def answer(self, state: CommandState, code: str = "", **data: Any) -> None:
        with self.hub.database.transaction() as session:
            command = session.scalars(
                select(DeviceCommand).where(
                    DeviceCommand.device_id == self.terminal_id, DeviceCommand.state.in_(UNRESOLVED)
                )
            ).one()
            settle.conclude(session, self.dispatcher, command, state, code=code, result=data)

    def serial(self, code: str) -> None:
        with self.hub.database.transaction() as session:
            device = session.get_one(Device, self.scanner_id)
            self.scans += 1
            event = Event(
                event=f"{device.epoch}/1/{self.scans}", node="scanner", type="scanned", age_ms=5,
                data={"symbology": "ean", "data": code},
            )  # fmt: skip
            scans.pass_on(session, self.dispatcher, device, event)

    def link(self, link: Link) -> None:
        with self.hub.database.transaction() as session:
            session.execute(update(Device).where(Device.id == self.terminal_id).values(link=link))


@pytest.fixture(scope="module")
def till(live_hub: LiveHub) -> Iterator[Till]:
    made = Till(live_hub)
    yield made
    with live_hub.database.transaction() as session:
        session.delete(session.get_one(HubLease, "hub"))


@pytest.fixture
def glass(page: Page, context: BrowserContext, till: Till, live_hub: LiveHub) -> Page:
    """A paired kiosk."""
    context.add_cookies([{"name": "kiosk", "value": till.cookie, "url": f"{live_hub.url}/kiosk"}])
    return page


def scan(page: Page, code: str) -> None:
    """Type as a keyboard-wedge scanner does."""
    page.wait_for_load_state("load")
    page.keyboard.type(code, delay=1)
    page.keyboard.press("Enter")


def gtin(group: str) -> str:
    """Return the code of the first piece-wise article of a group; of drinks, one with a deposit."""
    rows = [row for row in tables.rows("products") if row["group"] == group]
    return next(row["gtin"] for row in rows if group != "drinks" or row["deposit"])


def type_pin(page: Page, pin: str) -> None:
    """Touch the keys of the pad."""
    for digit in pin:
        page.locator(f".pad button[data-key='{digit}']").tap()
    page.get_by_role("button", name="Weiter").tap()


def check(page: Page) -> None:
    geometry_check(page)
    axe_check(page)


def by_card(page: Page) -> None:
    page.get_by_text("Bankkarte").tap()
    expect(page.get_by_text("Bitte halten Sie Ihre Bankkarte an das Kartengerät")).to_be_visible()


def pay_page(page: Page, *codes: str) -> None:
    """Scan goods and go to the choice of payment."""
    page.goto("/kiosk/shop")
    for code in codes:
        scan(page, code)
    expect(page.locator(".line")).to_have_count(len(set(codes)))
    page.get_by_role("button", name="Bezahlen").tap()
    expect(page.get_by_role("heading", name="Wie möchten Sie zahlen?")).to_be_visible()


def test_a_villager_scans_and_pays_from_the_village_account(glass: Page, till: Till, screenshot: Any) -> None:
    glass.goto("/kiosk/shop")
    expect(glass.get_by_text("Bitte halten Sie den Strichcode vor den Scanner")).to_be_visible()
    screenshot("1-empty")
    check(glass)
    drink, food, *_ = (gtin("drinks"), gtin("cheese"))
    for code in (food, drink, drink):
        scan(glass, code)
    expect(glass.locator(".stepper-value").first).to_have_text("2")
    expect(glass.locator(".line")).to_have_count(2)
    screenshot("2-basket")
    check(glass)
    glass.locator(".line").first.get_by_label("Eins mehr").tap()
    expect(glass.locator(".stepper-value").first).to_have_text("3")
    glass.get_by_role("button", name="Bezahlen").tap()
    expect(glass.get_by_role("heading", name="Wie möchten Sie zahlen?")).to_be_visible()
    screenshot("3-pay")
    check(glass)
    glass.get_by_text("Dorfkonto").tap()
    expect(glass.get_by_text("Bitte halten Sie Ihre Mitgliedskarte vor den Scanner")).to_be_visible()
    screenshot("4-card")
    check(glass)
    scan(glass, till.card)
    expect(glass.get_by_role("heading", name="Ihre Geheimzahl")).to_be_visible()
    screenshot("5-pin")
    check(glass)
    type_pin(glass, "4712")
    expect(glass.get_by_text("Die Geheimzahl stimmt nicht")).to_be_visible()
    type_pin(glass, PIN)
    expect(glass.get_by_role("heading", name="Guten Tag, Gerda")).to_be_visible()
    screenshot("6-account")
    check(glass)
    glass.get_by_role("button", name=re.compile("Jetzt .* bezahlen")).tap()
    expect(glass.get_by_role("heading", name="Danke für Ihren Einkauf")).to_be_visible()
    expect(glass.get_by_text("Kassenzettel K9-")).to_be_visible()
    screenshot("7-receipt")
    check(glass)
    glass.get_by_role("link", name="Einkauf zurücknehmen").tap()
    expect(glass.get_by_role("button", name="Ja, zurücknehmen")).to_be_visible()
    screenshot("8-undo")
    check(glass)
    glass.get_by_role("button", name="Ja, zurücknehmen").tap()
    expect(glass.get_by_text("Das Geld ist wieder da")).to_be_visible()
    screenshot("9-undone")
    glass.get_by_role("button", name="Fertig").tap()
    expect(glass).to_have_url(re.compile(r"/kiosk/\?fresh=1"))
    glass.goto("/kiosk/shop/receipts")
    expect(glass.get_by_text("Bitte halten Sie das Quadrat")).to_be_visible()


def test_the_card_terminal_is_waited_for_and_its_answer_comes_by_itself(
    glass: Page, till: Till, screenshot: Any
) -> None:
    pay_page(glass, gtin("bread"))
    by_card(glass)
    screenshot("waiting")
    check(glass)
    till.answer(CommandState.DONE, outcome="approved", trace=11)
    expect(glass.get_by_role("heading", name="Danke für Ihren Einkauf")).to_be_visible()
    expect(glass.get_by_text("Mit Bankkarte bezahlt")).to_be_visible()


def test_declined_cancelled_and_unknown_payments_end_in_words_to_act_on(
    glass: Page, till: Till, screenshot: Any
) -> None:
    pay_page(glass, gtin("bread"))
    by_card(glass)
    till.answer(CommandState.FAILED, "declined", outcome="declined")
    expect(glass.get_by_text("Ihre Karte wurde nicht angenommen. Es wurde nichts abgebucht.")).to_be_visible()
    screenshot("declined")
    check(glass)
    glass.get_by_role("link", name="Noch einmal zahlen").tap()
    by_card(glass)
    glass.get_by_role("button", name="Abbrechen").tap()
    expect(glass.get_by_text("Wir brechen die Zahlung ab")).to_be_visible()
    screenshot("cancelling")
    check(glass)
    till.answer(CommandState.FAILED, "aborted", outcome="aborted")
    expect(glass.get_by_text("Die Zahlung wurde abgebrochen. Es wurde nichts abgebucht.")).to_be_visible()
    glass.get_by_role("link", name="Noch einmal zahlen").tap()
    by_card(glass)
    till.answer(CommandState.UNKNOWN, "no_answer", outcome="unknown")
    expect(glass.get_by_text("Bitte zahlen Sie nicht noch einmal")).to_be_visible()
    screenshot("unknown")
    check(glass)
    glass.get_by_role("button", name="Fertig").tap()
    expect(glass).to_have_url(re.compile(r"/kiosk/\?fresh=1"))
    glass.goto("/kiosk/shop")
    expect(glass.get_by_text("wird noch geprüft. Ist es Ihre?")).to_be_visible()
    screenshot("left-behind")
    check(glass)
    glass.goto("/kiosk/shop/case")
    screenshot("case")
    check(glass)
    glass.goto("/kiosk/shop")
    glass.get_by_role("button", name="Ja, ansehen").tap()
    expect(glass.get_by_text("Bitte zahlen Sie nicht noch einmal")).to_be_visible()
    with clock.shifted(timedelta(seconds=5)):
        with till.hub.database.transaction() as session:
            payments.recover(session)
        till.answer(CommandState.DONE, outcome="approved")
    expect(glass.get_by_role("heading", name="Danke für Ihren Einkauf")).to_be_visible()


def test_age_limited_goods_are_refused_until_the_card_is_shown(glass: Page, till: Till, screenshot: Any) -> None:
    glass.goto("/kiosk/shop")
    scan(glass, gtin("bread"))
    scan(glass, gtin("spirits"))
    expect(glass.get_by_text("Diese Ware ist erst ab 18 Jahren")).to_be_visible()
    expect(glass.locator(".line")).to_have_count(1)
    screenshot("refused")
    check(glass)
    glass.get_by_role("link", name="Mitgliedskarte zeigen").tap()
    expect(glass.get_by_text("Bitte halten Sie Ihre Mitgliedskarte vor den Scanner")).to_be_visible()
    scan(glass, till.card)
    type_pin(glass, PIN)
    expect(glass.get_by_role("heading", name="Ihr Einkauf")).to_be_visible()
    scan(glass, gtin("spirits"))
    expect(glass.locator(".line")).to_have_count(2)


def test_goods_are_found_by_picture_and_by_name(glass: Page, screenshot: Any) -> None:
    glass.goto("/kiosk/shop/groups")
    screenshot("groups")
    check(glass)
    glass.get_by_text("Süßes und Knabbern", exact=True).tap()
    expect(glass.get_by_role("heading", name="Süßes und Knabbern")).to_be_visible()
    screenshot("goods")
    check(glass)
    name = glass.locator("button.good .good-name").first.inner_text()
    glass.locator("button.good").first.tap()
    expect(glass.locator(".line-name strong").first).to_have_text(name)
    glass.get_by_role("link", name="Namen eingeben").tap()
    expect(glass.locator(".keyboard")).to_be_visible()
    screenshot("search")
    glass.keyboard.type("milch", delay=150)
    glass.keyboard.press("Enter")
    expect(glass.locator(".good").first).to_be_visible()
    screenshot("found")
    check(glass)


def test_a_serial_scanner_reaches_the_open_page(glass: Page, till: Till) -> None:
    glass.goto("/kiosk/shop")
    expect(glass.locator("[hx-sse\\:connect]")).to_have_count(1)
    glass.wait_for_timeout(700)
    till.serial(gtin("bread"))
    expect(glass.locator(".line")).to_have_count(1)
    till.serial(gtin("bread"))
    expect(glass.locator(".stepper-value").first).to_have_text("2")


def test_thirty_codes_in_a_row_are_all_counted(glass: Page) -> None:
    glass.goto("/kiosk/shop")
    codes = [gtin("bread"), gtin("cheese"), gtin("drinks")]
    for number in range(30):
        scan(glass, codes[number % 3])
    expect(glass.locator(".stepper-value")).to_have_text(["10", "10", "10"], timeout=20_000)


def test_an_unknown_code_can_be_reported_in_one_touch(glass: Page, screenshot: Any) -> None:
    glass.goto("/kiosk/shop")
    scan(glass, gtin("bread"))
    scan(glass, "4006381333931")
    expect(glass.get_by_text("Diesen Code kennen wir nicht")).to_be_visible()
    screenshot()
    check(glass)
    glass.get_by_role("button", name="Ware melden").tap()
    expect(glass.get_by_text("Wir tragen die Ware ein")).to_be_visible()
    expect(glass.locator(".line")).to_have_count(1)


def test_a_receipt_comes_back_by_its_qr_code_and_opens_on_a_phone(
    glass: Page, context: BrowserContext, live_hub: LiveHub, screenshot: Any
) -> None:
    with live_hub.database.reading() as session:
        public_id = session.scalars(select(Sale.public_id).where(Sale.state == SaleState.DONE)).first()
    assert public_id is not None
    glass.goto("/kiosk/shop/receipts")
    screenshot("ask")
    check(glass)
    scan(glass, receipts.address(live_hub.url, public_id))
    expect(glass.locator(".receipt")).to_be_visible()
    phone = context.new_page()
    phone.set_viewport_size({"width": 390, "height": 844})
    phone.goto(f"/R#{receipts.token_of(public_id)}")
    expect(phone.locator(".receipt")).to_be_visible()
    assert "D1R" not in phone.url
    phone.screenshot(path=SCREENSHOTS / "receipt-phone.png")
    axe_check(phone)
    glass.goto(f"/kiosk/shop/receipt/{uuid7()}")
    expect(glass.get_by_text("Wir haben diesen Kassenzettel nicht gefunden")).to_be_visible()


@pytest.mark.parametrize("zoom", ["150", "200"])
def test_large_text_fits(glass: Page, screenshot: Any, zoom: str) -> None:
    glass.goto("/kiosk/shop")
    for group in ("bread", "cheese", "drinks"):
        scan(glass, gtin(group))
    expect(glass.locator(".line")).to_have_count(3)
    for _ in range(1 if zoom == "150" else 2):
        glass.get_by_role("button", name="Größer").tap()
    expect(glass.locator(f"html[data-zoom='{zoom}']")).to_have_count(1)
    screenshot("basket")
    geometry_check(glass)
    glass.get_by_role("button", name="Bezahlen").tap()
    expect(glass.get_by_role("heading", name="Wie möchten Sie zahlen?")).to_be_visible()
    screenshot("pay")
    geometry_check(glass)


def test_in_english_and_in_the_dark(glass: Page, screenshot: Any) -> None:
    glass.goto("/kiosk/shop")
    scan(glass, gtin("cheese"))
    glass.get_by_role("button", name="English").tap()
    glass.get_by_role("button", name="Dark").tap()
    expect(glass.get_by_role("button", name="Pay")).to_be_visible()
    screenshot()
    axe_check(glass)
