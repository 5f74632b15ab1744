"""A technician sets a station up: boards found, each door opened once and numbered, the map written."""

import re
from datetime import timedelta

import pytest
from sqlalchemy import select

from shop_hub.core.access import Role
from shop_hub.fleet.models import CommandState, Device, DeviceCommand, Link
from shop_hub.lockers import layout, setups
from shop_hub.lockers.layout import NewCompartment
from shop_hub.lockers.models import (
    Allocation,
    Compartment,
    DoorOpening,
    LockState,
    OpeningState,
    Purpose,
    Service,
    SetupState,
    Size,
)
from tests.lockers.conftest import BOARDS

INDEX = "/office/station-setup/"


def begin(bench, phone, boards=BOARDS):
    phone.post(f"{INDEX}{bench.device_public_id}", INDEX)
    bench.answer(boards=boards)
    return f"{INDEX}runs/{bench.setup().public_id}"


def action(page, word):
    """Return the address of the one form of this kind on the page."""
    found = set(re.findall(rf'action="([^"]*/{word})"', page))
    assert len(found) == 1, found
    return found.pop()


def fire(bench, phone, page):
    board, channel = re.search(r"<h2>Board (\d+), lock (\d+)</h2>", phone.get(page)).groups()
    board = f"board-{board}"
    phone.post(action(phone.get(page), "test"), page)
    assert bench.command.args == {"board": board, "channel": int(channel)}
    return board, int(channel)


def see_on_page(bench, phone, page, number, size="S"):
    bench.opens(*fire(bench, phone, page))
    return phone.post(action(phone.get(page), "answer"), page, saw="one", number=str(number), size=size)


def see(bench, number, size="S"):
    """The same without the pages."""
    with bench.session() as session:
        setup = setups.of_device(session, bench.device_id)
        lock = next(one for one in setups.locks(session, setup) if one.state is LockState.UNTESTED)
        setups.test(session, setup, lock, actor="operator:7")
        wire, public_id = (lock.board, lock.channel), lock.public_id
    bench.opens(*wire)
    with bench.session() as session:
        setup = setups.of_device(session, bench.device_id)
        setups.assign(session, setup, setups.find_lock(session, setup, public_id), number, Size(size))


def compartments(bench):
    with bench.session() as session:
        rows = session.scalars(select(Compartment).order_by(Compartment.number))
        return {row.number: (row.node, row.size.value, row.service.value) for row in rows}


def test_from_an_empty_station_to_compartments(bench, phone):
    page = begin(bench, phone)
    see_on_page(bench, phone, page, 2, "M")
    see_on_page(bench, phone, page, 1)
    phone.post(action(phone.get(page), "answer"), page, saw="nothing")
    text = see_on_page(bench, phone, page, 7, "XL")
    assert "All locks are done" in text
    phone.post(f"{page}/write", page)
    assert bench.command.args == {"revision": 4, "doors": {"board-1": [2, 1], "board-2": [0, 7]}}
    bench.answer(revision=4)
    assert "number 4" in phone.get(page)
    assert compartments(bench) == {
        1: ("box-01", "S", "in_service"),
        2: ("box-02", "M", "in_service"),
        7: ("box-07", "XL", "in_service"),
    }
    with bench.session() as session:
        assert session.get_one(Device, bench.device_id).map_revision == 4


def test_nothing_is_ever_fired_without_a_press(bench, phone):
    page = begin(bench, phone)
    for _ in range(3):
        phone.get(page)
        phone.get(f"{page}/now")
    see(bench, 1)
    phone.get(page)
    with bench.session() as session:
        assert [one.op for one in session.scalars(select(DeviceCommand).order_by(DeviceCommand.id))] == ["scan", "test"]


def test_one_press_sent_twice_fires_once(bench, phone, client):
    page = begin(bench, phone)
    text = phone.get(page)
    hidden = {name: re.search(rf'name="{name}" value="([^"]*)"', text)[1] for name in ("csrf_token", "idempotency_key")}
    for _ in range(2):
        assert client.post(action(text, "test"), data=hidden).status_code == 303
    assert bench.command.op == "test"


