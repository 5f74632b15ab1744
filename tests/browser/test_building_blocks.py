"""Every building block of the kiosk on every screen, size and theme: big enough, apart, uncovered, readable."""

import pytest
from playwright.sync_api import Page

from kiosk.screen import Screen
from tests.browser.checks import axe_check, geometry_check
from tests.browser.gallery import PAGES

pytestmark = pytest.mark.browser


def show(page: Page, name: str, *, zoom: str = "100", theme: str = "light", screen: Screen | None = None) -> None:
    answer = page.goto(f"/kiosk/gallery/{name}")
    assert answer is not None
    assert answer.ok
    page.evaluate(
        "([zoom, theme, root, mm]) => { Object.assign(document.documentElement.dataset, {zoom, theme}); if (root) "
        "Object.assign(document.documentElement.dataset, {root, mm}); }",
        [zoom, theme, screen and f"{screen.root_px}px", screen and f"{screen.mm_px}px"],
    )


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("zoom", ["100", "150", "200"])
def test_controls_are_large_and_apart_at_each_text_size(page: Page, screenshot, name: str, zoom: str):
    show(page, name, zoom=zoom)
    screenshot()
    geometry_check(page)


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing(page: Page, screenshot, name: str, theme: str):
    show(page, name, theme=theme)
    screenshot()
    axe_check(page)


@pytest.mark.parametrize("name", ["home", "basket", "pin", "list"])
@pytest.mark.parametrize("width_mm", [194, 398])
def test_controls_keep_their_millimetres_on_other_screens(page: Page, screenshot, name: str, width_mm: int):
    show(page, name, screen=Screen(width_mm, 1080, 600))
    screenshot()
    geometry_check(page)


def test_capital_letters_subtend_the_angle_of_the_standard(page: Page):
    page.goto("/kiosk/gallery/home")
    page.evaluate("document.fonts.ready")
    smallest = page.evaluate(
        """() => {
          const pen = document.createElement('canvas').getContext('2d');
          const sizes = [...document.querySelectorAll('body *')].filter((e) => e.checkVisibility()
            && [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim()));
          return Math.min(...sizes.map((e) => {
            const style = getComputedStyle(e);
            pen.font = `${style.fontWeight} ${style.fontSize} ${style.fontFamily}`;
            return pen.measureText('H').actualBoundingBoxAscent;
          }));
        }"""
    )
    millimetres = smallest * 268 / 1080
    assert millimetres >= 7.33  # EN 301 549 5.1.4: 0.7 degrees at 600 mm


def test_the_keyboard_has_large_keys_that_are_apart(page: Page, screenshot):
    page.goto("/kiosk/gallery/write")
    page.locator("#field-title").tap()
    page.locator(".keyboard .hg-button").first.wait_for()
    screenshot()
    geometry_check(page, least_mm=19.8, gap_mm=3.9)
