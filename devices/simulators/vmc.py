"""A vending machine's own controller on MQTT. It reads and writes its messages by itself, not as the driver does.

The physics (spirals, drop sensor, its memory, faults) are those of `SimulatedMachine`; here is only the wire.
"""

import contextlib
import json
import secrets
import threading
from collections.abc import Callable

from pydantic import JsonValue

from devices.agent.device import NoAnswerError
from devices.protocol.bus import Bus, BusConfig, Incoming, NotConnectedError
from devices.simulators.vending import SimulatedMachine
from devices.simulators.world import Verb
from devices.vending.driver import Drop, NotTurnedError

_STATUS_S = 2.0


class SimulatedController:
    """Drives a machine by what it hears below `prefix`."""

    def __init__(self, machine: SimulatedMachine, bus: BusConfig, prefix: str, *, status_s: float = _STATUS_S) -> None:
        self._machine, self._prefix, self._status_s = machine, prefix, status_s
        self._nonces = ["", ""]
        self._motor = threading.Lock()
        self._ended = threading.Event()
        self._bus = Bus(bus)
        self._bus.subscribe(f"{prefix}/turn", lambda message: self._later(self._turn, message), qos=0)
        self._bus.subscribe(f"{prefix}/ask", lambda message: self._later(self._asked, message), qos=0)
        self.heard: list[str] = []
        """Orders and questions as they came, for tests that compare them with the design."""

    def start(self) -> None:
        """Switch it on."""
        self._machine.watch(self)
        self._bus.start()
        threading.Thread(target=self._speak, name="vmc", daemon=True).start()

    def close(self) -> None:
        """Switch it off."""
        self._ended.set()
        self._bus.stop()

    def verbs(self) -> dict[str, Verb]:
        """Return what can be done at the machine."""
        return {**self._machine.verbs(), "audit": lambda: self.audited(self._machine.audit_file())}

    def look(self) -> JsonValue:
        """Return its physical state."""
        return self._machine.look()

    def renew(self) -> None:
        """Tell the state with a new nonce; the last but one is worth nothing any more."""
        self._nonces = [self._nonces[1], secrets.token_hex(4)]
        self._say("status", f'{{"nonce": "{self._nonces[1]}", "door": "closed", "milli": 5200}}', retain=True)

    # What the machine tells its controller

    def refilled(self, slot: str, stock: int) -> None:
        """Pass on a filling."""
        self._say("refilled", f'{{"motor": {int(slot[-2:])}, "stock": {stock}}}')

    def door(self, *, is_open: bool) -> None:
        """Pass nothing on: the status tells the door."""

    def temperature(self, milli: int) -> None:
        """Pass nothing on: the status tells the temperature."""

    def settled(self, turn: str, drop: Drop) -> None:
        """Pass on a late end."""
        self._say("turned", f'{{"turn": "{turn}", "drop": "{drop.value}"}}')

    def audited(self, content: bytes) -> None:
        """Pass on an audit file."""
        self._bus.publish(f"{self._prefix}/audit", content, qos=1)

    def _later(self, work: Callable[[bytes], None], message: Incoming) -> None:
        if message.payload and not message.retained:
            threading.Thread(target=work, args=(message.payload,), daemon=True).start()

    def _turn(self, payload: bytes) -> None:
        self.heard.append(payload.decode())
        order = json.loads(payload)
        with self._motor:
            if order["nonce"] not in self._nonces:
                self.settled(order["turn"], Drop.NOT_TURNED)
                return
            try:
                drop = self._machine.vend(f"slot-{order['motor']:02d}", order["turn"])
            except NotTurnedError:
                drop = self._machine.drop_of(order["turn"]) or Drop.NOT_TURNED
            except NoAnswerError:
                return
            self.settled(order["turn"], drop)

    def _asked(self, payload: bytes) -> None:
        self.heard.append(payload.decode())
        name = json.loads(payload)["turn"]
        with self._motor:
            drop = self._machine.drop_of(name)
        if drop is not None:
            self.settled(name, drop)

    def _speak(self) -> None:
        while not self._ended.wait(self._status_s):
            with contextlib.suppress(NotConnectedError):
                self.renew()

    def _say(self, name: str, text: str, *, retain: bool = False) -> None:
        self._bus.publish(f"{self._prefix}/{name}", text, qos=1, retain=retain)
