"""What is not fired: by a command that grew old, on a line that is not ready, under a door map that does not fit."""

import contextlib
import threading
from types import SimpleNamespace

import pytest

from devices.agent.device import Order, StaleError
from devices.locker.agent import LockerDevice
from devices.locker.driver import ChannelReading, NotSentError
from devices.locker.station import Station
from devices.protocol.messages import Code, ResultState


class Boards:
    """One board of two locks whose line does what a test says."""

    addresses = range(1)
    channels = 2
    has_presence = False
    pulse_s = 0.0

    def __init__(self):
        self.fired = []
        self.on_ready = self.on_pulse = self.on_read = lambda: None

    def hold(self):
        return contextlib.nullcontext()

    def ready(self, _):
        self.on_ready()

    def pulse(self, _, channel):
        self.on_pulse()
        self.fired.append(channel)

    def read(self, _):
        self.on_read()
        return [ChannelReading(door_open=False)] * 2

    def close(self):
        pass


class Agent(SimpleNamespace):
    """Takes what is told."""

    map_revision = 0

    def __init__(self):
        self.notes, self.alerts = {}, {}
        self.host = SimpleNamespace(later=lambda *_: None)

    def note(self, name):
        return self.notes.get(name)

    def write_note(self, name, value):
        self.notes[name] = value

    def alert(self, name, text):
        self.alerts[name] = text

    def __getattr__(self, _):
        return lambda *_, **__: None


@pytest.fixture
def boards():
    return Boards()


@pytest.fixture
def device(boards):
    made = LockerDevice(Station([boards], {"board-1": [1, 2]}), open_within_s=0.0)
    made.attach(Agent())
    made.watch.turn()
    return made


def order(stale=lambda: None):
    return Order(command_id="01", node="box-01", op="open", args={}, stale=stale, pulse_lock=threading.Lock())


def raising(error):
    def act():
        raise error

    return act


def test_a_command_that_grows_old_while_the_line_opens_fires_nothing(boards, device):
    is_old = []
    boards.on_ready = lambda: is_old.append(True)
    with pytest.raises(StaleError):
        device.perform(order(lambda: Code.EXPIRED if is_old else None))
    assert boards.fired == []


@pytest.mark.parametrize("moment", ["on_ready", "on_pulse"])
def test_a_line_that_is_not_ready_is_a_certain_failure(boards, device, moment):
    setattr(boards, moment, raising(NotSentError()))
    outcome = device.perform(order())
    assert (outcome.state, outcome.code) == (ResultState.FAILED, Code.NO_ANSWER)
    assert device.doors.get("box-01").command == ""


def test_a_lost_board_is_not_fired(boards, device):
    boards.on_read = raising(NotSentError())
    for _ in range(3):
        device.watch.turn()
    began = order()
    outcome = device.perform(began)
    assert (outcome.state, outcome.code, began.began) == (ResultState.FAILED, Code.NO_ANSWER, False)
    assert boards.fired == []


def started(agent, places, boards=1):
    device = LockerDevice(Station([Boards() for _ in range(boards)], places=places), open_within_s=0.0)
    device.attach(agent)
    return device


def mapped(agent, places, doors):
    device = started(agent, places, len(places))
    wanted = {"revision": 4, "doors": doors}
    made = Order(command_id="02", node="setup", op="map", args=wanted, stale=lambda: None, pulse_lock=threading.Lock())
    assert device.perform(made).state is ResultState.DONE


def test_a_door_map_holds_only_for_the_lines_it_was_made_on():
    agent = Agent()
    mapped(agent, ["a", "b"], {"board-1": [1], "board-101": [2]})
    assert sorted(started(agent, ["a", "b"], 2).describe()) == ["board-1", "board-101", "box-01", "box-02", "setup"]
    assert agent.alerts["door-map"] == ""
    swapped = started(agent, ["b", "a"], 2)
    assert list(swapped.describe()) == ["setup"]
    assert swapped.refuse("box-01", "open", {}) == Code.NOT_FOUND
    assert "not those of the door map" in agent.alerts["door-map"]


@pytest.mark.parametrize("note", [{"revision": 1, "doors": {"board-01": [1]}}, {"revision": 1}, {"doors": 3}])
def test_a_door_map_that_cannot_be_used_leaves_a_station_without_doors(note):
    agent = Agent()
    agent.notes["door-map"] = note
    assert list(started(agent, []).describe()) == ["setup"]
    assert "cannot be used" in agent.alerts["door-map"]
