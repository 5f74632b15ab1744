"""Lines that lose, spoil, delay and repeat bytes; over a pty, over TCP, and without any wire."""

import contextlib
import socket
import threading
import time

import pytest
from serial import SerialException

from devices.agent.device import NoAnswerError
from devices.locker import line as line_module
from devices.locker.driver import ChannelReading, Finding, Found, NotSentError, TooSoonError
from devices.locker.kerong import Cu16, Cu48
from devices.locker.line import LockLine
from devices.locker.modbus import Cu48Modbus, WaveshareRelay
from devices.locker.port import TcpPort
from devices.locker.port_serial import SerialPort
from devices.simulators import lockwire
from devices.simulators.lockends import PtyEnd, TcpEnd
from devices.simulators.lockwire import SPEECHES, Board, Line

DIALECTS = {
    "kerong-cu16": (Cu16(), 0),
    "cu48": (Cu48(), 0),
    "cu48-modbus": (Cu48Modbus(), 1),
    "waveshare": (WaveshareRelay(), 1),
}
ANSWER_S, WIRED_ANSWER_S = 0.03, 1.0
"""Without a wire an answer is there at once; with one it waits for a busy machine."""


@pytest.fixture(autouse=True)
def _patient(monkeypatch):
    """Let these waits end only when a test says so: see `Bench.later`."""
    for module, name in ((line_module, "_LATE_S"), (line_module, "_REOPEN_S"), (lockwire, "_REBOOT_S")):
        monkeypatch.setattr(module, name, 3600)


class Doors:
    """Eight doors a board; a fired one opens."""

    def __init__(self):
        self.open = set()
        self.fired = []
        self.trouble = ""

    def fire(self, board, channel):
        self.fired.append((board, channel))
        self.open.add((board, channel))
        return self.trouble

    def closed(self, board):
        return [(board, channel) not in self.open for channel in range(1, 9)]

    def filled(self, _):
        return [False] * 8


class Bench:
    """Two boards of a make on one line, and a driver for them."""

    def __init__(self, make, connect=None):
        self.dialect, self.first = DIALECTS[make]
        self.doors = Doors()
        self.boards = [Board(f"board-{n + 1}", self.first + n, 8, self.doors) for n in range(2)]
        self.timers = []
        self.wire = Line(self.boards, SPEECHES[make](), self._later)
        self.end = None
        self.port = connect(self) if connect else MemoryPort(self.wire)
        self.line = LockLine(self.port, self.dialect, answer_s=WIRED_ANSWER_S if connect else ANSWER_S)

    def later(self):
        """An hour passes."""
        for timer in self.timers:
            timer.join()
        self.line._not_before.clear()
        self.line._reopen_at = 0.0
        for board in self.boards:
            board.silent_until = 0.0

    def _later(self, delay_s, work):
        timer = threading.Timer(delay_s, work)
        self.timers.append(timer)
        timer.start()

    def open_doors(self, board=0):
        readings = self.line.read(self.first + board)
        return [channel for channel, reading in enumerate(readings[:8], start=1) if reading.door_open]

    def close(self):
        self.line.close()
        for timer in self.timers:
            timer.join()
        if self.end is not None:
            self.end.close()


class MemoryPort:
    """A line without wires: what the boards say is there at once."""

    def __init__(self, wire):
        self.wire, self.waiting, self.sent = wire, b"", []
        self.is_broken = self.is_stuck = False
        self.opened = self.closed = 0

    def open(self):
        self.opened += 1
        if self.is_broken:
            raise ConnectionRefusedError

    def close(self):
        self.closed += 1
        self.waiting = b""

    def is_clear(self):
        return not self.is_stuck

    def write(self, payload):
        self.sent.append(payload)
        self.wire.hear(payload, self.say)

    def say(self, data):
        self.waiting += data

    def read(self, wait_s):
        if self.is_broken:
            raise ConnectionResetError
        if not self.waiting:
            time.sleep(min(wait_s, 0.005))
        found, self.waiting = self.waiting, b""
        return found


