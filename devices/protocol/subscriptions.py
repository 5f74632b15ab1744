"""What one MQTT client listens to, and what the broker has said to it."""

import logging
import math
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from paho.mqtt import client as mqtt
from paho.mqtt.matcher import MQTTMatcher
from paho.mqtt.reasoncodes import ReasonCode

log = logging.getLogger(__name__)

_ASK_AGAIN_S = 5.0


@dataclass(frozen=True, slots=True)
class Incoming:
    """A received message. `retained` marks one the broker had stored, not one just sent."""

    topic: str
    payload: bytes
    qos: int
    retained: bool
    duplicate: bool
    mid: int
    connection: int
    """Number of the connection it came by: only there it can be acknowledged."""


Handler = Callable[[Incoming], None]


class Subscriptions:
    """Filters with their handlers, for any number of connections one after the other; thread-safe.

    A broker refuses a filter by a mere code in its SUBACK, and nothing of it is heard. Mosquitto with accounts in files
    grants everything and delivers in silence what is allowed.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._known: dict[str, tuple[int, Handler]] = {}
        # a hub of a hundred villages has two filters for each
        self._tree = MQTTMatcher()  # type: ignore[no-untyped-call]
        self._asked: dict[int, Sequence[str]] = {}
        """Filters without an answer, by the number of the packet."""
        self._ask_again_at = math.inf
        self._lock = threading.Lock()
        self.refused: frozenset[str] = frozenset()
        self.refusals = 0
        """How often a filter was refused, on all connections."""

    def add(self, topic_filter: str, handler: Handler, qos: int) -> None:
        """Know one more."""
        with self._lock:
            self._known[topic_filter] = (qos, handler)
            self._tree[topic_filter] = handler

    def begin(self, client: mqtt.Client) -> bool:
        """Ask for all on a new connection; False if there is nothing to ask for."""
        with self._lock:
            self._asked.clear()
            self.refused = frozenset()
            names = list(self._known)
        if names:  # paho raises for an empty list
            self.ask(client, names)
        return bool(names)

    def ask(self, client: mqtt.Client, names: Sequence[str]) -> None:
        """Ask the broker for these."""
        with self._lock:
            mid = client.subscribe([(name, self._known[name][0]) for name in names])[1]
            if mid is not None:
                self._asked[mid] = names

    def answered(self, mid: int, reasons: Sequence[ReasonCode]) -> bool:
        """Take a SUBACK, which has one word for each filter; tell whether all were granted."""
        with self._lock:
            asked = self._asked.pop(mid, ())
        refused = frozenset(name for name, reason in zip(asked, reasons, strict=False) if reason.is_failure)
        fresh = refused - self.refused
        if fresh:
            log.error("the broker refuses %s to hear %s", self._name, ", ".join(sorted(fresh)))
        self.refused = (self.refused - frozenset(asked)) | refused
        self.refusals += len(refused)
        self._ask_again_at = time.monotonic() + _ASK_AGAIN_S
        return not refused

    def ask_again(self, client: mqtt.Client) -> None:
        """Ask for what was refused, now and then: the broker may have been told our rights meanwhile."""
        if self.refused and time.monotonic() >= self._ask_again_at:
            self._ask_again_at = math.inf
            self.ask(client, sorted(self.refused))

    def handlers(self, topic: str) -> list[Handler]:
        """Return whom a message concerns."""
        with self._lock:
            return list(self._tree.iter_match(topic))  # type: ignore[no-untyped-call]
