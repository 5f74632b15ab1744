"""The map of the devices in a real browser: arranged by keys and by touch, live, on a laptop and on a phone."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from shop_hub.core import clock, events
from shop_hub.core.access import Role
from shop_hub.core.sites import Site
from shop_hub.fleet import map_plan
from shop_hub.fleet.models import Device, DeviceAlert, DeviceHealth, DeviceKind, DeviceProperty, Link
from shop_hub.people import staff
from tests.backoffice.office import PASSWORD, make_operator
from tests.browser.checks import axe_check
from tests.browser.conftest import LiveHub, serving, watched
from tests.conftest import make_site
from tests.machines import connect_device, start_hub

pytestmark = pytest.mark.browser
MAP = "/office/devices/map/"
LIFE = {"epoch": "0" * 16, "boot": 1, "seq": 1}
NAMES = {
    "station": (DeviceKind.LOCKER, "Paketstation"),
    "automat": (DeviceKind.VENDING, "Verkaufsautomat"),
    "geldautomat": (DeviceKind.ATM, "Geldautomat"),
    "tuer": (DeviceKind.DOOR, "Ladentür"),
    "kartengeraet": (DeviceKind.TERMINAL, "Kartengerät"),
    "drucker": (DeviceKind.PRINTER, "Bondrucker"),
    "scanner": (DeviceKind.SCANNER, "Scanner"),
    "kuehlregal": (DeviceKind.THERMOMETER, "Kühlregal Milch"),
    "tiefkuehltruhe": (DeviceKind.THERMOMETER, "Tiefkühltruhe"),
}
STATES = (
    ("station", "box-07", "door", "open"),
    ("automat", "slot-03", "stock", 0),
    ("automat", "unit", "temperature", 6200),
    ("geldautomat", "atm", "status", {"service": "inService"}),
    ("kartengeraet", "terminal", "state", "ready"),
    ("tuer", "door", "door", "closed"),
    ("tiefkuehltruhe", "probe", "temperature", -18500),
    ("drucker", "printer", "state", "paper-out"),
    ("kuehlregal", "probe", "temperature", 4200),
    ("kuehlregal", "probe", "limits", {"low": 2000, "high": 8000}),
)


@pytest.fixture(scope="module")
def own_hub(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveHub]:
    """A hub with devices of its own."""
    with serving(tmp_path_factory.mktemp("hub"), sqlite_template) as hub:
        yield hub


@pytest.fixture(scope="module")
def village(own_hub: LiveHub) -> dict[str, str]:
    """A shop with all kinds of devices, and a second shop; returns the devices' public ids."""
    with own_hub.database.reading() as session:
        site = session.get_one(Site, own_hub.site_id)
    operator = make_operator(own_hub.app, site, Role.ADMINISTRATOR, "planerin")
    other = make_site(own_hub.database, "nachbarort")
    with own_hub.database.transaction() as session:
        start_hub(session)
        staff.set_role(session, operator.id, other.id, Role.OPERATOR)
        far = connect_device(session, other.id, DeviceKind.LOCKER, "station")
        far.name, place = "Station im Nachbarort", {"site_id": other.id, "device_id": far.id}
        session.add(DeviceProperty(**place, **LIFE, node="box-01", name="door", value="closed", at=clock.now()))
        found = {slug: connect_device(session, site.id, kind, slug) for slug, (kind, _) in NAMES.items()}
        for slug, device in found.items():
            device.name, device.link_at = NAMES[slug][1], clock.now() - timedelta(hours=3)
            place = {"site_id": site.id, "device_id": device.id}
            session.add(DeviceHealth(**place, link=Link.READY, at=clock.now() - timedelta(days=20)))
            for back in (9, 5):
                session.add(DeviceHealth(**place, link=Link.SILENT, at=clock.now() - timedelta(days=back)))
                session.add(DeviceHealth(**place, link=Link.READY, at=clock.now() - timedelta(days=back, hours=-5)))
        found["station"].description = {"maker": "kerong", "firmware": "shop-hub 2.0", "protocol": 1}
        found["geldautomat"].link = Link.SILENT
        for slug, node, name, value in STATES:
            place = {"site_id": site.id, "device_id": found[slug].id}
            session.add(DeviceProperty(**place, **LIFE, node=node, name=name, value=value, at=clock.now()))
        complaint = {"name": "left-open-box-07", "text": "box-07 has been open for more than a minute"}
        session.add(DeviceAlert(site_id=site.id, device_id=found["station"].id, since=clock.now(), **complaint))
        return {slug: str(device.public_id) for slug, device in found.items()}


