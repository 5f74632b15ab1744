"""A card reader behind an MDB interface on a pty. It shares no code with the driver that it tests.

It plays both: the interface (a Qibixx box in its role of master) that talks text, and the reader. `tap` holds a card to
it; `captured` and `reverted` are what became of the money.
"""

import contextlib
import os
import pty
import threading
import tty

from pydantic import JsonValue

from devices.simulators.world import ControlError, Verb

TAPS = ("approve", "decline", "other-amount", "cancel", "reset", "hang-up", "garble")
"""other-amount: a cent less is granted · cancel: the customer presses stop · reset: the reader starts anew · hang-up:
approved, but the line is cut before its word · garble: approved, but its word is eaten by line noise."""

_APPROVED = frozenset({"approve", "other-amount", "hang-up", "garble"})


class SimulatedMdbReader:
    """`path` is the pty to open. `is_askable` False: an old reader that wants a card before the amount.

    `card_after_s`: when the simulated customer holds a card to it; 0 = only on `tap`.
    """

    def __init__(self, *, is_askable: bool = True, details: str = "", card_after_s: float = 0.0) -> None:
        self._is_askable, self._details, self._card_after_s = is_askable, details, card_after_s
        self._state = "OFF"
        self._asked = ""
        self._is_mute = False
        self._lock = threading.RLock()
        self._master = self._slave = -1
        self.path = ""
        self.captured: list[str] = []
        self.reverted: list[str] = []
        self.heard: list[str] = []
        """Every line that came, as text, for tests that compare it with the design."""
        self._plug_in()

    def verbs(self) -> dict[str, Verb]:
        """Return what can be done at the reader."""
        return {"tap": self.tap, "mute": self.mute, "restart": self.restart}

    def look(self) -> JsonValue:
        """Return its state and what became of the money."""
        return {"state": self._state, "captured": list(self.captured), "reverted": list(self.reverted)}

    def tap(self, how: str = "approve") -> None:
        """Hold a card to it, which ends in this way."""
        if how not in TAPS:
            raise ControlError(f"no tap {how}")
        with self._lock:
            if self._state != "VEND":
                return
            if how in _APPROVED:
                self._state = "RESULT"
            steps = {
                "approve": lambda: self._say(f"STATUS,RESULT,1,{self._asked}"),
                "other-amount": lambda: self._say(f"STATUS,RESULT,1,{float(self._asked) - 0.01:.2f}"),
                "garble": lambda: self._raw(b"d,STATUS,RES\x15LT,1\r\n"),
                "hang-up": self.close,
                "decline": self._decline,
                "cancel": self._to_idle,
                "reset": self.restart,
            }
            steps[how]()

    def mute(self, *, on: bool = True) -> None:
        """Say nothing any more, or speak again."""
        self._is_mute = on

    def restart(self) -> None:
        """Switch the reader off and on: what it had approved counts as sold."""
        with self._lock:
            self._settle_by_reset()
            self._state = "INIT"
            self._say("STATUS,RESET")
            self._say(f"STATUS,INIT,{int(self._is_askable)}")

    def close(self) -> None:
        """Cut the line."""
        with self._lock:
            for descriptor in (self._master, self._slave):
                with contextlib.suppress(OSError):
                    os.close(descriptor)
            self._master = self._slave = -1

    def _plug_in(self) -> None:
        self._master, self._slave = pty.openpty()
        tty.setraw(self._slave)
        self.path = os.ttyname(self._slave)
        threading.Thread(target=self._serve, args=(self._master,), name="mdb-reader", daemon=True).start()

    def _serve(self, line_end: int) -> None:
        pending = b""
        while True:
            try:
                chunk = os.read(line_end, 1024)
            except OSError:
                return
            *whole, pending = (pending + chunk).split(b"\r\n")
            for line in whole:
                self.heard.append(line.decode("ascii", "replace"))
                with self._lock:
                    self._obey(self.heard[-1])

    def _obey(self, line: str) -> None:
        match line.split(","):
            case ["D", "0"]:
                self._settle_by_reset()
                self._state = "OFF"
                self._say("STATUS,OFF")
            case ["D", "2"]:
                if self._state != "OFF":
                    self._say('ERR,"cashless master is on"')
                else:
                    self.restart()
            case ["D", "READER", "1"] if self._state in ("INIT", "IDLE"):
                self._to_idle()
            case ["D", "REQ", "-1"] if self._state == "VEND":
                self._to_idle()
            case ["D", "REQ", price, _item] if self._state == "IDLE":
                self._state, self._asked = "VEND", f"{float(price):.2f}"
                self._say("STATUS,VEND")
                if self._card_after_s:
                    threading.Timer(self._card_after_s, self.tap).start()
            case ["D", "END", *more] if self._state == "RESULT":
                (self.reverted if more == ["-1"] else self.captured).append(self._asked)
                self._to_idle()
            case _:
                self._say('ERR,"-1"')

    def _settle_by_reset(self) -> None:
        if self._state == "RESULT":
            self.captured.append(self._asked)

    def _decline(self) -> None:
        self._say("STATUS,RESULT,-1")
        self._to_idle()

    def _to_idle(self) -> None:
        self._state = "IDLE"
        self._say("STATUS,IDLE")

    def _say(self, words: str) -> None:
        self._raw(f"d,{words}{self._details if words.startswith('STATUS') else ''}\r\n".encode("ascii"))

    def _raw(self, characters: bytes) -> None:
        if not self._is_mute:
            with contextlib.suppress(OSError):
                os.write(self._master, characters)
