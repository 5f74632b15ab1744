"""Which door map counts when answers are late or lost, and what becomes of parcels behind doors that change."""

import pytest
from sqlalchemy import select

from shop_hub.fleet.models import CommandState, Device, DeviceCommand
from shop_hub.lockers import layout, setups
from shop_hub.lockers import service as lockers
from shop_hub.lockers.errors import CompartmentNotFreeError
from shop_hub.lockers.layout import NewCompartment
from shop_hub.lockers.models import Allocation, Compartment, LockState, Purpose, SetupState, Size
from tests.lockers.conftest import BOARDS

TWINS = [BOARDS[0], BOARDS[1] | {"finding": "twins"}]


class Run:
    """A technician's steps, one by one."""

    def __init__(self, bench):
        self.bench = bench
        self.does(
            lambda session, _: setups.start(session, session.get_one(Device, bench.device_id), actor="operator:7")
        )
        bench.answer(boards=BOARDS)

    def does(self, step):
        with self.bench.session() as session:
            step(session, setups.of_device(session, self.bench.device_id))

    def lock(self, session, setup, at):
        return setups.locks(session, setup)[at]

    def test(self, at):
        self.does(lambda session, setup: setups.test(session, setup, self.lock(session, setup, at), actor="operator:7"))

    def number(self, at, number):
        def assign(session, setup):
            lock = self.lock(session, setup, at)
            if lock.state is not LockState.MAPPED:
                lock.state, lock.seen = LockState.OPENED, [[lock.board, lock.channel]]
            setups.assign(session, setup, lock, number, Size.S)

        self.does(assign)

    def numbers(self, *numbers):
        for at, number in enumerate(numbers):
            self.number(at, number)

    def write(self):
        self.does(lambda session, setup: setups.write(session, setup, actor="operator:7"))

    def scan(self, boards=BOARDS):
        self.does(lambda session, setup: setups.scan(session, setup, actor="operator:7"))
        self.bench.answer(boards=boards)

    def end(self):
        self.does(lambda session, setup: setups.end(session, setup, actor="operator:7"))


@pytest.fixture
def run(bench):
    with bench.session() as session:
        doors = [NewCompartment(n, f"box-{n:02d}", Size.S, 1, n) for n in (1, 2, 3)]
        layout.create_locker(session, bench.device_id, "Paketstation", doors)
    for number in (1, 2, 3):
        bench.property(f"box-{number:02d}/door", "closed")
    return Run(bench)


def put(bench, number, allocation=Allocation.OCCUPIED):
    with bench.session() as session:
        session.scalar(select(Compartment).where(Compartment.number == number)).allocation = allocation


def doors(bench):
    with bench.session() as session:
        rows = session.scalars(select(Compartment).order_by(Compartment.number))
        return {row.number: (row.allocation.value, row.suspect_reason or row.service.value) for row in rows}


def map_of_hub(bench):
    with bench.session() as session:
        return session.get_one(Device, bench.device_id).map_revision


def test_a_run_that_writes_waits_for_the_station(bench, run):
    run.numbers(1, 2, 3, 4)
    run.write()
    with bench.session() as session:
        session.scalar(select(DeviceCommand).where(DeviceCommand.op == "map")).touched_at -= setups.IDLE * 2
        session.flush()
        setups.end_idle(session)
    assert bench.setup().state is SetupState.WRITING
    bench.answer(revision=4)
    assert (bench.setup().state, map_of_hub(bench)) == (SetupState.DONE, 4)


@pytest.mark.parametrize("word", ["property", "late verdict"])
def test_an_ended_run_is_settled_by_what_the_station_says_later(bench, run, word):
    run.numbers(1, 2, 3, 4)
    run.write()
    bench.answer(CommandState.UNKNOWN, "written_off")
    run.end()
    bench.answer()
    again = Run(bench)
    if word == "property":
        bench.property("setup/map", 4)
    else:
        with bench.session() as session:
            command = session.scalar(select(DeviceCommand).where(DeviceCommand.op == "map"))
            command.state = CommandState.DONE
            session.flush()
            bench.dispatcher.result(session, command)
    assert map_of_hub(bench) == 4
    assert {place for _, place in doors(bench).values()} == {"maintenance"}
    again.end()
    assert doors(bench) == dict.fromkeys((1, 2, 3, 4), ("free", "in_service"))


def test_numbers_that_were_not_sent_are_not_believed(bench, run):
    put(bench, 1)
    run.numbers(1, 2, 3, 4)
    run.write()
    bench.answer(CommandState.UNKNOWN, "journal_lost")
    run.number(3, 9)
    bench.property("setup/map", 4)
    assert (bench.setup().state, bench.setup().problem, map_of_hub(bench)) == (SetupState.TESTING, "other-map", 4)
    run.end()
    assert doors(bench) == {1: ("suspect", "new-map"), 2: ("free", "out_of_service"), 3: ("free", "out_of_service")}


