"""Scans of a line, and how a line is found again."""

import threading
import time

import pytest
from serial import SerialException

from devices.agent.device import NoAnswerError
from devices.locker.driver import Finding, Found
from devices.locker.port_serial import SerialPort
from tests.devices.locker.bench import DIALECTS, over_pty, over_tcp

pytestmark = pytest.mark.usefixtures("patient")


@pytest.mark.parametrize("make", DIALECTS)
def test_a_scan_finds_boards_and_fires_nothing(bench, make):
    made = bench(make)
    made.boards[1].address = made.first + 5
    found = [Found(made.first, Finding.OK), Found(made.first + 5, Finding.OK)]
    made.wire.echoes = make == "kerong-cu16"
    assert made.line.scan() == found
    assert made.doors.fired == []


@pytest.mark.parametrize("make", DIALECTS)
def test_a_scan_finds_two_boards_with_one_address(bench, make):
    made = bench(make)
    made.boards[1].address = made.first
    made.doors.open |= {("board-1", 1), ("board-2", 2)}
    assert made.line.scan() == [Found(made.first, Finding.GARBLED)]


def test_a_scan_hears_twins_that_speak_one_after_the_other(bench):
    made = bench("kerong-cu16")
    plain = made.wire._speech.answer
    made.wire._speech.answer = lambda frame, board: plain(frame, board) * 2
    assert made.line.scan() == [Found(0, Finding.TWINS), Found(1, Finding.TWINS)]


def test_a_line_that_breaks_is_opened_again_but_not_all_the_time(bench):
    made = bench("kerong-cu16")
    made.open_doors()
    made.port.is_broken = True
    for _ in range(20):
        with pytest.raises(NoAnswerError):
            made.line.read(1)
    assert made.port.opened <= 2
    made.port.is_broken = False
    made.later()
    assert made.open_doors(1) == []


def test_a_line_that_is_never_silent_is_no_line(bench):
    made = bench("kerong-cu16")
    made.port.read = lambda _: b"\xfb" * 300
    with pytest.raises(NoAnswerError):
        made.open_doors()
    assert made.port.sent == []


def test_a_serial_port_belongs_to_one_process(bench):
    made = bench("kerong-cu16", over_pty)
    made.open_doors()
    second = SerialPort(made.end.path, 19_200)
    with pytest.raises(SerialException, match="exclusively lock"):
        second.open()


def test_an_unplugged_converter_comes_back(bench):
    made = bench("kerong-cu16", over_tcp)
    made.open_doors()
    made.end.unplug()
    with pytest.raises(NoAnswerError):
        for _ in range(100):
            made.open_doors(1)
            time.sleep(0.01)
    made.later()
    assert made.open_doors(1) == []


def test_two_pulses_never_overlap_on_a_held_line(bench):
    made = bench("cu48")
    made.open_doors()
    order = []

    def other():
        made.line.read(1)
        order.append("read")

    with made.line.hold():
        thread = threading.Thread(target=other)
        thread.start()
        time.sleep(0.05)
        made.line.pulse(0, 1)
        order.append("pulse")
    thread.join()
    assert order == ["pulse", "read"]
