"""Parcels at the kiosk's glass: a courier brings, a villager collects; the machine's part is played by the test."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from shop_hub.core import tokens
from shop_hub.core.access import Role
from shop_hub.core.sites import Site
from shop_hub.core.tokens import Purpose
from shop_hub.fleet.models import HubLease, Kiosk
from shop_hub.lockers.models import Locker, Size
from shop_hub.parcels import credentials, station_code
from shop_hub.parcels.models import Parcel, ParcelState
from shop_hub.people import service as people
from shop_hub.people import staff
from tests.browser.checks import axe_check, geometry_check
from tests.browser.conftest import LiveHub
from tests.parcels.village import LABELS, Village


@pytest.fixture(scope="module")
def village(live_hub: LiveHub) -> Iterator[Village]:
    with live_hub.database.reading() as session:
        site = session.get_one(Site, live_hub.site_id)
    made = Village(live_hub.database, site, sizes="SSSSSSMMMMMLLLLXSSSMMMLX", columns=(7, 6, 6, 5))
    yield made
    with live_hub.database.transaction() as session:
        session.delete(session.get_one(HubLease, "hub"))


@pytest.fixture(autouse=True)
def paired(page: Page, live_hub: LiveHub) -> None:
    """The browser is the screen in the shop."""
    with live_hub.database.transaction() as session:
        kiosk = session.query(Kiosk).filter_by(register_code="P1").one_or_none()
        if kiosk is None:
            kiosk = Kiosk(site_id=live_hub.site_id, name="Kiosk", register_code="P1")
            session.add(kiosk)
            session.flush()
        token = tokens.issue(session, Purpose.KIOSK, kiosk.id, site_id=live_hub.site_id).text
    page.context.add_cookies([{"name": "kiosk", "value": token, "url": f"{live_hub.url}/kiosk/"}])
    HASHERS[:] = [live_hub.app.hasher]


def scan(page: Page, code: str) -> None:
    """Type as a keyboard-wedge scanner does."""
    page.wait_for_load_state("load")
    page.keyboard.type(code, delay=1)
    page.keyboard.press("Enter")


def badge(village: Village, *, pin: str = "") -> str:
    with village.database.transaction() as session:
        if pin:
            people.set_courier_pin(session, village_hasher(), village.courier_id, pin)
        return people.issue_badge(session, village.courier_id).text


def village_hasher() -> object:
    return HASHERS[0]


HASHERS: list[object] = []


def check(page: Page) -> None:
    geometry_check(page)
    axe_check(page)


def test_courier_brings_two_parcels(page: Page, village: Village, screenshot) -> None:  # noqa: PLR0915 - one day's work
    village.announce(LABELS[0], size=Size.S)
    page.goto("/kiosk/parcels")
    screenshot("start")
    check(page)
    page.get_by_text("Ich bringe Pakete").tap()
    expect(page.locator("#station-code svg")).to_be_visible()
    screenshot("sign-in")
    check(page)
    scan(page, badge(village))
    expect(page.get_by_role("heading", name="Kranichpost")).to_be_visible()
    screenshot("desk")
    check(page)
    scan(page, "4006381333931")
    expect(page.get_by_text("Strichcode einer Ware")).to_be_visible()
    scan(page, LABELS[0])
    expect(page.get_by_text("Tür 1 geht auf")).to_be_visible()
    screenshot("opening")
    village.opens(1)
    expect(page.get_by_text("Legen Sie das Paket in Fach")).to_be_visible()
    screenshot("open")
    check(page)
    village.closes(1, occupied=True)
    expect(page.get_by_text("1 Paket liegt im Fach")).to_be_visible()
    screenshot("done")
    scan(page, LABELS[1])
    expect(page.get_by_text("Für wen ist das Paket?")).to_be_visible()
    page.goto("/kiosk/courier/recipient?q=wegen")
    screenshot("recipient")
    check(page)
    page.get_by_text("Ute Wegener").tap()
    expect(page.get_by_text("Wie groß ist das Paket?")).to_be_visible()
    screenshot("size")
    check(page)
    page.get_by_text("Mittel").tap()
    expect(page.get_by_text("Tür 7 geht auf")).to_be_visible()
    village.jams(7)
    expect(page.get_by_text("Tür 7 ist nicht aufgegangen")).to_be_visible()
    screenshot("jam")
    check(page)
    page.get_by_text("Noch einmal versuchen").tap()
    expect(page.get_by_text("Tür 7 geht auf")).to_be_visible()
    village.opens(7)
    expect(page.get_by_text("Legen Sie das Paket in Fach")).to_be_visible()
    village.closes(7, occupied=False)
    expect(page.get_by_text("Fach 7 sieht leer aus")).to_be_visible()
    screenshot("looks-empty")
    check(page)
    page.get_by_text("Tür noch einmal öffnen").tap()
    expect(page.get_by_text("Tür 7 geht auf")).to_be_visible()
    village.opens(7)
    village.closes(7, occupied=True)
    expect(page.get_by_text("2 Pakete liegen im Fach")).to_be_visible()


def test_villager_collects_with_qr_code(page: Page, village: Village, live_hub: LiveHub, screenshot) -> None:
    parcel_id = village.bring(LABELS[2])
    with live_hub.database.transaction() as session:
        token = credentials.issue_token(session, session.get_one(Parcel, parcel_id))
    with live_hub.database.reading() as session:
        number = village.number_of(parcel_id)
    page.goto("/kiosk/parcels")
    scan(page, f"HTTPS://DORF.EXAMPLE/P#{token}")
    page.get_by_text(f"Fach {number}").first.tap()
    expect(page.get_by_text("Ihr Paket liegt in Fach")).to_be_visible()
    screenshot("waits")
    check(page)
    page.get_by_role("button", name=f"Tür {number} öffnen").tap()
    expect(page.get_by_text(f"Tür {number} geht auf")).to_be_visible()
    village.opens(number)
    expect(page.get_by_text("Ihr Fach ist offen")).to_be_visible()
    screenshot("open")
    check(page)
    village.closes(number, occupied=False)
    expect(page.get_by_text("Ihr Paket ist abgeholt")).to_be_visible()
    screenshot("collected")
    check(page)
    assert village.parcel(parcel_id).state is ParcelState.COLLECTED


def test_villager_types_the_code_and_may_report_a_problem(page: Page, village: Village, screenshot) -> None:
    parcel_id = village.bring(LABELS[3], person_id=village.neighbour_id)
    code = credentials.make_code(HASHERS[0], parcel_id)
    with village.database.transaction() as session:
        parcel = session.get_one(Parcel, parcel_id)
        parcel.code_key, parcel.code_hash = code.key, code.hash
    page.goto("/kiosk/parcels/code")
    screenshot("code")
    check(page)
    for digit in code.text:
        page.locator(f".pad [data-key='{digit}']").tap()
    page.get_by_role("button", name="Weiter").tap()
    expect(page.get_by_text("Ihr Paket liegt in Fach")).to_be_visible()
    page.get_by_text("Problem").tap()
    expect(page.get_by_text("Was stimmt nicht?")).to_be_visible()
    screenshot("problem")
    check(page)
    page.get_by_text("Das Fach ist leer").tap()
    expect(page.get_by_text("Danke für Ihre Meldung")).to_be_visible()
    screenshot("reported")
    check(page)
    assert village.parcel(parcel_id).state is ParcelState.DISPUTED


def test_villager_collects_with_card_and_pin(page: Page, village: Village, screenshot) -> None:
    parcel_id = village.bring(LABELS[4], person_id=village.neighbour_id)
    with village.database.transaction() as session:
        people.set_pin(session, HASHERS[0], village.neighbour_id, "4711")
        card = people.issue_card(session, village.neighbour_id).text
    page.goto("/kiosk/parcels")
    scan(page, card)
    expect(page.get_by_role("heading", name="Jochen W.")).to_be_visible()
    screenshot("pin")
    check(page)
    for digit in "4711":
        page.locator(f".pad [data-key='{digit}']").tap()
    page.get_by_role("button", name="Weiter").tap()
    expect(page.get_by_text("Ihr Paket liegt in Fach")).to_be_visible()
    assert village.parcel(parcel_id).state is ParcelState.READY


PHONE = {"width": 390, "height": 844}


def phone_check(page: Page) -> None:
    axe_check(page)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_courier_works_with_the_phone(page: Page, village: Village, live_hub: LiveHub, screenshot) -> None:
    village.announce(LABELS[5], size=Size.M)
    with live_hub.database.reading() as session:
        locker = session.get_one(Locker, village.locker_id)
        code = station_code.current(live_hub.app.hasher, locker, 60).text
    page.set_viewport_size(PHONE)
    page.goto("/courier/")
    expect(page.get_by_text("Scannen Sie den Code am Bildschirm")).to_be_visible()
    screenshot("station")
    phone_check(page)
    page.goto("about:blank")
    page.goto(f"/courier/#{code}")
    expect(page.get_by_text("Scannen Sie Ihren Ausweis")).to_be_visible()
    assert code not in page.url
    screenshot("badge")
    phone_check(page)
    page.get_by_label("Oder die Nummer eintippen").fill(badge(village, pin="4711"))
    page.get_by_role("button", name="Weiter").tap()
    page.get_by_label("Geheimzahl").fill("4711")
    screenshot("pin")
    phone_check(page)
    page.get_by_role("button", name="Anmelden").tap()
    page.get_by_label("Oder die Paketnummer eintippen").fill(LABELS[5])
    screenshot("desk")
    phone_check(page)
    page.get_by_role("button", name="Tür öffnen").tap()
    expect(page.get_by_text("Die Tür geht auf")).to_be_visible()
    number = int(page.locator(".station-number").inner_text())
    village.opens(number)
    expect(page.get_by_text("Legen Sie das Paket hinein")).to_be_visible()
    screenshot("open")
    phone_check(page)
    village.closes(number, occupied=True)
    expect(page.get_by_text("1 Paket liegt im Fach")).to_be_visible()
    page.get_by_text("Meine Liste").tap()
    expect(page.get_by_role("heading", name="Gerade eingelegt")).to_be_visible()
    screenshot("list")
    phone_check(page)
    page.get_by_role("link", name="Zurück").tap()
    page.get_by_role("button", name="Abmelden").tap()
    expect(page.get_by_text("Sie sind abgemeldet")).to_be_visible()


def test_operator_looks_after_parcels(page: Page, village: Village, live_hub: LiveHub, screenshot) -> None:
    with live_hub.database.transaction() as session:
        operator = staff.create_operator(session, staff.NewOperator(user_name="petra"))
        staff.set_role(session, operator.id, live_hub.site_id, Role.OPERATOR)
        staff.set_password(session, live_hub.app.hasher, operator.id, "vier kluge rote Kraniche")
    parcel_id = village.bring(LABELS[6], person_id=0)
    number = village.number_of(parcel_id)
    page.set_viewport_size({"width": 1366, "height": 768})
    page.goto("/office/login")
    page.locator("[name=user_name]").fill("petra")
    page.locator("[name=password]").fill("vier kluge rote Kraniche")
    page.locator("main form button[type=submit], form[action*=login] button[type=submit]").first.click()
    page.goto("/office/parcels/")
    screenshot("list")
    axe_check(page)
    page.get_by_role("link", name=LABELS[6]).click()
    page.get_by_label("Einwohner suchen").fill("wald")
    page.get_by_role("button", name="Suchen").click()
    page.get_by_role("button", name="Jochen Wald").click()
    expect(page.get_by_text("Der Empfänger ist eingetragen")).to_be_visible()
    screenshot("parcel")
    axe_check(page)
    page.get_by_role("button", name="Zettel drucken").click()
    expect(page.get_by_text("Die Nummer wird nur einmal gezeigt")).to_be_visible()
    screenshot("slip")
    axe_check(page)
    page.goto("/office/parcels/station")
    screenshot("station")
    axe_check(page)
    page.locator("table").get_by_role("link", name=str(number), exact=True).click()
    page.get_by_label("Grund").fill("Kühlware gemeldet")
    page.get_by_role("button", name="Tür öffnen").first.click()
    page.locator("dialog[open]").get_by_role("button", name="Tür öffnen").click()
    expect(page.get_by_text(f"Tür {number} soll sich öffnen")).to_be_visible()
    screenshot("compartment")
    axe_check(page)
    village.opens(number)
    village.closes(number, occupied=True)
    assert village.parcel(parcel_id).state is ParcelState.READY
    page.goto("/office/parcels/announce")
    page.get_by_label("Paketnummer").fill("4006381333931")
    page.get_by_role("button", name="Ankündigen").click()
    expect(page.get_by_text("Strichcode einer Ware")).to_be_visible()
    screenshot("announce")
    axe_check(page)