def over_pty(bench):
    bench.end = PtyEnd(bench.wire)
    return SerialPort(bench.end.path, 19_200)


def over_tcp(bench):
    bench.end = TcpEnd(bench.wire)
    return TcpPort("127.0.0.1", bench.end.port)


@pytest.fixture
def bench():
    with contextlib.ExitStack() as stack:

        def make(make, connect=None):
            made = Bench(make, connect)
            stack.callback(made.close)
            return made

        yield make


@pytest.mark.parametrize("connect", [over_pty, over_tcp])
@pytest.mark.parametrize("make", DIALECTS)
def test_a_door_opens_and_is_seen(bench, make, connect):
    made = bench(make, connect)
    assert made.open_doors() == []
    made.line.pulse(made.first, 3)
    assert made.doors.fired == [("board-1", 3)]
    assert (made.open_doors(0), made.open_doors(1)) == ([3], [])
    made.line.pulse(made.first + 1, 8)
    assert made.open_doors(1) == [8]


@pytest.mark.parametrize("make", DIALECTS)
@pytest.mark.parametrize("trouble", ["mute", "garble", "brownout"])
def test_a_lock_that_opened_without_an_answer_is_never_fired_again(bench, make, trouble):
    made = bench(make)
    made.open_doors()
    made.doors.trouble = trouble
    with pytest.raises(NoAnswerError):
        made.line.pulse(made.first, 3)
    assert made.doors.fired == [("board-1", 3)]
    with pytest.raises(TooSoonError):
        made.open_doors()
    made.later()
    assert made.open_doors() == [3]
    assert made.doors.fired == [("board-1", 3)]


@pytest.mark.parametrize("make", DIALECTS)
def test_noise_instead_of_an_answer_is_no_answer(bench, make):
    made = bench(make)
    made.boards[0].is_garbling = True
    with pytest.raises(NoAnswerError):
        made.open_doors()
    assert made.open_doors(1) == []


@pytest.mark.parametrize("make", DIALECTS)
def test_a_late_answer_is_not_taken_for_a_newer_one(bench, make):
    made = bench(make)
    made.boards[0].late_s = 0.08
    with pytest.raises(NoAnswerError):
        made.open_doors()
    made.boards[0].late_s = 0.0
    made.doors.open.add(("board-1", 3))
    for _ in range(5):
        with pytest.raises(TooSoonError):
            made.open_doors(0)
        assert made.open_doors(1) == []
    made.later()
    assert made.open_doors(0) == [3]


@pytest.mark.parametrize("make", DIALECTS)
def test_stale_bytes_in_the_buffer_are_dropped(bench, make):
    made = bench(make)
    assert made.open_doors() == []
    said = []
    made.wire.hear(made.port.sent[-1], said.append)
    made.doors.open.add(("board-1", 1))
    made.port.waiting = b"\x02\xff" + said[0]
    assert made.open_doors() == [1]


@pytest.mark.parametrize("make", DIALECTS)
def test_a_line_that_repeats_our_words_is_understood(bench, make):
    made = bench(make)
    made.wire.echoes = True
    assert made.open_doors() == []
    made.line.pulse(made.first, 3)
    assert made.open_doors() == [3]


@pytest.mark.parametrize("make", ["cu48-modbus", "waveshare"])
def test_our_own_echo_is_no_answer_of_a_dead_board(bench, make):
    made = bench(make)
    made.wire.echoes = True
    made.open_doors()
    made.boards[0].is_dead = True
    with pytest.raises(NoAnswerError):
        made.line.pulse(made.first, 3)


@pytest.mark.parametrize("make", ["cu48-modbus", "waveshare"])
def test_before_the_line_is_known_a_repeated_frame_proves_nothing(bench, make):
    made = bench(make)
    made.open_doors()
    made.line._echoes = None
    with pytest.raises(NoAnswerError):
        made.line.pulse(made.first, 3)
    assert made.doors.fired == [("board-1", 3)]


