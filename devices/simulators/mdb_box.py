"""A vending machine with its MDB interface on a pty. It shares no code with the driver that it tests.

It plays both: the interface (a Qibixx box) that talks text, and the machine behind it with controller, motors, a drop
sensor, and a keypad that `press` works. Faults are switched on with verbs; `dropped` is what really fell out.
"""

import contextlib
import os
import pty
import threading
import time
import tty
from collections.abc import Mapping

from pydantic import JsonValue

from devices.simulators.world import ControlError, StateFile, Verb

FAULTS = ("none", "jam", "stuck", "sensor-silent", "reboot", "garble", "hang-up")
"""jam: the piece hangs · stuck: the motor does not turn · sensor-silent: it drops, but nobody sees it · reboot: the
controller starts anew after the motor has turned · garble: its last word is eaten by line noise · hang-up: the line is
cut after the motor has turned."""


class SimulatedMdbBox:
    """Prices and pieces by item number; `path` is the pty to open."""

    def __init__(
        self,
        prices: Mapping[int, str],
        *,
        file: StateFile,
        pieces: int = 6,
        motor_s: float = 0.5,
        deny_ends: bool = True,
    ) -> None:
        self._prices, self._file, self._motor_s, self._deny_ends = dict(prices), file, motor_s, deny_ends
        saved = file.load()
        self._pieces = {item: int(str(saved.get(str(item), pieces))) for item in self._prices}
        self._state = "INACTIVE"
        self._asked = 0
        self._next_fault = "none"
        self._was_empty = False
        self._lock = threading.RLock()
        self.turns: list[int] = []
        self.dropped: list[int] = []
        self.heard: list[str] = []
        """Every line that came, as text, for tests that compare it with the design."""
        self._master, self._slave = pty.openpty()
        tty.setraw(self._slave)
        self.path = os.ttyname(self._slave)
        threading.Thread(target=self._serve, name="mdb-box", daemon=True).start()

    def verbs(self) -> dict[str, Verb]:
        """Return what can be done at the machine."""
        return {
            "press": self.press,
            "fault": self.fault,
            "cancel": self.cancel,
            "noise": self.noise,
            "reset": self.reset,
            "refill": self.refill,
        }

    def look(self) -> JsonValue:
        """Return pieces and state."""
        return {"pieces": {str(item): count for item, count in self._pieces.items()}, "state": self._state}

    def press(self, item: int) -> None:
        """Choose an item at the keypad."""
        with self._lock:
            if item not in self._prices:
                raise ControlError(f"no item {item}")
            if self._state not in ("ENABLED", "IDLE"):
                return
            self._state, self._asked = "VEND", item
            self.say(f"c,STATUS,VEND,{self._prices[item]},{item}")

    def fault(self, name: str) -> None:
        """Let the next vend go wrong in this way."""
        if name not in FAULTS:
            raise ControlError(f"no fault {name}")
        self._next_fault = name

    def cancel(self) -> None:
        """Press the coin return: an open session ends."""
        with self._lock:
            if self._state == "IDLE":
                self._state = "ENABLED"
                self.say("c,STATUS,ENABLED")

    def noise(self, text: str = "\x00\xff~c,VE") -> None:
        """Put raw characters on the line."""
        self._raw(text.encode("latin-1"))

    def reset(self) -> None:
        """Restart the controller, which forgets what it was doing."""
        with self._lock:
            self._asked = 0
            for state in ("INACTIVE", "DISABLED", "ENABLED"):
                self._state = state
                self.say(f"c,STATUS,{state}")

    def refill(self, item: int, pieces: int) -> None:
        """Put pieces into a spiral."""
        self._pieces[item] = pieces

    def say(self, line: str) -> None:
        """Send one line."""
        self._raw(line.encode("ascii") + b"\r\n")

    def close(self) -> None:
        """Pull the plug."""
        with self._lock:
            for descriptor in (self._master, self._slave):
                with contextlib.suppress(OSError):
                    os.close(descriptor)
            self._master = self._slave = -1

    def _serve(self) -> None:
        pending = b""
        while True:
            try:
                chunk = os.read(self._master, 1024)
            except OSError:
                return
            *whole, pending = (pending + chunk).split(b"\r\n")
            for line in whole:
                self.heard.append(line.decode("ascii", "replace"))
                with self._lock:
                    self._obey(line)

    def _obey(self, line: bytes) -> None:
        word, _, rest = line.decode("ascii", "replace").partition(",")
        if word != "C":
            return
        if rest == "1":
            if self._state == "INACTIVE":
                self.say("c,1")
                self.reset()
            else:
                self.say(f"c,STATUS,{self._state if self._state != 'VEND' else 'IDLE'}")
        elif rest.startswith("START,"):
            self._begin(rest.removeprefix("START,"))
        elif rest == "STOP" and self._state == "IDLE":
            self._to_enabled()
        elif rest.startswith("VEND,"):
            self._answered(rest.removeprefix("VEND,"))

    def _begin(self, credit: str) -> None:
        if self._state != "ENABLED":
            self.say('c,ERR,"session is open"' if self._state != "INACTIVE" else 'c,ERR,"cashless is off"')
            return
        self._state = "IDLE"
        self.say(f"c,STATUS,IDLE,{credit}")

    def _answered(self, credit: str) -> None:
        if self._state != "VEND":
            self.say('c,ERR,"not in vend"')
            return
        item, self._asked = self._asked, 0
        if credit == "-1":
            (self._to_enabled if self._deny_ends else self._back_to_idle)()
        elif float(credit) < float(self._prices[item]):
            self._to_enabled()
        else:
            fault, self._next_fault = self._next_fault, "none"
            self._state = "VENDING"
            threading.Thread(target=self._dispense, args=(item, fault), name="motor", daemon=True).start()

    def _dispense(self, item: int, fault: str) -> None:
        time.sleep(self._motor_s)
        with self._lock:
            self._turn(item, fault)
            if fault == "sensor-silent":
                return
            if fault == "reboot":
                self.reset()
                return
            if fault == "hang-up":
                self.close()
                return
            if fault == "garble":
                self._raw(b"c,VEND,SUC\x15ESS\r\n")
            elif fault in ("jam", "stuck") or self.dropped[-1:] != [item] or self._was_empty:
                self.say("c,ERR,VEND 3")
            else:
                self.say("c,VEND,SUCCESS")
            self.say("c,STATUS,IDLE")
            self._to_enabled()

    def _turn(self, item: int, fault: str) -> None:
        self._was_empty = self._pieces[item] < 1
        if fault == "stuck":
            return
        self.turns.append(item)
        if fault != "jam" and not self._was_empty:
            self._pieces[item] -= 1
            self.dropped.append(item)
            self._file.save({str(key): count for key, count in self._pieces.items()})

    def _to_enabled(self) -> None:
        self._state = "ENABLED"
        self.say("c,STATUS,ENABLED")

    def _back_to_idle(self) -> None:
        self._state = "IDLE"
        self.say("c,STATUS,IDLE")

    def _raw(self, characters: bytes) -> None:
        with contextlib.suppress(OSError):
            os.write(self._master, characters)
