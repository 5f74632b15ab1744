"""Vending machine, cash machine and door at the kiosk's glass; the machines' part is played by the test."""

import shutil
from datetime import date
from threading import Thread

import pytest
from playwright.sync_api import expect
from werkzeug.serving import make_server

from shop_hub.app import create_app
from shop_hub.atm import listeners as atm_listeners
from shop_hub.atm import service as atm
from shop_hub.core import tokens
from shop_hub.core.db import Database
from shop_hub.core.settings import Settings
from shop_hub.core.tokens import Purpose
from shop_hub.entrance import listeners as entrance_listeners
from shop_hub.entrance import rules
from shop_hub.entrance import service as entrance
from shop_hub.entrance.models import Audience, HolidayRule
from shop_hub.fleet.models import CommandState, Device, DeviceKind, Link
from shop_hub.people import service as people
from tests import machines
from tests.atm.test_status import report
from tests.browser.checks import axe_check, geometry_check
from tests.browser.conftest import LiveHub
from tests.conftest import make_site
from tests.vending.world import Village

PIN = "2580"


@pytest.fixture(scope="session")
def hub(sqlite_template, tmp_path_factory):
    """A hub of its own with a village that has all machines."""
    folder = tmp_path_factory.mktemp("machines")
    shutil.copy(sqlite_template, folder / "hub.sqlite3")
    settings = Settings(data=folder, production=False)
    database = Database(settings.database)
    site = make_site(database)
    app = create_app(settings, database)
    village = Village(database, site)
    village.app = app
    for module in (atm_listeners, entrance_listeners):
        module.register(village.dispatcher)
    with village.session() as session:
        _add_door_and_cash(session, village)
        people.set_pin(session, app.hasher, village.member_id, PIN)
        village.card = people.issue_card(session, village.member_id).text
        village.pairing = tokens.issue(session, Purpose.KIOSK, village.kiosk_id, site_id=site.id).text
    server = make_server("127.0.0.1", 0, app, threaded=True)
    server.daemon_threads = True
    Thread(target=server.serve_forever, daemon=True).start()
    village.url = f"http://127.0.0.1:{server.port}"
    yield village
    server.shutdown()
    database.dispose()


def _add_door_and_cash(session, village):
    site_id = village.site.id
    door = machines.connect_device(session, site_id, DeviceKind.DOOR, "tuer")
    cash = machines.connect_device(session, site_id, DeviceKind.ATM, "geldautomat")
    village.door_id, village.cash_id = door.id, cash.id
    entrance.add_entrance(
        session, site_id, entrance.NewEntrance(name="Tür", device_id=door.id, is_free_for_everyone=False)
    )
    always = rules.NewRule(
        audience=Audience.MEMBERS,
        opens_minute=0,
        closes_minute=1440,
        holidays=HolidayRule.ALSO,
        christmas_eve_minute=None,
        valid_from=date(2020, 1, 1),
    )
    rules.add_rule(session, site_id, always, actor="operator:1")
    new = atm.NewCashMachine(
        bank="Genossenschaftsbank Kranichland", device_id=cash.id, place="Im Eingang links", fee_note="Kostenlos"
    )
    atm.add_machine(session, site_id, new)
    atm.record_state(session, cash, report())


@pytest.fixture(scope="session")
def live_hub(hub):
    """Pages of these tests come from the hub with machines."""
    return LiveHub(hub.app, hub.database, hub.site.id, hub.url)


@pytest.fixture
def glass(page, hub):
    """The browser is the screen in the shop."""
    page.context.add_cookies([{"name": "kiosk", "value": hub.pairing, "url": f"{hub.url}/kiosk/"}])
    return page


def check(page):
    geometry_check(page)
    axe_check(page)


def scan(page, code):
    page.wait_for_load_state("load")
    page.keyboard.type(code, delay=1)
    page.keyboard.press("Enter")


def pay_from_account(page, hub, slot, *, says="Ihre Ware kommt."):
    page.goto(f"{hub.url}/kiosk/vending")
    page.locator("a.slot").nth(slot - 1).tap()
    page.get_by_text("Dorfkonto").tap()
    expect(page.get_by_text("Bitte halten Sie Ihre Mitgliedskarte vor den Scanner.")).to_be_visible()
    scan(page, hub.card)
    for digit in PIN:
        page.get_by_role("button", name=digit, exact=True).tap()
    page.get_by_role("button", name="bezahlen").tap()
    expect(page.get_by_text(says)).to_be_visible()


def test_a_villager_buys_out_of_the_machine(glass, hub, screenshot):
    glass.goto(f"{hub.url}/kiosk/vending")
    screenshot("grid")
    check(glass)
    glass.locator("a.slot").first.tap()
    screenshot("slot")
    check(glass)
    glass.get_by_text("Dorfkonto").tap()
    screenshot("card")
    check(glass)
    scan(glass, hub.card)
    expect(glass.get_by_text("Bitte tippen Sie Ihre Geheimzahl ein.")).to_be_visible()
    screenshot("pin")
    check(glass)
    pay_from_account(glass, hub, 1)
    screenshot("coming")
    check(glass)
    hub.result(hub.command(), CommandState.DONE)
    expect(glass.get_by_text("Bitte nehmen Sie Ihre Ware unten heraus.")).to_be_visible()
    screenshot("taken")
    check(glass)
    glass.get_by_text("Beleg").tap()
    expect(glass.get_by_text("Vollmilch").first).to_be_visible()


