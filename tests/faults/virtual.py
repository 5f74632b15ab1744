"""A world in one thread: its own time, a broker and links that lose, delay, double and reorder, processes that die.

Real code runs in it: the agents' and the hub's. Only clocks, threads, sockets and the broker are replaced.
"""

import heapq
import itertools
import json
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache, partial
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from paho.mqtt.client import topic_matches_sub

from devices.protocol.bus import BusConfig, Incoming, NotConnectedError
from devices.protocol.subscriptions import Subscriptions
from shop_hub.fleet.flights import Flight

_matches = lru_cache(20_000)(topic_matches_sub)
_START_S = 1000.0
EPOCH = datetime(2026, 3, 1, tzinfo=UTC)
_TIMED = ("term", "links", "flights", "sender", "registry", "inbox", "letters")


class Crash(BaseException):
    """The process whose code is running dies here, as by kill -9 (no `except Exception` may catch it)."""


@dataclass
class Process:
    """Something that lives until it is killed; its pending steps die with it."""

    name: str
    alive: bool = True
    paused_until: float = 0.0
    booted_at: float = 0.0
    """Moment at which its clock that never jumps stood at zero."""
    wall_offset_s: float | None = 0.0
    """Error of its wall clock; None: it stands in 1970."""
    on_death: Callable[[], None] = lambda: None


class World:
    """Runs steps in the order of their times. `chance` decides everything, so that a seed repeats a history."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.now = 0.0
        self.process: Process | None = None
        self.broker = Broker(self)
        self.crash_rate = 0.0
        self.leases_heard: dict[str, float] = {}
        """When the last lease of each device reached the hub."""
        self._steps: list[tuple[float, int, Process | None, Callable[[], object]]] = []
        self._count = itertools.count()

    def at(self, delay: float, work: Callable[[], object], process: Process | None = None) -> None:
        """Do this later, in a process, if it still lives then."""
        heapq.heappush(self._steps, (self.now + delay, next(self._count), process, work))

    def run_until(self, moment: float) -> None:
        while self._steps and self._steps[0][0] <= moment:
            due, number, process, work = heapq.heappop(self._steps)
            if process is not None and process.paused_until > due:
                heapq.heappush(self._steps, (process.paused_until, number, process, work))
                continue
            self.now = max(self.now, due)
            if process is None or process.alive:
                self.enter(process, work)
        self.now = moment

    def enter(self, process: Process | None, work: Callable[[], object]) -> None:
        before, self.process = self.process, process
        try:
            work()
        except Crash:
            if process is None:
                raise
            self.kill(process)
        finally:
            self.process = before

    def kill(self, process: Process) -> None:
        if process.alive:
            process.alive = False
            self.broker.cut(process)
            process.on_death()

    def write_point(self) -> None:
        """Stand before and after each durable write: the process may die here."""
        if self.process is not None and self.chance.random() < self.crash_rate:
            raise Crash

    # Clocks

    def boot_ns(self, _clock: int = 0) -> int:
        return int((self.now - (self.process.booted_at if self.process else 0.0)) * 1e9)

    def wall_ns(self) -> int:
        offset = self.process.wall_offset_s if self.process else 0.0
        return self.boot_ns() if offset is None else int((EPOCH.timestamp() + self.now + offset) * 1e9)

    def wall(self) -> datetime:
        return EPOCH + timedelta(seconds=self.now + ((self.process and self.process.wall_offset_s) or 0.0))

    def _flight(self, real: type[Flight], *place: Any) -> Flight:
        """Make a flight that begins now: its own default is bound to the real clock."""
        return real(*place, sent_at=_START_S + self.now)

    @contextmanager
    def patched(self) -> Iterator[None]:
        """Let the real code see this world's clocks, network and disk."""
        hub_time = SimpleNamespace(monotonic=lambda: _START_S + self.now)
        device_time = SimpleNamespace(clock_gettime_ns=self.boot_ns, time_ns=self.wall_ns)
        bus = lambda *args, **more: VirtualBus(self, *args, **more)  # noqa: E731 - a factory
        targets = {f"shop_hub.fleet.{name}.time": hub_time for name in _TIMED} | {
            "devices.agent.clock.time": device_time,
            "shop_hub.core.clock.now": self.wall,
            "shop_hub.fleet.registry._REFRESH_S": 60.0,  # nobody adds devices here
            "shop_hub.fleet.sender.LOOK_S": 1.0,  # touches are handed over; this is for those of a hub that was busy
            "shop_hub.fleet.sender.Flight": partial(self._flight, Flight),
            "shop_hub.fleet.term.Bus": bus,
            "devices.agent.agent.Bus": bus,
        }
        patches = [patch(name, value) for name, value in targets.items()]
        for one in patches:
            one.start()
        try:
            yield
        finally:
            for one in reversed(patches):
                one.stop()


