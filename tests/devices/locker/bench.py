"""Simulated lock boards on a line, and a driver for them."""

import threading
import time

from devices.locker.kerong import Cu16, Cu48
from devices.locker.line import LockLine
from devices.locker.modbus import Cu48Modbus, WaveshareRelay
from devices.locker.port import TcpPort
from devices.locker.port_serial import SerialPort
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