def test_a_second_step_waits_for_the_first(bench, phone):
    page = begin(bench, phone)
    text = phone.get(page)
    phone.post(action(text, "test"), page)
    assert "The lock is fired once" in phone.get(page)
    phone.post(action(text, "test"), page, status=409)
    phone.post(f"{page}/scan", page, status=409)
    phone.post(f"{page}/write", page, status=409)


@pytest.mark.parametrize(
    ("verdict", "said", "lock"),
    [
        ((CommandState.FAILED, "not_opened"), "no door opened", "stayed_shut"),
        ((CommandState.UNKNOWN, "no_answer"), "gave no answer", "unknown"),
        ((CommandState.FAILED, "door_open"), "Close it and try again", "untested"),
        ((CommandState.EXPIRED, "stale"), "Open this door", "untested"),
        ((CommandState.REJECTED, "stale_lease"), "Open this door", "untested"),
    ],
)
def test_what_no_contact_saw_gets_no_number(bench, phone, verdict, said, lock):
    page = begin(bench, phone)
    fire(bench, phone, page)
    bench.answer(*verdict, opened=[])
    text = phone.get(page)
    assert said in text
    assert 'name="number"' not in text
    assert bench.locks()[0] == ("board-1", 1, lock, None)
    phone.post(action(text, "answer"), page, status=409, saw="one", number="1", size="S")


def test_a_contact_of_another_lock_is_a_crossed_wire(bench, phone):
    page = begin(bench, phone)
    fire(bench, phone, page)
    bench.answer(opened=[["board-1", 2]], answered=True)
    text = phone.get(page)
    assert "Check the wires" in text
    phone.post(action(text, "answer"), page, status=409, saw="one", number="1", size="S")


def test_a_number_belongs_to_one_lock(bench, phone):
    page = begin(bench, phone)
    see(bench, 1)
    bench.opens(*fire(bench, phone, page))
    phone.post(action(phone.get(page), "answer"), page, status=409, saw="one", number="1", size="S")
    for number, size in (("0", "S"), ("1000", "S"), ("x", "Q")):
        phone.post(action(phone.get(page), "answer"), page, status=422, saw="one", number=number, size=size)


@pytest.mark.parametrize("seen_by", ["contacts", "technician"])
def test_two_doors_stop_everything_until_the_boards_were_looked_for_again(bench, phone, seen_by):
    page = begin(bench, phone)
    see(bench, 1)
    board, channel = fire(bench, phone, page)
    if seen_by == "contacts":
        bench.answer(CommandState.FAILED, "two_doors", opened=[[board, channel], ["board-2", 2]])
    else:
        bench.opens(board, channel)
        phone.post(action(phone.get(page), "answer"), page, saw="two")
        assert (bench.command.op, bench.command.args) == ("halt", {"board": board, "channel": channel})
        bench.answer()
    text = phone.get(page)
    assert "More than one door opened" in text
    assert "/test" not in text
    phone.post(f"{page}/write", page, status=409)
    phone.post(f"{page}/scan", page)
    bench.answer(boards=BOARDS)
    assert [row[2] for row in bench.locks()] == ["untested"] * 4


def test_a_board_that_shares_its_address_is_never_fired(bench, phone):
    twins = [BOARDS[0], BOARDS[1] | {"finding": "garbled"}]
    page = begin(bench, phone, twins)
    assert "two boards with one address" in phone.get(page)
    see(bench, 1)
    see(bench, 2)
    text = phone.get(page)
    assert "/test" not in text
    other = re.search(rf"{page}\?lock=([0-9a-f-]+)\">Board 2, lock 1", text)[1]
    phone.post(f"{page}/locks/{other}/test", page, status=409)