@dataclass
class Weather:
    """How bad the links are: chances per message, and the longest delay in seconds."""

    lose: float = 0.0
    double: float = 0.0
    slow: float = 0.0
    slowest_s: float = 8.0
    overtake: float = 0.0
    """QoS 0 messages that overtake others of their connection (and so may come back after them)."""
    lose_acknowledged: float = 0.0
    """A broker that loses what it had acknowledged (kill -9 without autosave)."""


@dataclass
class Session:
    """What the broker knows of a client."""

    bus: "VirtualBus | None" = None
    filters: dict[str, int] = field(default_factory=dict)
    kept: dict[int, tuple[str, bytes, bool]] = field(default_factory=dict)
    """QoS 1 messages not acknowledged yet, of a client that asked to keep them."""


class Broker:
    """MQTT as far as it matters here: retained messages, persistent sessions, wills, QoS 0 and 1."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.weather = Weather()
        self.sessions: dict[str, Session] = {}
        self.retained: dict[str, bytes] = {}
        self.log: list[tuple[str, bytes]] = []
        """Everything that was ever sent to a device: a rogue client may send it again."""
        self.first_sent: dict[str, float] = {}
        """When the hub first sent a command, by its id."""
        self._mids = itertools.count(1)

    def connect(self, bus: "VirtualBus") -> None:
        session = self.sessions.setdefault(bus.config.client_id, Session())
        if bus.config.clean_session:
            session.filters, session.kept = {}, {}
        session.bus = bus
        for mid, (topic, payload, retained) in list(session.kept.items()):
            self._deliver(session, topic, payload, 1, mid, retained=retained)

    def subscribe(self, bus: "VirtualBus", topic_filter: str, qos: int) -> None:
        session = self.sessions[bus.config.client_id]
        session.filters[topic_filter] = qos
        for topic, payload in list(self.retained.items()):
            if _matches(topic_filter, topic):
                self._queue(session, topic, payload, qos, retained=True)

    def receive(self, topic: str, payload: bytes, qos: int, *, retain: bool) -> None:
        """Take a publish from somebody and hand it on."""
        if topic.endswith("/set"):
            self.log.append((topic, payload))
        if retain:
            self.retained.pop(topic, None)
            if payload:
                self.retained[topic] = payload
        if qos and self.world.chance.random() < self.weather.lose_acknowledged:
            return
        for session in list(self.sessions.values()):
            wanted = [own for own_filter, own in session.filters.items() if _matches(own_filter, topic)]
            if wanted:
                self._queue(session, topic, payload, min(qos, max(wanted)), retained=False)

    def acknowledged(self, client_id: str, mid: int) -> None:
        self.sessions[client_id].kept.pop(mid, None)

    def cut(self, process: Process) -> None:
        """Break all connections of a process; the wills follow, perhaps late."""
        for session in self.sessions.values():
            bus = session.bus
            if bus is not None and bus.process is process:
                session.bus = None
                if bus.config.clean_session:
                    session.filters = {}
                bus.lost()
                if bus.config.will_topic:
                    will = bus.config
                    self.world.at(
                        self.world.chance.uniform(0, 6),
                        lambda w=will: self.receive(w.will_topic, w.will_payload, 1, retain=True),
                    )

    def up(self, bus: "VirtualBus", topic: str, payload: bytes, qos: int, *, retain: bool) -> None:
        """Carry a publish from a client to the broker, unless the client has connected anew meanwhile.

        A broker ends the older connection of a client id, whatever is still on its way there (MQTT 3.1.1, 3.1.4-2).
        """
        if topic.endswith("/command/set"):
            self.first_sent.setdefault(json.loads(payload)["id"], self.world.now)
        session, connection = self.sessions[bus.config.client_id], bus.connection

        def arrive() -> None:
            if session.bus is None or (session.bus is bus and bus.connection == connection):
                self.receive(topic, payload, qos, retain=retain)

        self._carry(bus.upwards, qos, arrive)

    def _queue(self, session: Session, topic: str, payload: bytes, qos: int, *, retained: bool) -> None:
        mid = next(self._mids)
        if qos and (session.bus is None or not session.bus.config.clean_session):
            session.kept[mid] = (topic, payload, retained)
        self._deliver(session, topic, payload, qos, mid, retained=retained)

    def _deliver(self, session: Session, topic: str, payload: bytes, qos: int, mid: int, *, retained: bool) -> None:
        bus = session.bus
        if bus is None:
            return
        connection = bus.connection

        def arrive() -> None:
            if bus.connected and bus.connection == connection:
                bus.deliver(Incoming(topic, payload, qos, retained, False, mid, connection))

        self._carry(bus.downwards, qos, arrive, bus.process)

    def _carry(self, line: "Line", qos: int, arrive: Callable[[], None], process: Process | None = None) -> None:
        """Let a message arrive, in the order of its connection; sometimes one of QoS 0 overtakes the others."""
        chance, weather = self.world.chance, self.weather
        if not qos and chance.random() < weather.lose:
            return
        for _ in range(1 + (chance.random() < weather.double)):
            delay = chance.uniform(0, weather.slowest_s) if chance.random() < weather.slow else chance.uniform(0, 0.02)
            moment = self.world.now + delay
            if qos or chance.random() > weather.overtake:
                moment = line.last = max(moment, line.last)
            self.world.at(moment - self.world.now, arrive, process)


@dataclass
class Line:
    """One direction of a connection: when its last message arrives."""

    last: float = 0.0


class VirtualBus:
    """Stands for `devices.protocol.bus.Bus`."""

    def __init__(
        self,
        world: World,
        config: BusConfig,
        *,
        loop: object = None,
        on_connect: Callable[[], None] | None = None,
        on_disconnect: Callable[[], None] | None = None,
    ) -> None:
        del loop, on_disconnect
        self.world, self.config = world, config
        self.process = world.process
        self.connected = False
        self.alive = True
        self.connection = 0
        self._on_connect = on_connect
        self._subscriptions: dict[str, tuple[int, Callable[[Incoming], None]]] = {}
        self.subscriptions = Subscriptions("")
        """Nobody is refused in this world."""
        self._stopped = False
        self.unplugged_until = 0.0
        self.upwards, self.downwards = Line(), Line()

    def subscribe(self, topic_filter: str, handler: Callable[[Incoming], None], *, qos: int = 1) -> None:
        self._subscriptions[topic_filter] = (qos, handler)
        if self.connected:
            self.world.broker.subscribe(self, topic_filter, qos)

    def start(self) -> None:
        self.world.at(self.world.chance.uniform(0.01, 0.3), self._connect, self.process)

    def publish(self, topic: str, payload: object, *, qos: int = 0, retain: bool = False) -> None:
        data = payload if isinstance(payload, bytes) else payload.encode()
        data = data.encode() if isinstance(data, str) else data
        if not self.connected:
            raise NotConnectedError(topic)
        self.world.broker.up(self, topic, data, qos, retain=retain)

    def ack(self, message: Incoming) -> None:
        if self.connected and message.connection == self.connection and message.qos:
            self.world.broker.acknowledged(self.config.client_id, message.mid)

    def drop(self) -> None:
        self.world.broker.cut(self.process)

    def stop(self) -> None:
        self._stopped = True
        self.connected = False

    def lost(self) -> None:
        """The connection is gone; it is tried again by itself."""
        self.connected = False
        if not self._stopped and self.process.alive:
            self.world.at(self.world.chance.uniform(0.2, 2.0), self._connect, self.process)

    def deliver(self, message: Incoming) -> None:
        if message.topic.endswith("/lease"):
            self.world.leases_heard[message.topic.split("/")[-2]] = self.world.now
        fitting = [h for f, (_, h) in list(self._subscriptions.items()) if _matches(f, message.topic)]
        for handler in fitting:
            handler(message)

    def _connect(self) -> None:
        if self._stopped or self.connected:
            return
        if self.unplugged_until > self.world.now:
            self.world.at(self.unplugged_until - self.world.now, self._connect, self.process)
            return
        self.connection += 1
        self.connected = True
        self.upwards, self.downwards = Line(), Line()
        self.world.broker.connect(self)
        for topic_filter, (qos, _) in list(self._subscriptions.items()):
            self.world.broker.subscribe(self, topic_filter, qos)
        if self._on_connect is not None:
            self._on_connect()
