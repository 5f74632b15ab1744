"""What an agent does right before a pulse: the line is got ready first, and what was not fired is certainly not."""

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

    def note(self, _):
        return None

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