@pytest.fixture
def page(browser: Browser, browser_context_args: dict[str, Any], own_hub: LiveHub) -> Iterator[Page]:
    context = browser.new_context(**{**browser_context_args, "base_url": own_hub.url})
    made = context.new_page()
    with watched(made, own_hub.url):
        yield made
    context.close()


@pytest.fixture
def office(page: Page, village: dict[str, str]) -> Page:
    assert village
    page.goto("/office/login")
    page.get_by_label("Benutzername").fill("planerin")
    page.get_by_label("Passwort").fill(PASSWORD)
    page.get_by_role("button", name="Anmelden").click()
    expect(page.get_by_role("heading", name="Heute", exact=True)).to_be_visible()
    page.set_viewport_size({"width": 1366, "height": 768})
    return page


def add_room(office: Page, name: str) -> None:
    office.get_by_label("Name des Raums").fill(name)
    office.get_by_role("button", name="Raum hinzufügen").click()
    expect(office.get_by_role("heading", name=f"Verschieben: {name}")).to_be_visible()


def choose(office: Page, name: str) -> None:
    office.get_by_role("navigation", name="Geräte und Räume").get_by_role("link", name=name).click()
    expect(office.get_by_role("heading", name=f"Verschieben: {name}")).to_be_visible()


def place(own_hub: LiveHub, squares: dict[str, tuple[int, int]]) -> None:
    with own_hub.database.transaction() as session:
        for device in session.query(Device).filter_by(site_id=own_hub.site_id):
            if device.slug in squares:
                map_plan.place(session, device, squares[device.slug], actor="operator:1")


def test_the_plan_is_arranged_with_keys_alone_and_by_touch(office: Page, screenshot) -> None:
    office.goto(f"{MAP}arrange")
    add_room(office, "Laden")
    for key in ("Breiter", "Breiter", "Tiefer", "Nach rechts"):
        button = office.get_by_role("button", name=key)
        button.focus()
        office.keyboard.press("Enter")
        expect(office.get_by_role("button", name=key)).to_be_focused()
    room = office.locator(".plan-room")
    assert room.get_attribute("data-width") == "5"
    assert (room.get_attribute("data-column"), room.get_attribute("data-height")) == ("2", "3")

    choose(office, "Paketstation")
    office.get_by_role("button", name="Nach rechts").focus()
    for column in (1, 2, 3):
        office.keyboard.press("Enter")
        expect(office.locator(f'.plan-square[data-column="{column}"][data-row="1"] .plan-chosen')).to_be_visible()
    office.get_by_label("Wo es steht").fill("links neben der Tür")
    office.get_by_role("button", name="Speichern").click()
    expect(office.get_by_text("Gespeichert.")).to_be_visible()

    choose(office, "Bondrucker")
    office.locator('.plan-square[data-column="4"][data-row="2"] button').tap()
    expect(office.locator('.plan-square[data-column="4"][data-row="2"] .plan-chosen')).to_be_visible()
    screenshot("arrange")
    axe_check(office)
    office.set_viewport_size({"width": 390, "height": 844})
    assert office.evaluate("document.documentElement.scrollWidth") <= 390
    screenshot("arrange-phone")
    office.evaluate("scrollTo(0, 0)")  # nothing lies under the head of the page
    axe_check(office)


