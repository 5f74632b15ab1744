"""The noticeboard on a real screen: large enough, readable for everyone, written with the keys on the glass."""

import re
from collections.abc import Iterator
from datetime import timedelta

import pytest
from playwright.sync_api import Page, expect

from shop_hub.board import queries, service
from shop_hub.board.models import PostKind, PostState
from shop_hub.board.service import Draft, Times
from shop_hub.core import clock, tokens
from shop_hub.core.tokens import Purpose
from shop_hub.fleet.models import Kiosk
from tests.browser.checks import axe_check, geometry_check
from tests.browser.conftest import LiveHub

pytestmark = pytest.mark.browser
LONGEST = "Dorfgemeinschaftshausbelegungsplan und Rindfleischetikettierungsüberwachung"


@pytest.fixture(scope="module")
def cookie(live_hub: LiveHub) -> str:
    """A kiosk of its own, with a full board."""
    with live_hub.database.transaction() as session:
        kiosk = Kiosk(site_id=live_hub.site_id, name="Brett", register_code="K7")
        session.add(kiosk)
        session.flush()
        today = clock.today("Europe/Berlin")
        for number, kind in enumerate((*service.KIOSK_KINDS, PostKind.NEWS, PostKind.OFFICIAL)):
            text = "Wer hat am Samstag Zeit? Bitte im Laden Bescheid sagen."
            draft = Draft(kind=kind, title=LONGEST if number == 6 else f"Zettel Nummer {number}", text=text)
            service.write(session, live_hub.site_id, draft, actor="operator:1", publish=True)
        for days in range(8):
            times = Times(first_day=today + timedelta(days=days), start_minute=1139, end_minute=1439, place="Anger")
            draft = Draft(kind=PostKind.EVENT, title=LONGEST, text="Alle sind da.", times=times)
            service.write(session, live_hub.site_id, draft, actor="operator:1", publish=True)
        return tokens.issue(session, Purpose.KIOSK, kiosk.id, site_id=live_hub.site_id).text


@pytest.fixture
def screen(page: Page, live_hub: LiveHub, cookie: str) -> Iterator[Page]:
    page.context.add_cookies([{"name": "kiosk", "value": cookie, "url": f"{live_hub.url}/kiosk"}])
    yield page
    page.context.clear_cookies()


def write(screen: Page, words: str) -> str:
    """Write a notice by touch and return its code."""
    screen.goto("/kiosk/board")
    screen.get_by_role("link", name="Neuer Zettel").tap()
    screen.get_by_role("link", name="Ich suche …").tap()
    expect(screen.locator(".keyboard")).to_be_visible()
    for sign in words:
        key = "Leertaste" if sign == " " else re.escape(sign)
        screen.locator(".keyboard button", has_text=re.compile(f"^{key}$")).tap()
    expect(screen.locator("textarea")).to_have_value(f"Ich suche {words}")
    screen.get_by_role("button", name="Weiter").tap()
    expect(screen.get_by_role("heading", name="Wie erreicht man Sie?")).to_be_visible()
    screen.get_by_role("button", name="Weiter").tap()
    expect(screen.get_by_text(f"Ich suche {words}")).to_be_visible()
    screen.get_by_role("button", name="Zettel abgeben").tap()
    return screen.locator(".slip-code").inner_text()


@pytest.mark.parametrize("zoom", ["100", "200"])
@pytest.mark.parametrize(
    "path",
    [
        "/kiosk/board",
        "/kiosk/board?page=2",
        "/kiosk/events?range=all",
        "/kiosk/board/write",
        "/kiosk/board/write/text?start=give",
        "/kiosk/board/slip",
        "/kiosk/pair",
    ],
)
def test_pages_are_large_enough_and_readable_for_everyone(screen: Page, path: str, zoom: str) -> None:
    screen.goto(path)
    for _ in range({"100": 0, "200": 2}[zoom]):
        screen.locator("form[data-display] button[name=zoom]").tap()
    expect(screen.locator("html")).to_have_attribute("data-zoom", zoom)
    geometry_check(screen)
    axe_check(screen)


def test_notice_and_event_to_take_along(screen: Page) -> None:
    for path, name in (("/kiosk/board", "Zettel Nummer 1"), ("/kiosk/events", LONGEST)):
        screen.goto(path)
        screen.get_by_text(name).first.tap()
        expect(screen.get_by_role("img", name="Adresse dieses Aushangs")).to_be_visible()
        geometry_check(screen)
        axe_check(screen)


def test_notice_is_written_approved_found_by_its_slip_and_taken_down(screen: Page, live_hub: LiveHub) -> None:
    code = write(screen, "eine katze")
    geometry_check(screen)
    with live_hub.database.transaction() as session:
        waiting = queries.posts(session, live_hub.site_id, (PostState.PENDING,), page=1).items
        service.approve(session, waiting[-1].id, actor="operator:1")
    screen.goto("/kiosk/board")
    expect(screen.get_by_text("Ich suche eine katze").first).to_be_visible()
    screen.get_by_role("button", name="Fertig").first.tap()
    expect(screen.get_by_role("link", name="Termine")).to_be_visible()
    screen.goto("/kiosk/board/slip")
    for sign in code.replace(" ", "").lower():
        screen.locator(".keyboard button", has_text=re.compile(f"^{sign}$")).tap()
    screen.get_by_role("button", name="Meinen Zettel zeigen").tap()
    expect(screen.get_by_role("heading", name="Mein Zettel")).to_be_visible()
    geometry_check(screen)
    axe_check(screen)
    screen.get_by_role("button", name="Abnehmen").tap()
    expect(screen.get_by_text("Ihr Zettel ist abgenommen.")).to_be_visible()
    expect(screen.get_by_text("Ich suche eine katze")).to_have_count(0)


def test_language_changes_half_way_without_losing_the_text(screen: Page) -> None:
    screen.goto("/kiosk/board/write/text?start=give")
    screen.locator("textarea").fill("Ich verschenke einen Tisch")
    screen.get_by_role("button", name="English").tap()
    expect(screen.get_by_role("heading", name="Your notice")).to_be_visible()
    expect(screen.locator("textarea")).to_have_value("Ich verschenke einen Tisch")


def test_public_page_fits_a_phone(screen: Page) -> None:
    screen.goto("/kiosk/events")
    screen.locator("a.pinned").first.tap()
    expect(screen.locator(".qr-box")).to_be_visible()
    address = screen.url.replace("/kiosk/board/", "/n/")
    screen.set_viewport_size({"width": 390, "height": 844})
    screen.goto(address)
    expect(screen.get_by_role("link", name="In meinen Kalender")).to_be_visible()
    assert screen.evaluate("document.documentElement.scrollWidth") == 390
    axe_check(screen)
