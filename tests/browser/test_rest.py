"""The kiosk at rest, and with its keys lowered."""

import re
from datetime import datetime

import pytest
from playwright.sync_api import Page, Route, expect

from shop_hub.board import service
from shop_hub.board.models import PostKind
from shop_hub.board.service import Draft
from tests.browser.checks import axe_check, geometry_check
from tests.browser.conftest import LiveHub

pytestmark = pytest.mark.browser
REST_MS = 181_000
SLIDE_MS = 12_100


@pytest.fixture(scope="module", autouse=True)
def notice(live_hub: LiveHub) -> None:
    with live_hub.database.transaction() as session:
        draft = Draft(kind=PostKind.NEWS, title="Neuer Honig", text="Aus Lindenau, im Regal neben dem Brot.")
        service.write(session, live_hub.site_id, draft, actor="operator:1", publish=True)


def left_alone(page: Page, wait_ms: int) -> None:
    """Let the page's clock run; a second more for what it fetches."""
    page.clock.fast_forward(wait_ms)
    page.clock.run_for(1100)


def test_slides_come_one_after_the_other_and_a_touch_only_wakes(page: Page) -> None:
    page.clock.install()
    page.goto("/kiosk/?fresh=1")
    left_alone(page, REST_MS - 20_000)
    expect(page.locator(".rest")).to_have_count(0)
    left_alone(page, 20_000)
    expect(page.get_by_role("heading", name="Willkommen")).to_be_visible()
    expect(page.locator(".slide:visible")).to_have_count(1)
    axe_check(page)
    for _ in range(8):
        left_alone(page, SLIDE_MS)
        expect(page.locator(".slide:visible")).to_have_count(1)
        if page.get_by_role("heading", name="Neuer Honig").is_visible():
            break
    expect(page.get_by_text("Aus Lindenau, im Regal neben dem Brot.")).to_be_visible()
    box = page.locator(".tile").first.bounding_box()
    assert box
    page.touchscreen.tap(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    expect(page.locator(".rest")).to_have_count(0)
    expect(page.get_by_role("heading", name="Anfang")).to_be_attached()
    assert page.evaluate("location.pathname") == "/kiosk/"
    page.clock.run_for(1000)
    page.get_by_role("link", name="Termine").tap()
    expect(page.get_by_role("heading", name="Termine")).to_be_visible()


@pytest.mark.parametrize(("at", "is_dark"), [("23:30", True), ("05:59", True), ("06:00", False), ("21:59", False)])
def test_slides_are_dark_at_night(page: Page, at: str, is_dark: bool) -> None:  # noqa: FBT001 - a table
    wanted = datetime.fromisoformat(f"2026-11-22T{at}:20+01:00").timestamp() * 1000 - REST_MS

    def at_that_hour(route: Route) -> None:
        answer = route.fetch()
        body = re.sub(r'data-now="\d+"', f'data-now="{wanted:.0f}"', answer.text())
        route.fulfill(response=answer, body=body)

    page.route(re.compile(r"/kiosk/$"), at_that_hour)
    page.clock.install()
    page.goto("/kiosk/")
    left_alone(page, REST_MS)
    expect(page.locator(".rest")).to_have_count(1)
    assert (page.locator(".rest[data-night]").count() == 1) is is_dark


def test_who_changed_something_is_asked_before_the_slides(page: Page) -> None:
    page.goto("/kiosk/")
    page.get_by_role("button", name="English").tap()
    expect(page.locator("html")).to_have_attribute("lang", "en")
    assert page.evaluate("[document.body.dataset.idle, document.body.dataset.rest ?? null]") == ["90", None]
    page.get_by_role("button", name="Finish").tap()
    expect(page.locator("html")).to_have_attribute("lang", "de")
    assert page.evaluate("[document.body.dataset.idle, document.body.dataset.rest]") == ["0", "180"]


@pytest.mark.parametrize("path", ["/kiosk/", "/kiosk/board", "/kiosk/gallery/pin", "/kiosk/gallery/write"])
def test_lowered_keys_stand_in_the_lower_part(page: Page, path: str) -> None:
    page.goto("/kiosk/")
    with page.expect_response("**/kiosk/display"):
        page.get_by_role("button", name="Tiefer").tap()
    page.goto(path)
    expect(page.locator("html")).to_have_attribute("data-reach", "low")
    geometry_check(page)
    highest = page.evaluate(
        "Math.min(...[...document.querySelectorAll('.view a, .view button, .foot button')]"
        ".filter((e) => e.checkVisibility()).map((e) => e.getBoundingClientRect().top))"
    )
    assert highest > 0.45 * 1920