def test_what_is_confirmed_in_a_dialog_stands_in_the_form_itself(bench, phone):
    """The dialog sends the form without its button."""
    page = begin(bench, phone)
    bench.opens(*fire(bench, phone, page))
    for text in (phone.get(page), see(bench, 2) or phone.get(page)):
        for form in re.findall(r'<form[^>]*/answer"[^>]*>.*?</form>', text, re.DOTALL):
            assert re.search(r'type="hidden" name="saw" value="(one|two|nothing|rest)"', form)


def test_the_rest_of_a_board_may_be_left_out_at_once(bench, phone):
    boards = [BOARDS[0] | {"channels": 16}, BOARDS[1]]
    page = begin(bench, phone, boards)
    see(bench, 1)
    phone.post(action(phone.get(page), "answer"), page, saw="rest")
    assert [row[2] for row in bench.locks()] == ["mapped"] + ["unused"] * 15 + ["untested"] * 2
    mapped = re.search(rf"{page}\?lock=([0-9a-f-]+)\">Board 1, lock 1<", phone.get(page))[1]
    phone.post(f"{page}/locks/{mapped}/answer", page, status=409, saw="rest")


def test_another_look_keeps_what_is_known_of_boards_that_stayed(bench, phone):
    page = begin(bench, phone)
    see(bench, 5)
    phone.post(f"{page}/scan", page)
    bench.answer(boards=[BOARDS[0]])
    assert bench.locks() == [("board-1", 1, "mapped", 5), ("board-1", 2, "untested", None)]


def test_a_station_that_is_away_is_never_asked(bench, phone):
    with bench.session() as session:
        session.get_one(Device, bench.device_id).link = Link.OFFLINE
    phone.post(f"{INDEX}{bench.device_public_id}", INDEX, status=503)
    with bench.session() as session:
        session.get_one(Device, bench.device_id).link = Link.READY
    page = begin(bench, phone)
    with bench.session() as session:
        session.get_one(Device, bench.device_id).link = Link.SILENT
    text = phone.get(page)
    assert "not connected" in text
    phone.post(action(text, "test"), page, status=503)
    assert bench.locks()[0][2] == "untested"


def test_only_managers_set_up(bench, phone):
    begin(bench, phone)
    for role in (Role.OPERATOR, Role.VOLUNTEER):
        phone.become(role)
        phone.get(INDEX, status=403)


def known_station(bench, *, allocation=Allocation.FREE):
    with bench.session() as session:
        doors = [NewCompartment(n, f"box-{n:02d}", Size.S, 1, n) for n in (1, 2, 3)]
        locker = layout.create_locker(session, bench.device_id, "Paketstation", doors)
        row = session.scalar(select(Compartment).where(Compartment.locker_id == locker.id, Compartment.number == 1))
        row.allocation = allocation
    for number in (1, 2, 3):
        bench.property(f"box-{number:02d}/door", "closed")


def test_nobody_gets_a_compartment_meanwhile_and_all_do_afterwards(bench, phone):
    known_station(bench)
    page = begin(bench, phone)
    assert {row[2] for row in compartments(bench).values()} == {"maintenance"}
    phone.post(f"{page}/end", page)
    assert bench.command.op == "end"
    assert {row[2] for row in compartments(bench).values()} == {"in_service"}
    assert bench.setup().state is SetupState.ENDED


def test_what_nobody_goes_on_with_ends_by_itself(bench, phone):
    known_station(bench)
    begin(bench, phone)
    with bench.session() as session:
        setups.end_idle(session)
    assert bench.setup().state is SetupState.TESTING
    with bench.session() as session:
        command = session.scalar(select(DeviceCommand))
        command.touched_at -= setups.IDLE + timedelta(seconds=1)
        session.flush()
        setups.end_idle(session)
    assert bench.setup().state is SetupState.ENDED
    assert {row[2] for row in compartments(bench).values()} == {"in_service"}


def test_what_was_out_of_service_before_stays_so(bench, phone):
    known_station(bench)
    with bench.session() as session:
        row = session.scalar(select(Compartment).where(Compartment.number == 2))
        row.service, row.service_reason = Service.OUT_OF_SERVICE, "hinge"
    page = begin(bench, phone)
    phone.post(f"{page}/end", page)
    assert compartments(bench)[2][2] == "out_of_service"


