"""Lines that lose, spoil, delay and repeat bytes; over a pty, over TCP, and without any wire."""

import contextlib
import socket
import threading
import time

import pytest

from devices.agent.device import NoAnswerError
from devices.locker import line as line_module
from devices.locker.driver import ChannelReading, NotSentError, TooSoonError
from devices.locker.port import TcpPort
from tests.devices.locker.bench import DIALECTS, over_pty, over_tcp

pytestmark = pytest.mark.usefixtures("patient")


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