@pytest.mark.parametrize("width", [1366, 390])
def test_one_glance_says_what_is_wrong_and_a_touch_leads_there(office, own_hub, screenshot, width) -> None:
    squares = {"station": (3, 1), "automat": (1, 1), "geldautomat": (2, 1), "tuer": (6, 3), "kartengeraet": (4, 2)}
    place(own_hub, {**squares, "drucker": (4, 2), "kuehlregal": (2, 3), "tiefkuehltruhe": (3, 3)})
    office.set_viewport_size({"width": width, "height": 768 if width > 400 else 844})
    office.goto(MAP)
    screenshot()
    assert office.evaluate("document.documentElement.scrollWidth") <= width
    axe_check(office)
    wrong = office.get_by_role("region", name="brauchen einen Blick")
    expect(wrong.get_by_role("listitem")).to_have_count(4)
    expect(wrong).to_contain_text("Paketstation: Lange offen: 7 · Offen: 7")
    expect(wrong).to_contain_text("Geldautomat: nicht bekannt seit")
    expect(wrong).to_contain_text("Verkaufsautomat: Ausverkauft: 3")
    expect(wrong).to_contain_text("Bondrucker: Kein Papier")
    office.get_by_role("region", name="Plan des Ladens").get_by_role("link", name="Paketstation").tap()
    expect(office.get_by_role("heading", name="Paketstation")).to_be_visible()
    expect(office.get_by_text("shop-hub 2.0")).to_be_visible()
    office.locator("#uptime-days summary").click()
    office.get_by_role("heading", name="Frühere Verbindung").scroll_into_view_if_needed()
    screenshot("device")
    assert office.evaluate("document.documentElement.scrollWidth") <= width
    axe_check(office)


def test_the_map_follows_the_devices_by_itself(office: Page, own_hub: LiveHub) -> None:
    office.goto(MAP)
    door = office.get_by_role("link", name="Ladentür").first
    expect(door).to_contain_text("Alles in Ordnung")
    with own_hub.database.transaction() as session:
        found = session.query(Device).filter_by(slug="tuer").one()
        found.link, found.link_at = Link.SILENT, clock.now()
        events.publish(session, "device", found.site_id)
    expect(office.get_by_role("link", name="Ladentür").first).to_contain_text("nicht bekannt seit", timeout=2000)


@pytest.mark.parametrize("page_of", [MAP, f"{MAP}shops"])
def test_a_storm_of_words_is_read_seldom(office: Page, own_hub: LiveHub, page_of) -> None:
    office.goto(page_of)
    asked: list[str] = []
    office.on("request", lambda request: asked.append(request.url) if request.url.endswith("/now") else None)
    for _ in range(12):
        with own_hub.database.transaction() as session:
            events.publish(session, "device", own_hub.site_id)
        office.wait_for_timeout(150)
    assert 1 <= len(asked) <= 4


def test_all_shops_of_an_operator_stand_on_one_page_and_are_live(office: Page, own_hub, screenshot) -> None:
    office.goto(MAP)
    office.get_by_role("link", name="Alle Läden").click()
    cards = office.locator(".card")
    expect(cards).to_have_count(2)
    screenshot("1366")
    axe_check(office)
    expect(office.get_by_text("Alle Geräte sind verbunden")).to_be_visible()
    with own_hub.database.transaction() as session:
        far = session.query(Device).filter_by(name="Station im Nachbarort").one()
        far.link, far.link_at = Link.OFFLINE, clock.now()
        events.publish(session, "device", far.site_id)
    expect(office.get_by_text("Station im Nachbarort: nicht bekannt seit")).to_be_visible(timeout=2000)
    office.set_viewport_size({"width": 390, "height": 844})
    assert office.evaluate("document.documentElement.scrollWidth") <= 390
    screenshot("390")
    axe_check(office)
    office.get_by_role("button", name="Plan öffnen").click()
    expect(office.get_by_role("link", name="Station im Nachbarort").first).to_be_visible()