def test_a_jam_is_told_and_costs_nothing(glass, hub, screenshot):
    before = hub.balance()
    pay_from_account(glass, hub, 3)
    hub.result(hub.command(), CommandState.FAILED, "jam")
    expect(glass.get_by_text("Sie haben nichts bezahlt.")).to_be_visible()
    screenshot("jam")
    check(glass)
    assert hub.balance() == before
    glass.get_by_text("Noch etwas kaufen").tap()
    expect(glass.get_by_text("gerade nicht", exact=True)).to_be_visible()
    hub.restock(3)


def test_a_doubt_is_told_with_a_case_number(glass, hub, screenshot):
    pay_from_account(glass, hub, 2)
    hub.result(hub.command(), CommandState.UNKNOWN, "no_answer")
    expect(glass.get_by_text("Wir prüfen, ob er herausgekommen ist.")).to_be_visible()
    expect(glass.get_by_text("Ihre Fall-Nummer")).to_be_visible()
    screenshot("doubt")
    check(glass)
    hub.jobs(62)
    expect(glass.get_by_text("Sie haben nichts bezahlt.")).to_be_visible()
    hub.restock(2)


def test_a_machine_at_which_one_chooses_says_what_to_press(glass, hub, screenshot):
    hub.publish("unit/choice", "machine")
    glass.goto(f"{hub.url}/kiosk/vending")
    expect(glass.get_by_text("Drücken Sie dann die Nummer am Automaten.")).to_be_visible()
    check(glass)
    glass.locator("a.slot").first.tap()
    expect(glass.get_by_text("Wenn Sie bezahlt haben, drücken Sie am Automaten die")).to_be_visible()
    screenshot("before")
    check(glass)
    pay_from_account(glass, hub, 1, says="Drücken Sie jetzt am Automaten die")
    screenshot("press")
    check(glass)
    hub.result(hub.command(), CommandState.FAILED, "cancelled")
    expect(glass.get_by_text("Sie haben nichts bezahlt.")).to_be_visible()
    expect(glass.get_by_text("nicht rechtzeitig gedrückt")).to_be_visible()
    screenshot("too-late")
    check(glass)
    hub.publish("unit/choice", "hub")


def test_a_bank_card_pays_for_a_piece(glass, hub, screenshot):
    glass.goto(f"{hub.url}/kiosk/vending")
    glass.locator("a.slot").nth(1).tap()
    glass.get_by_role("button", name="Bankkarte").tap()
    expect(glass.get_by_text("Bitte halten Sie Ihre Bankkarte an das Kartengerät.")).to_be_visible()
    screenshot("paying")
    check(glass)
    hub.approve()
    expect(glass.get_by_text("Ihre Ware kommt.")).to_be_visible()
    hub.result(hub.command(), CommandState.DONE)
    expect(glass.get_by_text("Bitte nehmen Sie Ihre Ware unten heraus.")).to_be_visible()


def test_the_cash_machine_s_tile_and_page_follow_the_machine(glass, hub, screenshot):
    def tell(value=None, link=Link.READY):
        with hub.session() as session:
            device = session.get(Device, hub.cash_id)
            device.link = link
            if value is not None:
                hub.dispatcher.property(session, device, "atm", "status", value)
            hub.dispatcher.link(session, device)

    glass.goto(f"{hub.url}/kiosk/")
    expect(glass.get_by_text("Sie bekommen Bargeld.")).to_be_visible()
    glass.wait_for_timeout(500)  # the page listens from now on
    tell(report(withdrawal="empty"))
    expect(glass.get_by_text("Zurzeit gibt es kein Bargeld.")).to_be_visible(timeout=2000)
    glass.goto(f"{hub.url}/kiosk/atm")
    check(glass)
    glass.wait_for_timeout(500)
    tell(link=Link.SILENT)
    expect(glass.get_by_text("Nicht bekannt")).to_be_visible(timeout=2000)
    screenshot("unknown")
    check(glass)
    tell(report())
    expect(glass.get_by_text("Sie bekommen Bargeld.")).to_be_visible(timeout=2000)
    screenshot("cash")


def test_a_member_card_opens_the_door(glass, hub, screenshot):
    glass.goto(f"{hub.url}/kiosk/door")
    expect(glass.get_by_text("Offen für Mitglieder")).to_be_visible()
    screenshot("door")
    check(glass)
    scan(glass, hub.card)
    expect(glass.get_by_text("Die Tür wird geöffnet.")).to_be_visible()
    with hub.session() as session:
        (command,) = [found for found in machines.open_commands(session) if found.op == "unlock"]
        machines.answer(session, hub.dispatcher, command)
    expect(glass.get_by_text("Willkommen! Bitte drücken Sie jetzt die Tür auf.")).to_be_visible()
    screenshot("welcome")
    check(glass)
