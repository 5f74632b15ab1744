"""What the scripts of the kiosk do, tried with real keys and touches."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Page, expect

from tests.browser import gallery
from tests.browser.checks import axe_check, geometry_check

pytestmark = pytest.mark.browser
EAN = "4006381333931"


@pytest.fixture(autouse=True)
def nothing_received():
    gallery.received.clear()


def open_page(page: Page, name: str) -> None:
    page.goto(f"/kiosk/gallery/{name}")
    expect(page.locator("html.js")).to_be_attached()


def scan(page: Page, text: str, end: str = "Enter") -> None:
    """Type as a wedge scanner does: all keys in one burst."""
    page.keyboard.type(text)
    if end:
        page.keyboard.press(end)


def codes() -> list[str]:
    return [form["code"] for form in gallery.received if "code" in form]


def test_a_scan_is_taken_wherever_the_focus_is(page: Page):
    open_page(page, "scan")
    scan(page, EAN)
    expect(page.locator("#basket")).to_have_text("1")
    page.get_by_label("Notiz").focus()
    page.keyboard.insert_text("Brot ")
    scan(page, "40084015")
    expect(page.locator("#basket")).to_have_text("2")
    assert codes() == [EAN, "40084015"]
    expect(page.get_by_label("Notiz")).to_have_value("Brot ")


def test_a_scan_without_terminator_and_one_ended_by_tab_are_taken(page: Page):
    open_page(page, "scan")
    scan(page, EAN, end="")
    expect(page.locator("#basket")).to_have_text("1")
    scan(page, "40084015", end="Tab")
    expect(page.locator("#basket")).to_have_text("2")
    assert codes() == [EAN, "40084015"]


def test_thirty_scans_in_a_row_all_arrive_in_order_with_keys_of_their_own(page: Page):
    open_page(page, "scan")
    wanted = [f"{number:08d}" for number in range(30)]
    for code in wanted:
        scan(page, code)
    expect(page.locator("#basket")).to_have_text("30")
    assert codes() == wanted
    assert len({form["idempotency_key"] for form in gallery.received}) == 30


def test_a_scan_of_ten_thousand_characters_arrives_whole(page: Page):
    open_page(page, "scan")
    scan(page, "x" * 10_000, end="")
    for _ in range(100):
        if sum(map(len, codes())) >= 10_000:
            break
        page.wait_for_timeout(100)
    # A busy test computer may type it with a pause, which makes two scans of it; nothing may be lost.
    assert "".join(codes()) == "x" * 10_000


def test_a_person_who_types_is_no_scanner(page: Page):
    open_page(page, "scan")
    note = page.get_by_label("Notiz")
    note.focus()
    note.press_sequentially("Milch", delay=120)
    expect(note).to_have_value("Milch")
    page.keyboard.press("Enter")
    page.wait_for_url("**/take")
    assert [form.get("note") for form in gallery.received] == ["Milch"]


def test_a_page_that_takes_no_code_says_so(page: Page):
    open_page(page, "list")
    scan(page, EAN)
    expect(page.locator(".toasts")).to_contain_text("Einkaufen")
    assert gallery.received == []


def test_a_double_tap_sends_once(page: Page):
    open_page(page, "scan")
    page.get_by_label("Notiz").fill("einmal")
    page.evaluate(
        """() => {
          const button = document.querySelector('.actions button');
          button.click(); button.click(); setTimeout(() => button.click(), 0);
        }"""
    )
    page.wait_for_url("**/take")
    assert len(gallery.received) == 1


def test_text_size_and_theme_change_at_once_and_stay(page: Page):
    open_page(page, "write")
    page.get_by_label("Überschrift").fill("Fahrrad")
    with page.expect_response("**/kiosk/display"):
        page.get_by_role("button", name="Größer").tap()
    expect(page.locator("html")).to_have_attribute("data-zoom", "150")
    with page.expect_response("**/kiosk/display"):
        page.get_by_role("button", name="Dunkel").tap()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    expect(page.get_by_label("Überschrift")).to_have_value("Fahrrad")
    open_page(page, "list")
    expect(page.locator("html")).to_have_attribute("data-zoom", "150")
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    with page.expect_response("**/kiosk/display"):
        page.get_by_role("button", name="Größer").tap()
    page.get_by_role("button", name="Normal").tap()
    expect(page.locator("html")).to_have_attribute("data-zoom", "100")


def test_another_language_keeps_what_was_typed(page: Page):
    open_page(page, "write")
    page.get_by_label("Überschrift").fill("Fahrrad")
    page.get_by_role("button", name="English").tap()
    expect(page.locator("html")).to_have_attribute("lang", "en")
    expect(page.get_by_label("Überschrift")).to_have_value("Fahrrad")
    expect(page.get_by_role("link", name="Back")).to_be_visible()


def test_finish_forgets_the_visitor(page: Page):
    open_page(page, "write")
    page.get_by_role("button", name="English").tap()
    expect(page.locator("html")).to_have_attribute("lang", "en")
    page.get_by_role("button", name="Larger").tap()
    page.get_by_label("Überschrift").fill("geheim")
    page.get_by_role("button", name="Finish").tap()
    page.wait_for_url(re.compile("/kiosk/"))
    expect(page.locator("html")).to_have_attribute("lang", "de")
    expect(page.locator("html")).to_have_attribute("data-zoom", "100")
    assert page.evaluate("[sessionStorage.length, localStorage.length]") == [0, 0]


def test_keys_on_the_glass_write_at_the_caret(page: Page):
    open_page(page, "write")
    field = page.get_by_label("Überschrift")
    field.tap()
    for key in ("r", "a", "d"):
        page.locator(f'.keyboard [data-skbtn="{key}"]').tap()
    field.evaluate("(e) => e.setSelectionRange(0, 0)")
    for key in ("{shift}", "Ä"):
        page.locator(f'.keyboard [data-skbtn="{key}"]').tap()
    expect(field).to_have_value("Ärad")
    page.locator('.keyboard [data-skbtn="{bksp}"]').tap()
    expect(field).to_have_value("rad")
    page.locator("h1").tap()
    expect(page.locator(".keyboard")).to_have_count(0)


def test_a_slow_finger_presses_the_button_above_the_keys(page: Page):
    open_page(page, "write")
    page.get_by_label("Überschrift").fill("Fahrrad")
    page.get_by_label("Text").fill("Ein altes Rad")
    expect(page.locator(".keyboard")).to_be_visible()
    box = page.locator(".actions button").bounding_box()
    assert box
    touch = page.context.new_cdp_session(page)
    point = {"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 2}
    touch.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [point]})
    page.wait_for_timeout(150)  # a hand of eighty years rests longer than a test's tap
    touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    page.wait_for_url("**/write#")


def test_the_pin_pad_fills_the_field(page: Page):
    open_page(page, "pin")
    for key in ("1", "2", "back", "3", "4", "5", "6"):
        page.locator(f'[data-key="{key}"]').tap()
    expect(page.locator("#field-pin")).to_have_value("1345")
    page.locator('[data-key="clear"]').tap()
    expect(page.locator("#field-pin")).to_have_value("")


def test_large_keys_turn_a_tall_page(page: Page):
    open_page(page, "write")
    page.evaluate("document.documentElement.dataset.zoom = '200'")
    down = page.get_by_role("button", name="Nach unten")
    expect(down).to_be_visible()
    down.tap()
    expect(page.get_by_role("button", name="Nach oben")).to_be_enabled()


START = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def open_frozen(page: Page, name: str) -> None:
    """Open a page whose time stands still from then on, but for run_for."""
    open_page(page, name)
    page.clock.pause_at(START + timedelta(seconds=30))


class TestIdle:
    """The clock is the page's own, moved by hand."""

    @pytest.fixture(autouse=True)
    def frozen_clock(self, page: Page):
        page.clock.install(time=START)

    def test_the_dialog_comes_after_the_limit_and_can_be_extended_without_limit(self, page: Page):
        open_frozen(page, "scan")
        more = page.get_by_role("button", name="Ich brauche mehr Zeit")
        page.keyboard.press("Shift")
        for _ in range(11):
            page.clock.run_for(89_500)
            expect(more).not_to_be_visible()
            page.clock.run_for(1_000)
            expect(more).to_be_visible()
            page.clock.run_for(28_000)
            expect(more).to_be_visible()
            more.tap()
            expect(more).not_to_be_visible()

    def test_the_dialog_is_large_and_accessible(self, page: Page, screenshot):
        open_frozen(page, "scan")
        page.keyboard.press("Shift")
        page.clock.run_for(91_000)
        expect(page.get_by_role("dialog")).to_be_visible()
        page.clock.resume()  # axe waits by timers
        screenshot()
        geometry_check(page)
        axe_check(page)

    def test_nobody_there_ends_the_visit(self, page: Page):
        open_frozen(page, "scan")
        page.keyboard.press("Shift")
        page.clock.run_for(90_500)
        page.clock.run_for(29_000)
        expect(page.get_by_role("dialog")).to_be_visible()
        page.clock.run_for(2_000)
        page.wait_for_url(re.compile(r"/kiosk/\?fresh"))

    def test_typing_and_scrolling_hold_the_clock_but_the_program_does_not(self, page: Page):
        open_frozen(page, "scan")
        page.get_by_label("Notiz").focus()
        for _ in range(5):
            page.keyboard.type("x")
            page.clock.run_for(80_000)
        page.keyboard.type("x")
        page.clock.run_for(80_000)
        page.mouse.wheel(0, 50)
        page.clock.run_for(80_000)
        expect(page.get_by_role("dialog")).not_to_be_visible()
        page.evaluate("document.querySelector('.main').dispatchEvent(new Event('scroll'))")
        page.clock.run_for(12_000)
        expect(page.get_by_role("dialog")).to_be_visible()
        assert page.get_by_label("Notiz").input_value() == "xxxxxx"

    def test_an_open_door_holds_the_clock(self, page: Page):
        open_frozen(page, "door")
        page.clock.run_for(600_000)
        expect(page.get_by_role("dialog")).not_to_be_visible()
