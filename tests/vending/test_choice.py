"""A machine at which the customer presses the number: the kiosk says so before, in time, and when it was not done."""

import pytest

from shop_hub.core.access import Role
from shop_hub.fleet.models import CommandState, Link
from shop_hub.vending import planogram
from tests.machines import Visitor

PAY_FIRST = "Please pay here first. Then press the number on the machine."


@pytest.fixture
def kiosk(village, app, client, site):
    return Visitor(app, client, site.id).become(Role.KIOSK, kiosk_id=village.kiosk_id)


def slot_page(village, number):
    return f"/kiosk/vending/slots/{village.slots[number]}"


def bought(village, kiosk, number):
    """Buy, and return the page that follows the machine."""
    vend = village.buy(number)
    with kiosk.client.session_transaction() as visit:
        visit["vends"] = [str(vend.public_id)]
    return f"/kiosk/vending/vends/{vend.public_id}"


def plain(page):
    return " ".join(page.split())


@pytest.mark.parametrize("choice", [None, "hub", ["machine"], True])
def test_a_machine_that_turns_by_itself_asks_for_nothing(village, kiosk, choice):
    if choice is not None:
        village.publish("unit/choice", choice)
    assert "on the machine" not in kiosk.get("/kiosk/vending")
    assert "on the machine" not in kiosk.get(slot_page(village, 2))
    page = plain(kiosk.get(bought(village, kiosk, 2)))
    assert "Your article is coming." in page
    assert "Press" not in page


def test_the_customer_is_told_what_to_press_before_and_after_paying(village, kiosk):
    village.publish("unit/choice", "machine")
    assert PAY_FIRST in kiosk.get("/kiosk/vending")
    assert "When you have paid, press 2 on the machine." in kiosk.get(slot_page(village, 2))
    page = plain(kiosk.get(bought(village, kiosk, 2)))
    assert "Press 2 on the machine now." in page
    assert "You have 25 seconds. Only this number is paid." in page
    assert "Your article is coming." not in page


def test_what_is_pressed_is_what_stands_on_the_machine(village, kiosk):
    village.publish("unit/choice", "machine")
    with village.session() as session:
        planogram.name_selection(session, village.site.id, village.slots[2], "B4", actor="operator:1")
    assert "press B4 on the machine." in kiosk.get(slot_page(village, 2))
    assert "Press B4 on the machine now." in kiosk.get(bought(village, kiosk, 2))


def test_who_does_not_press_in_time_pays_nothing_and_is_told_why(village, kiosk):
    village.publish("unit/choice", "machine")
    before = village.balance()
    page = bought(village, kiosk, 2)
    village.result(village.command(), CommandState.FAILED, "cancelled")
    text = plain(kiosk.get(page))
    assert "You have paid nothing." in text
    assert "2 was not pressed on the machine in time." in text
    assert village.balance() == before
    assert village.slot(2).is_for_sale


@pytest.mark.parametrize("code", ["jam", "price_differs"])
def test_what_is_not_the_customer_s_fault_is_not_called_so(village, kiosk, code):
    village.publish("unit/choice", "machine")
    page = bought(village, kiosk, 2)
    village.result(village.command(), CommandState.FAILED, code)
    assert "not pressed" not in kiosk.get(page)


def test_a_machine_that_is_away_asks_nobody_to_press_anything(village, kiosk):
    village.publish("unit/choice", "machine")
    village.set_machine_link(Link.SILENT)
    assert PAY_FIRST not in kiosk.get("/kiosk/vending")
