"""The backoffice in a real browser, on a laptop and on a phone; the dashboard lives."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from shop_hub.board import service as board
from shop_hub.board.models import PostKind
from shop_hub.board.service import Draft
from shop_hub.core.access import Role
from shop_hub.core.sites import Site
from shop_hub.people import service as people
from tests.backoffice.office import PASSWORD, make_operator
from tests.browser.checks import axe_check
from tests.browser.conftest import LiveHub

pytestmark = pytest.mark.browser
PAGES = (
    "/office/",
    "/office/people/",
    "/office/people/new",
    "/office/people/carriers",
    "/office/board/",
    "/office/board/?tab=shown",
    "/office/board/new?kind=event",
    "/office/staff",
    "/office/kiosks",
    "/office/programs",
    "/office/audit",
    "/office/account",
)


@pytest.fixture(scope="module")
def village(live_hub: LiveHub) -> str:
    """An administrator, some people; returns the address of a villager's page."""
    with live_hub.database.reading() as session:
        site = session.get_one(Site, live_hub.site_id)
    make_operator(live_hub.app, site, Role.ADMINISTRATOR, "verwalterin")
    with live_hub.database.transaction() as session:
        for first_name in ("Hannelore", "Siegfried"):
            new = people.NewPerson(home_site_id=site.id, first_name=first_name, last_name="Petersdorf")
            person = people.create_person(session, new)
            people.issue_card(session, person.id)
    return f"/office/people/{person.public_id}"


@pytest.fixture
def office(page: Page, village: str) -> Iterator[Page]:
    assert village
    page.goto("/office/login")
    axe_check(page)
    page.get_by_label("Benutzername").fill("verwalterin")
    page.get_by_label("Passwort").fill(PASSWORD)
    page.get_by_role("button", name="Anmelden").click()
    expect(page.get_by_role("heading", name="Heute", exact=True)).to_be_visible()
    yield page
    page.context.clear_cookies()


@pytest.mark.parametrize("width", [1366, 390])
def test_pages_fit_and_are_readable_for_everyone(office: Page, village: str, width: int) -> None:
    office.set_viewport_size({"width": width, "height": 768 if width > 400 else 844})
    for path in (*PAGES, village, f"{village}/edit", f"{village}/data"):
        office.goto(path)
        assert office.evaluate("document.documentElement.scrollWidth") <= width, path
        axe_check(office)


def test_dashboard_hears_of_a_new_notice_by_itself(office: Page, live_hub: LiveHub) -> None:
    card = office.locator("#card-attention")
    before = card.inner_text()
    with live_hub.database.transaction() as session:
        draft = Draft(kind=PostKind.OFFER, text="Ich verschenke Äpfel.")
        board.hand_in(session, live_hub.app.hasher, live_hub.site_id, draft, pad="kiosk:99")
    expect(card).not_to_have_text(before)
    expect(card.get_by_role("link", name="auf Freigabe")).to_be_visible()


def test_notice_is_approved_in_the_queue(office: Page, live_hub: LiveHub) -> None:
    with live_hub.database.transaction() as session:
        draft = Draft(kind=PostKind.OFFER, text="Ich verschenke Quitten.")
        board.hand_in(session, live_hub.app.hasher, live_hub.site_id, draft, pad="kiosk:98")
    office.goto("/office/board/")
    row = office.locator("article", has_text="Quitten")
    row.get_by_role("button", name="Freigeben").click()
    expect(office.get_by_text("Der Aushang hängt jetzt am Brett.")).to_be_visible()
    expect(office.locator("article", has_text="Quitten")).to_have_count(0)


def test_blocking_a_card_asks_first(office: Page, village: str) -> None:
    office.goto(village)
    office.get_by_role("button", name="Sperren", exact=True).click()
    office.get_by_role("button", name="Abbrechen").first.click()
    expect(office.get_by_text("gültig")).to_be_visible()
    office.get_by_role("button", name="Sperren", exact=True).click()
    office.locator("dialog[open]").get_by_role("button", name="Sperren").click()
    expect(office.get_by_text("Die Karte ist gesperrt.")).to_be_visible()


def test_money_is_paid_in_and_the_receipt_shown(office: Page, village: str) -> None:
    office.goto(village)
    office.get_by_label("Einzahlen, Euro").fill("20,50")
    office.get_by_role("button", name="Einzahlen").click()
    expect(office.get_by_role("heading", name="Geld wurde eingezahlt")).to_be_visible()
    expect(office.locator(".figure")).to_contain_text("20,50")
