"""The command that runs a real station: its lines as they are written, and a whole station on a pty."""

import json
import os
import signal
import subprocess
import sys

import pytest

from devices.agent.pairing import KEYS_FILE
from devices.locker.__main__ import main
from devices.locker.makes import MAKES, line, lines
from devices.protocol.messages import ResultState
from devices.simulators.lockends import PtyEnd, TcpEnd
from devices.simulators.lockwire import Board as BoardTwin
from devices.simulators.lockwire import KerongCu16, Line
from tests.devices.kit import KEY, SITE, eventually


class Doors:
    def __init__(self):
        self.open = set()

    def fire(self, board, channel):
        self.open.add((board, channel))
        return ""

    def closed(self, board):
        return [(board, channel) not in self.open for channel in range(1, 17)]

    def filled(self, _):
        return [False] * 16


@pytest.fixture
def boards():
    return Line([BoardTwin("board-1", 0, 16, Doors())], KerongCu16(), lambda _, work: work())


@pytest.mark.parametrize("speed", ["", "@9600"])
def test_a_serial_line_as_it_is_written(boards, speed):
    end = PtyEnd(boards)
    made = line(f"kerong-cu16={end.path}{speed}", pulse_ms=500)
    assert not any(reading.door_open for reading in made.read(0))
    made.close()
    end.close()


def test_a_converter_as_it_is_written(boards):
    end = TcpEnd(boards)
    made = line(f"kerong-cu16=127.0.0.1:{end.port}", pulse_ms=500)
    assert len(made.read(0)) == 16
    made.close()
    end.close()


@pytest.mark.parametrize(
    ("text", "pulse_ms", "reason"),
    [
        ("kerong=/dev/ttyUSB0", 500, "one of these makes"),
        ("kerong-cu16", 500, "write MAKE=WHERE"),
        ("kerong-cu16=ttyUSB0", 500, "neither a serial port"),
        ("kerong-cu16=host:x", 500, "no number"),
        ("kerong-cu16=/dev/ttyUSB0@fast", 500, "no number"),
        ("kerong-cu16=/dev/ttyUSB0", 10_000, "must be 50 to 5000 ms"),
        ("waveshare=/dev/ttyUSB0", 50, "not in range"),
    ],
)
def test_a_line_that_cannot_be_says_why(text, pulse_ms, reason):
    with pytest.raises(ValueError, match=reason):
        line(text, pulse_ms=pulse_ms)


def test_adapters_that_may_change_places_are_refused():
    with pytest.raises(ValueError, match="by-path"):
        lines(["kerong-cu16=/dev/ttyUSB0", "cu48=/dev/ttyACM0@9600"], pulse_ms=500)
    named = ["kerong-cu16=/dev/serial/by-id/usb-a", "cu48=/dev/ttyUSB0"]
    assert len(lines(named, pulse_ms=500)) == 2


def test_every_make_has_a_line():
    for make in MAKES:
        assert line(f"{make}=127.0.0.1:1", pulse_ms=500).channels in (8, 16, 48)


def test_without_keys_the_command_says_so(tmp_path, capsys):
    assert main(["--folder", str(tmp_path), "--line", "kerong-cu16=127.0.0.1:1"]) == 1
    assert capsys.readouterr().err


@pytest.mark.parametrize("broker", ["nats"], indirect=True)
def test_a_real_station_is_set_up_and_opens_a_door_over_a_pty(hub, broker, boards, tmp_path):
    end = PtyEnd(boards)
    keys = {"site": SITE, "device": "station", "kind": "locker", "name": "Station", "user": f"{SITE}_station"}
    place = {"host": "127.0.0.1", "port": broker.port, "tls": False}
    (tmp_path / KEYS_FILE).write_text(json.dumps(keys | {"password": "station-secret", "key": KEY, "broker": place}))
    command = [sys.executable, "-m", "devices.locker", "--folder", tmp_path, "--line", f"kerong-cu16={end.path}"]
    process = subprocess.Popen([*command, "--pulse-ms", "50"])
    try:
        found = hub.result(hub.order("station", "setup", "scan").id, 30)
        assert found.data["boards"] == [{"board": "board-1", "channels": 16, "finding": "ok"}]
        seen = hub.result(hub.order("station", "setup", "test", board="board-1", channel=3).id)
        assert seen.data == {"opened": [["board-1", 3]], "answered": True}
        doors = {"board-1": [0, 0, 7, 8]}
        assert hub.result(hub.order("station", "setup", "map", revision=1, doors=doors).id).state is ResultState.DONE
        eventually(lambda: hub.value("station", "box-07", "door") == "open")
        sent = hub.send("station", "box-08", hub.command("station", "open", map=1))
        assert hub.result(sent.id).state is ResultState.DONE
    finally:
        os.kill(process.pid, signal.SIGTERM)
        assert process.wait(20) == 0
        end.close()