@pytest.mark.parametrize("make", DIALECTS)
def test_a_closed_line_fires_nothing_and_says_so(bench, make):
    made = bench(make)
    with pytest.raises(NotSentError):
        made.line.pulse(made.first, 3)
    made.line.ready(made.first)
    made.line.pulse(made.first, 3)
    assert made.doors.fired == [("board-1", 3)]


def test_a_line_that_opens_without_its_board_is_not_ready(bench):
    made = bench("cu48")
    made.boards[0].is_dead = True
    with pytest.raises(NotSentError):
        made.line.ready(0)


def test_behind_words_that_have_not_left_no_lock_is_fired(bench, monkeypatch):
    monkeypatch.setattr(line_module, "_CLEAR_S", 0.0)
    made = bench("cu48")
    made.open_doors()
    made.port.is_stuck = True
    with pytest.raises(NotSentError):
        made.line.pulse(0, 3)
    made.later()
    with pytest.raises(NotSentError):
        made.line.ready(0)
    assert (made.doors.fired, made.port.closed) == ([], 2)


@pytest.mark.parametrize("make", DIALECTS)
def test_after_a_pulse_without_answer_the_line_is_closed(bench, make):
    made = bench(make)
    made.open_doors()
    made.boards[0].is_dead = True
    with pytest.raises(NoAnswerError):
        made.line.pulse(made.first, 3)
    assert made.port.closed == 1


def test_what_a_converter_did_not_take_dies_with_the_connection():
    with socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        server.bind(("127.0.0.1", 0))
        server.listen()
        port = TcpPort(*server.getsockname())
        port.open()
        converter, _ = server.accept()
        assert port.is_clear()
        port.write(b"unlock" * 10_000)  # more than the other end takes while it is away
        assert not port.is_clear()
        port.close()
        received = 0
        with converter, contextlib.suppress(ConnectionResetError):
            while chunk := converter.recv(65_536):
                received += len(chunk)
    assert received < 60_000


@pytest.mark.parametrize("make", DIALECTS)
def test_a_pulse_does_not_take_a_late_answer_for_its_own(bench, make):
    made = bench(make)
    made.boards[0].is_garbling = True
    made.line.ready(made.first + 1)
    with pytest.raises(NoAnswerError):
        made.open_doors()
    made.boards[0].is_garbling = False
    with pytest.raises(NoAnswerError):
        made.line.pulse(made.first, 3)
    with pytest.raises(TooSoonError):
        made.open_doors()


def test_relays_are_not_switched_off_during_a_pulse(bench):
    made = bench("waveshare")
    made.line.ready(made.first)
    made.line._echoes = False
    made.line.pulse(made.first, 3)
    made.open_doors()
    assert made.wire._speech.resets == 0
    made.line._energised_until.clear()
    made.open_doors()
    assert made.wire._speech.resets == 1


def test_relays_are_switched_off_after_every_power_cut(bench):
    made = bench("waveshare")
    made.open_doors()
    made.open_doors()
    assert made.wire._speech.resets == 1
    made.boards[0].is_dead = True
    with pytest.raises(NoAnswerError):
        made.open_doors()
    made.boards[0].is_dead = False
    made.later()
    made.open_doors()
    assert made.wire._speech.resets == 2
    assert made.wire._speech.burnt == []


def test_answers_in_pieces_are_put_together(bench):
    made = bench("kerong-cu16", over_pty)
    whole = bytes.fromhex("02 00 35 fb 00 02 00 03 37")
    made.wire._speech.answer = lambda *_: b""

    def trickle():
        for octet in b"\xff\x02" + whole:
            made.end.say(bytes([octet]))
            time.sleep(0.001)

    threading.Timer(0.01, trickle).start()
    readings = made.line.read(0)
    assert readings[:3] == [
        ChannelReading(door_open=False, occupied=False),
        ChannelReading(door_open=False, occupied=True),
        ChannelReading(door_open=True, occupied=False),
    ]


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