def test_an_older_map_arrives_while_a_newer_one_is_written(bench, run):
    run.numbers(1, 2, 3, 4)
    run.write()
    bench.answer(CommandState.UNKNOWN, "journal_lost")
    run.write()
    bench.property("setup/map", 4)
    assert (bench.setup().state, map_of_hub(bench)) == (SetupState.WRITING, 4)
    bench.answer(revision=5)
    assert map_of_hub(bench) == 5
    assert doors(bench) == dict.fromkeys((1, 2, 3, 4), ("free", "in_service"))


@pytest.mark.parametrize(
    ("state", "code", "problem"),
    [
        (CommandState.REJECTED, "stopped", setups.LOOK_AGAIN),
        (CommandState.FAILED, "stopped", setups.TWO_DOORS),
        (CommandState.FAILED, "two_doors", setups.TWO_DOORS),
    ],
)
def test_a_station_that_has_ended_its_set_up_keeps_the_numbers(bench, run, state, code, problem):
    run.number(0, 5)
    run.test(1)
    bench.answer(state, code)
    assert bench.setup().problem == problem
    run.scan()
    assert bench.setup().problem == ""
    assert bench.locks()[0][3] == (5 if problem == setups.LOOK_AGAIN else None)


def test_a_map_that_a_stopped_station_rejects_asks_for_a_new_look(bench, phone, run):
    run.numbers(1, 2, 3, 4)
    run.write()
    bench.answer(CommandState.REJECTED, "stopped")
    text = phone.get(f"/office/station-setup/runs/{bench.setup().public_id}")
    assert "ended the set-up by itself" in text
    assert bench.setup().state is SetupState.TESTING


def test_numbers_of_boards_that_share_an_address_are_forgotten(bench, run):
    run.numbers(1, 2, 3, 4)
    run.scan(TWINS)
    assert [row[2:] for row in bench.locks()] == [("mapped", 1), ("mapped", 2), ("untested", None), ("untested", None)]


def test_no_map_is_written_for_a_board_that_may_be_two(bench, phone, run):
    run.numbers(1, 2, 3, 4)
    run.does(lambda _, setup: setattr(setup, "boards", TWINS))
    page = f"/office/station-setup/runs/{bench.setup().public_id}"
    assert "same address" in phone.post(f"{page}/write", page, status=409)
    assert bench.setup().state is SetupState.TESTING


@pytest.mark.parametrize("allocation", [Allocation.OCCUPIED, Allocation.RESERVED])
def test_a_door_in_use_cannot_be_left_out(bench, phone, run, allocation):
    put(bench, 2, allocation)
    run.numbers(1, 7, 3, 4)
    page = f"/office/station-setup/runs/{bench.setup().public_id}"
    assert "missing from the new map: 2." in phone.post(f"{page}/write", page, status=409)
    assert bench.setup().state is SetupState.TESTING


def write_map(bench, run, *numbers):
    run.numbers(*numbers)
    run.write()
    bench.answer(revision=bench.setup().revision)


def test_a_parcel_whose_door_got_another_lock_is_kept_for_staff(bench, run):
    write_map(bench, run, 1, 2, 3, 4)
    put(bench, 1)
    put(bench, 3)
    write_map(bench, Run(bench), 2, 1, 3, 4)
    assert doors(bench) == {
        1: ("suspect", "new-map"),
        2: ("free", "in_service"),
        3: ("occupied", "in_service"),
        4: ("free", "in_service"),
    }
    with bench.session() as session:
        found = {row.number: row for row in session.scalars(select(Compartment))}
        assert [number for number in sorted(found) if found[number].is_to_check] == [2]
        with pytest.raises(CompartmentNotFreeError):
            lockers.request_open(session, found[1].id, purpose=Purpose.PICKUP, by="person:1", grant="parcel:1")
        staff = {"by": "operator:7", "grant": "desk", "reason": "look"}
        assert lockers.request_open(session, found[1].id, purpose=Purpose.STAFF, **staff).id
        kept = lockers.request_open(session, found[3].id, purpose=Purpose.PICKUP, by="person:1", grant="parcel:1")
        assert kept.id


def test_parcels_under_a_map_that_nobody_knows_are_kept_for_staff(bench, run):
    put(bench, 1)
    write_map(bench, run, 1, 2, 3, 4)
    assert doors(bench)[1] == ("suspect", "new-map")
