"""A vending machine whose own controller speaks plain JSON over MQTT: the least a maker has to build.

Below a prefix of its own (best on a broker of its own, that of the agent's computer), all at QoS 0 or 1:

| topic | direction | payload |
|---|---|---|
| `status` | controller, retained, every 2 s | `{"nonce": "k3", "door": "closed", "milli": 5200}` |
| `turn` | agent, never retained | `{"turn": "<name>", "motor": 7, "nonce": "k3"}` |
| `ask` | agent | `{"turn": "<name>"}` |
| `turned` | controller, QoS 1 | `{"turn": "<name>", "drop": "vended"}`, or `jam`, `empty`, `not_turned` |
| `refilled` | controller, QoS 1 | `{"motor": 7, "stock": 8}` |
| `audit` | controller, QoS 1 | an EVA-DTS file |

Each status has a new `nonce`. The controller turns for a name once, and only if the order's `nonce` is one of its last
two: an order that was under way for long moves nothing. It keeps what its drop sensor saw for at least 50 names over
power cuts, and answers `ask` with it. Asked for a name that it never heard, it notes that as `not_turned` and never
turns for it. While a motor runs it answers `ask` at the end.
"""

import json
import logging
import threading
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from pydantic import JsonValue

from devices.agent.clock import boot_ms
from devices.agent.device import NoAnswerError
from devices.protocol.bus import Bus, BusConfig, Incoming, NotConnectedError
from devices.vending.driver import Drop, MachineListener, NotTurnedError, Planned, Slot

log = logging.getLogger(__name__)

_LARGEST_STATUS = 1000
_LARGEST_AUDIT = 200_000
_DOOR = {"open": True, "closed": False}


@dataclass(frozen=True, slots=True)
class MqttMachineConfig:
    """Where the controller is, its motors by slot, and how long to wait in seconds."""

    bus: BusConfig
    prefix: str
    motors: Mapping[int, Slot]
    stale_s: float = 6.0
    turn_s: float = 30.0
    ask_s: float = 3.0


class MqttMachine:
    """Keeps the contract `VendingMachine`."""

    def __init__(self, config: MqttMachineConfig) -> None:
        self._config = config
        self._motors = {slot.node: motor for motor, slot in config.motors.items()}
        self._changed = threading.Condition()
        self._nonce, self._heard_ms = "", 0
        self._turned: dict[str, Drop] = {}
        self._awaited: set[str] = set()
        self._listener: MachineListener | None = None
        self._bus = Bus(config.bus)
        for name, handler in (
            ("status", self._on_status),
            ("turned", self._on_turned),
            ("refilled", self._on_refilled),
            ("audit", self._on_audit),
        ):
            self._bus.subscribe(f"{config.prefix}/{name}", handler)

    def slots(self) -> Sequence[Slot]:
        """Return all slots, in order."""
        return list(self._config.motors.values())

    def plan(self, slots: Mapping[str, Planned]) -> None:
        """Nothing to take over: this controller knows motors only."""

    def watch(self, listener: MachineListener, doubts: Collection[str] = ()) -> None:  # noqa: ARG002 - it can be asked
        """Connect and listen."""
        self._listener = listener
        self._bus.start()

    def close(self) -> None:
        """Disconnect."""
        self._bus.stop()

    def vend(self, slot: str, turn: str) -> Drop:
        """Ask for one turn and wait for what the drop sensor saw."""
        with self._changed:
            if boot_ms() - self._heard_ms > self._config.stale_s * 1000 or not self._nonce:
                raise NotTurnedError("offline")
            order: dict[str, JsonValue] = {"turn": turn, "motor": self._motors[slot], "nonce": self._nonce}
        try:
            drop = self._ask("turn", order, self._config.turn_s)
        except NotConnectedError:
            raise NotTurnedError("offline") from None
        if drop is None:
            raise NoAnswerError
        return drop

    def drop_of(self, turn: str) -> Drop | None:
        """Ask the controller's memory."""
        try:
            return self._ask("ask", {"turn": turn}, self._config.ask_s)
        except NotConnectedError:
            return None

    def _ask(self, name: str, message: Mapping[str, JsonValue], limit_s: float) -> Drop | None:
        """Publish, and wait for what the controller says of the turn; the wait begins before the answer can come.

        Raises:
            NotConnectedError: nothing was sent.
        """
        turn = str(message["turn"])
        with self._changed:
            self._awaited.add(turn)
            try:
                self._bus.publish(f"{self._config.prefix}/{name}", json.dumps(message))
                self._changed.wait_for(lambda: turn in self._turned, limit_s)
            finally:
                self._awaited.discard(turn)
            return self._turned.pop(turn, None)

    # In the network's thread

    def _on_status(self, message: Incoming) -> None:
        fields = _fields(message)
        nonce = fields.get("nonce")
        if message.retained or not isinstance(nonce, str) or not nonce:
            return  # a retained one tells nothing about now
        with self._changed:
            self._nonce, self._heard_ms = nonce, boot_ms()
        door, milli, listener = fields.get("door"), fields.get("milli"), self._listener
        if listener is None:
            return
        if isinstance(door, str) and door in _DOOR:
            listener.door(is_open=_DOOR[door])
        if type(milli) is int and abs(milli) < 200_000:  # noqa: PLR2004 - no thermometer says so
            listener.temperature(milli)

    def _on_turned(self, message: Incoming) -> None:
        fields = _fields(message)
        turn, word = fields.get("turn"), fields.get("drop")
        if message.retained or not isinstance(turn, str) or not isinstance(word, str) or word not in list(Drop):
            return
        with self._changed:
            if turn in self._awaited:
                self._turned[turn] = Drop(word)
                self._changed.notify_all()
                return
        if self._listener is not None:
            self._listener.settled(turn, Drop(word))

    def _on_refilled(self, message: Incoming) -> None:
        fields = _fields(message)
        motor, stock = fields.get("motor"), fields.get("stock")
        if message.retained or type(motor) is not int or type(stock) is not int or motor not in self._config.motors:
            return
        if self._listener is not None:
            self._listener.refilled(self._config.motors[motor].node, stock)

    def _on_audit(self, message: Incoming) -> None:
        if self._listener is not None and not message.retained and len(message.payload) <= _LARGEST_AUDIT:
            self._listener.audited(message.payload)


def _fields(message: Incoming) -> dict[str, JsonValue]:
    """Return the fields of a message; nothing of what is no small JSON object."""
    if len(message.payload) > _LARGEST_STATUS:
        return {}
    try:
        found = json.loads(message.payload)
    except (ValueError, RecursionError):
        log.warning("%s: no JSON", message.topic)
        return {}
    return found if isinstance(found, dict) else {}