def test_a_new_map_keeps_adds_and_takes_out_of_service(bench, phone):
    known_station(bench)
    page = begin(bench, phone)
    for number, size in ((3, "M"), (1, "S"), (4, "L"), (5, "XL")):
        see(bench, number, size)
    phone.post(f"{page}/write", page)
    bench.answer(revision=4)
    assert compartments(bench) == {
        1: ("box-01", "S", "in_service"),
        2: ("box-02", "S", "out_of_service"),
        3: ("box-03", "M", "in_service"),
        4: ("box-04", "L", "in_service"),
        5: ("box-05", "XL", "in_service"),
    }


def test_a_lost_answer_about_the_map_is_settled_by_what_the_station_works_with(bench, phone):
    page = begin(bench, phone)
    for number in (1, 2, 3, 4):
        see(bench, number)
    phone.post(f"{page}/write", page)
    bench.answer(CommandState.UNKNOWN, "journal_lost")
    assert "has not confirmed" in phone.get(page)
    bench.property("setup/map", 3)
    assert bench.setup().state is SetupState.TESTING
    bench.property("setup/map", 4)
    assert bench.setup().state is SetupState.DONE
    assert len(compartments(bench)) == 4


def test_each_attempt_to_write_has_a_number_of_its_own(bench, phone):
    page = begin(bench, phone)
    with bench.session() as session:
        session.get_one(Device, bench.device_id).description = {"map": 9}
    for number in (1, 2, 3, 4):
        see(bench, number)
    for revision in (10, 11):
        phone.post(f"{page}/write", page)
        assert bench.command.args["revision"] == revision
        bench.answer(CommandState.FAILED, "bad_arguments")
    assert compartments(bench) == {}


def test_a_door_that_a_technician_opens_is_no_break_in(bench, phone):
    known_station(bench, allocation=Allocation.OCCUPIED)
    page = begin(bench, phone)
    fire(bench, phone, page)
    bench.event("box-01", "opened", cause=bench.command.ulid)
    with bench.session() as session:
        opening = session.scalar(select(DoorOpening))
        assert (opening.purpose, opening.state, opening.actor) == (Purpose.STAFF, OpeningState.OPENED, "operator:7")
        assert session.scalar(select(Compartment).where(Compartment.number == 1)).allocation is Allocation.OCCUPIED
    bench.event("box-02", "opened", cause="01JD9Z0Q6J3M7M2YB4C1T8K5XE")
    with bench.session() as session:
        assert session.scalar(select(Compartment).where(Compartment.number == 2)).allocation is Allocation.SUSPECT


def test_a_contact_that_lies_makes_its_compartment_suspect(bench):
    known_station(bench)
    bench.event("box-03", "sensor-stuck", occupied=True)
    with bench.session() as session:
        row = session.scalar(select(Compartment).where(Compartment.number == 3))
        assert (row.allocation, row.suspect_reason) == (Allocation.SUSPECT, "sensor-stuck")


def test_a_scan_that_fails_may_be_tried_again(bench, phone):
    phone.post(f"{INDEX}{bench.device_public_id}", INDEX)
    bench.answer(CommandState.FAILED, "no_answer")
    page = f"{INDEX}runs/{bench.setup().public_id}"
    assert "could not be looked for" in phone.get(page)
    phone.post(f"{page}/scan", page)
    bench.answer(boards=[*BOARDS, "nonsense", {"board": 3}, {"board": "x", "channels": 10**9, "finding": "ok"}])
    assert len(bench.locks()) == 4
    assert "could not be looked for" not in phone.get(page)


def test_a_run_of_another_site_is_not_found(bench, phone):
    page = begin(bench, phone)
    with bench.session() as session:
        setup = setups.of_device(session, bench.device_id)
        assert setup is not None
    phone.site_id += 1
    phone.become(Role.MANAGER)
    phone.get(page, status=404)
