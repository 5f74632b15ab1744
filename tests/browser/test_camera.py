"""Couriers' phones with a camera: chromium sees codes of ours through a lens that is a file."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserType, Page, expect

from shop_hub.core.sites import Site
from shop_hub.lockers.models import Locker, Size
from shop_hub.parcels import station_code
from shop_hub.parcels.models import ParcelState
from shop_hub.people import service as people
from tests.browser import camera
from tests.browser.checks import axe_check
from tests.browser.conftest import LiveHub, serving
from tests.parcels.village import LABELS, Village

PIN = "4711"
PHONE = {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def own_hub(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveHub]:
    """A hub with a parcel station of its own."""
    with serving(tmp_path_factory.mktemp("hub"), sqlite_template) as hub:
        yield hub


@pytest.fixture(scope="module")
def village(own_hub: LiveHub) -> Village:
    with own_hub.database.reading() as session:
        return Village(own_hub.database, session.get_one(Site, own_hub.site_id))


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What lies before the lens."""
    path = tmp_path_factory.mktemp("camera") / "lens.mjpeg"
    camera.show_nothing(path)
    return path


@pytest.fixture
def phone(
    browser_type: BrowserType, browser_type_launch_args: dict[str, Any], own_hub: LiveHub, film: Path
) -> Iterator[Page]:
    """A courier's phone."""
    arguments = [*browser_type_launch_args["args"], *camera.flags(film)]
    with browser_type.launch(**{**browser_type_launch_args, "args": arguments}) as browser:
        page = browser.new_context(base_url=own_hub.url, viewport=PHONE, has_touch=True, locale="de-DE").new_page()
        page.set_default_timeout(15_000)
        faults: list[str] = []
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda message: faults.append(message.text) if message.type == "warning" else None)
        yield page
        assert faults == []


def station(own_hub: LiveHub, village: Village) -> str:
    """Return what the QR code at the station says."""
    with own_hub.database.reading() as session:
        locker = session.get_one(Locker, village.locker_id)
        return f"{own_hub.url}/courier/#{station_code.current(own_hub.app.hasher, locker, 60).text}"


def test_a_courier_works_with_the_camera_alone(phone: Page, village: Village, own_hub: LiveHub, film: Path) -> None:
    with own_hub.database.transaction() as session:
        people.set_courier_pin(session, own_hub.app.hasher, village.courier_id, PIN)
        badge = people.issue_badge(session, village.courier_id).text
    first, second = (village.announce(label, size=Size.S) for label in LABELS[:2])
    camera.show(film, station(own_hub, village))
    phone.goto("/courier/")
    phone.get_by_role("button", name="Kamera öffnen").tap()
    expect(phone.get_by_text("Scannen Sie Ihren Ausweis")).to_be_visible()
    camera.show(film, badge)
    phone.reload()
    expect(phone.get_by_label("Geheimzahl")).to_be_visible()
    phone.get_by_label("Geheimzahl").fill(PIN)
    camera.show(film, LABELS[0], is_label=True)
    phone.get_by_role("button", name="Anmelden").tap()
    expect(phone.get_by_text("Die Tür geht auf")).to_be_visible()
    number = village.number_of(first)
    village.opens(number)
    expect(phone.get_by_text("Legen Sie das Paket hinein")).to_be_visible()
    camera.show(film, LABELS[1], is_label=True)
    village.closes(number, occupied=True)
    # No touch between two parcels: the camera goes on by itself and reads the next label.
    expect(phone.get_by_text("Die Tür geht auf")).to_be_visible()
    assert [village.parcel(each).state for each in (first, second)] == [ParcelState.READY, ParcelState.DEPOSITING]
    village.use_door(second, occupied=True)
    expect(phone.get_by_text("2 Pakete liegen im Fach")).to_be_visible()
    axe_check(phone)


def test_a_refused_label_that_stays_before_the_lens_is_sent_once(phone: Page, own_hub: LiveHub, film: Path) -> None:
    camera.show(film, "4006381333931")
    sent: list[str] = []
    phone.on("request", lambda each: sent.append(each.url) if each.method == "POST" else None)
    phone.goto("/courier/")
    phone.get_by_role("button", name="Kamera öffnen").tap()
    expect(phone.locator(".notice, .sign-warning").first).to_be_visible()
    expect(phone.locator("[data-camera][data-running]")).to_be_attached()
    phone.wait_for_timeout(1500)
    assert sent == [f"{own_hub.url}/courier/station"]


def test_without_a_camera_the_number_is_typed(page: Page) -> None:
    page.set_viewport_size(PHONE)
    page.goto("/courier/")
    page.get_by_role("button", name="Kamera öffnen").tap()
    expect(page.get_by_text("Die Kamera geht gerade nicht.")).to_be_visible()
