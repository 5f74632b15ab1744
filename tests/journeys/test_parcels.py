"""Journey 2: a courier delivers, villagers collect; real hub, broker, machines and browser (parcels.md 6)."""

import re
from collections.abc import Iterator
from contextlib import closing
from email import message_from_bytes
from email.policy import default
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from devices.simulators.config import SimulatorConfig
from tests.journeys.conftest import Village, wait_until

pytestmark = pytest.mark.browser


@pytest.fixture(autouse=True)
def _nobody_else_uses_the_doors(village: Village) -> Iterator[None]:
    """The demo's simulated person would shut a door before a slow browser got there."""
    with closing(village.machines()) as machines:
        machines.do("station", "auto", seconds=0)
        yield
        machines.do("station", "auto", seconds=SimulatorConfig.model_fields["auto_close_s"].default)


def scan(page: Page, code: str) -> None:
    """Type as a keyboard-wedge scanner does."""
    page.wait_for_load_state("load")
    page.keyboard.type(code, delay=1)
    page.keyboard.press("Enter")


def label(serial: int) -> str:
    """Return a parcel number as the carrier of the API's token writes it."""
    body = f"0913{serial:09}"
    total = sum(int(digit) * (3 if i % 2 == 0 else 1) for i, digit in enumerate(reversed(body)))
    return f"{body}{(10 - total % 10) % 10}"


def badge(village: Village) -> str:
    return next(each["badge"] for each in village.about["couriers"] if each["carrier"] == "blauerbote")


def announce(village: Village, number: str, name: str, address: str) -> str:
    body = {"number": number, "recipient_name": name, "recipient_address": address, "size": "S", "sender": "Wollstube"}
    status, answer = village.call("POST", "/parcels", body, token="carrier")
    assert status == 201, answer
    return answer["id"]


def state(village: Village, parcel: str) -> str:
    return village.call("GET", f"/parcels/{parcel}", token="carrier")[1]["state"]


def mails(village: Village) -> list[str]:
    texts = []
    for path in sorted(Path(village.data, "mail").glob("*.eml")):
        body = message_from_bytes(path.read_bytes(), policy=default).get_body(("plain",))
        texts.append(body.get_content() if body else "")
    return texts


def sign_in(page: Page, village: Village) -> None:
    page.goto("/kiosk/courier")
    scan(page, badge(village))
    expect(page.get_by_text("Scannen Sie das nächste Paket")).to_be_visible()


def use_door(page: Page, village: Village, *, put: bool, text: str) -> int:
    """Wait until the screen says that the door is open, put in or take out, push it shut."""
    expect(page.get_by_text(text)).to_be_visible()
    number = int(page.locator(".station-number").inner_text())
    with closing(village.machines()) as station:
        station.do("station", "put_parcel" if put else "take_parcel", node=f"box-{number:02}")
        station.do("station", "close_door", node=f"box-{number:02}")
    return number


def choose(page: Page, number: int) -> None:
    """Touch the parcel in the list, where more than one waits for the same person."""
    page.wait_for_url(re.compile(r"/kiosk/parcels/(mine|[0-9a-f-]{36})$"))
    if "mine" in page.url:
        page.get_by_text(f"Fach {number}", exact=True).tap()


def test_delivered_told_and_collected_with_the_code_from_the_mail(page: Page, village: Village) -> None:
    wait_until(village.is_whole)
    parcel = announce(village, label(1), "Ute Wegener", "Dorfanger 2")
    before = len(mails(village))
    sign_in(page, village)
    scan(page, label(1))
    number = use_door(page, village, put=True, text="Legen Sie das Paket in Fach")
    expect(page.get_by_text("1 Paket liegt im Fach")).to_be_visible()
    assert state(village, parcel) == "ready_for_pickup"
    page.get_by_text("Ich bin fertig").tap()
    page.wait_for_url("**/kiosk/")
    wait_until(lambda: len(mails(village)) > before)
    code = re.findall(r"\b\d{4} \d{4}\b", mails(village)[-1])[0].replace(" ", "")

    page.goto("/kiosk/parcels/code")
    page.get_by_label("Die 8 Ziffern").fill(code)
    page.get_by_role("button", name="Weiter").tap()
    choose(page, number)
    page.get_by_role("button", name=f"Tür {number} öffnen").tap()
    assert use_door(page, village, put=False, text="Ihr Fach ist offen") == number
    expect(page.get_by_text("Ihr Paket ist abgeholt")).to_be_visible()
    assert state(village, parcel) == "collected"
    page.goto("/kiosk/parcels/code")
    page.get_by_label("Die 8 Ziffern").fill(code)
    page.get_by_role("button", name="Weiter").tap()
    expect(page.get_by_text("Wir kennen diese Nummer nicht")).to_be_visible()


def test_without_mail_a_slip_is_printed_and_card_and_pin_open_the_door(page: Page, village: Village) -> None:
    wait_until(village.is_whole)
    parcel = announce(village, label(2), "Hannelore Petersdorf", "Dorfanger 1")
    slips = Path(village.data, "printed")
    before = len(list(slips.glob("*")))
    sign_in(page, village)
    scan(page, label(2))
    number = use_door(page, village, put=True, text="Legen Sie das Paket in Fach")
    wait_until(lambda: len(list(slips.glob("*"))) > before)
    newest = max(slips.glob("*"), key=lambda path: path.stat().st_mtime)
    assert "Hannelore Petersdorf" in newest.read_text(errors="replace")
    page.get_by_text("Ich bin fertig").tap()
    page.wait_for_url("**/kiosk/")

    member = next(each for each in village.about["members"] if each["name"] == "Hannelore Petersdorf")
    page.goto("/kiosk/parcels")
    scan(page, member["card"])
    page.locator("[name=pin]").fill(member["pin"])
    page.get_by_role("button", name="Weiter").tap()
    choose(page, number)
    page.get_by_role("button", name=f"Tür {number} öffnen").tap()
    use_door(page, village, put=False, text="Ihr Fach ist offen")
    expect(page.get_by_text("Ihr Paket ist abgeholt")).to_be_visible()
    assert state(village, parcel) == "collected"


def test_a_jammed_door_ends_in_another_compartment_and_the_books_are_right(page: Page, village: Village) -> None:
    wait_until(village.is_whole)
    parcel = announce(village, label(3), "Ute Wegener", "Dorfanger 2")
    with closing(village.machines()) as station:
        for number in range(1, 25):
            station.do("station", "fault", node=f"box-{number:02}", name="jam")
    sign_in(page, village)
    scan(page, label(3))
    for _ in range(2):
        expect(page.get_by_text("ist nicht aufgegangen")).to_be_visible()
        if page.get_by_text("Noch einmal versuchen").count():
            page.get_by_text("Noch einmal versuchen").tap()
            expect(page.get_by_text("geht auf")).to_be_visible()
    expect(page.get_by_text("ist nicht aufgegangen")).to_be_visible()
    with closing(village.machines()) as station:
        for number in range(1, 25):
            station.do("station", "repair", node=f"box-{number:02}")
    page.get_by_text("Anderes Fach").tap()
    use_door(page, village, put=True, text="Legen Sie das Paket in Fach")
    wait_until(lambda: state(village, parcel) == "ready_for_pickup")
    assert village.verify() == "Everything adds up."
