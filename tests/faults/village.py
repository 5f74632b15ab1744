"""Two parcel stations, a hub and everything that may go wrong between them, in a `World`. See schedules.py."""

import shutil
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import ClassVar
from unittest.mock import Mock, patch

from pydantic import JsonValue
from sqlalchemy import delete, select, text

from devices.agent.agent import Agent, AgentConfig
from devices.agent.device import Device, NoAnswerError, Order, Outcome
from devices.agent.journal import Journal
from devices.protocol import mac, topics
from devices.protocol.description import NodeDescription, PropertyDescription
from devices.protocol.ids import new_ulid
from devices.protocol.messages import Code, Command
from shop_hub.core import clock
from shop_hub.core.db import Database
from shop_hub.core.settings import Mqtt
from shop_hub.core.sites import Site
from shop_hub.fleet import models, service, settle
from shop_hub.fleet.dispatch import Dispatcher
from shop_hub.fleet.errors import DeviceBusyError, DeviceOfflineError
from shop_hub.fleet.hublease import Reign
from shop_hub.fleet.means import Setup
from shop_hub.fleet.models import DeviceKind, HubLease
from shop_hub.fleet.partitions import ALL
from shop_hub.fleet.presence import forget_links
from shop_hub.fleet.term import MOST_PER_BATCH, Term
from tests.faults.virtual import Process, World
from tests.faults.virtual_host import VirtualHost

SITE = "lindenau"
NODES = ("box-01", "box-02")
STATIONS = ("north", "south")
_TABLES = (
    models.DeviceEvent,
    models.DeviceCommand,
    models.DeviceProperty,
    models.DeviceAlert,
    models.DeviceHealth,
    models.DeviceChange,
    models.DeadLetter,
    models.Device,
    models.HubLease,
)
_JOURNAL_WRITE = Journal._writing
_TURN_S = 0.15


class TornDatabase(Database):
    """A database whose process may die before and after each commit."""

    world: World

    def finish(self, session, *, commit: bool) -> None:
        is_write = commit and session.info["write"]
        if is_write:
            try:
                self.world.write_point()
            except BaseException:
                super().finish(session, commit=False)
                raise
        super().finish(session, commit=commit)
        if is_write:
            self.world.write_point()


@dataclass
class Box:
    """A compartment as it is, whatever anybody knows of it."""

    is_open: bool = False
    since: float = 0.0


@dataclass(frozen=True)
class Pulse:
    """A lock was fired."""

    at: float
    station: str
    node: str
    command: str
    opened: bool


class Locks(Device):
    """A station's machine; some pulses jam, some boards do not answer."""

    kind: ClassVar[str] = "locker"
    limit_s: ClassVar[float] = 15.0

    def __init__(self, station: "Station") -> None:
        self._station = station

    def describe(self) -> dict[str, NodeDescription]:
        door = PropertyDescription(datatype="enum", format="open,closed,unknown")
        return {node: NodeDescription(name=node, type="compartment", properties={"door": door}) for node in NODES}

    def start(self, agent: Agent) -> None:
        self._agent = agent
        for node in NODES:
            self.tell(node)

    def tell(self, node: str) -> None:
        self._agent.set(node, "door", "open" if self._station.boxes[node].is_open else "closed")

    def refuse(self, node: str, op: str, args: Mapping[str, JsonValue]) -> Code | None:
        return None if node in NODES and op == "open" and not args else Code.NOT_FOUND

    def perform(self, order: Order) -> Outcome:
        chance = self._station.village.world.chance
        with order.pulse():
            opened = self._station.fire(order)
        if not opened:
            self._agent.event(order.node, "jam", cause=order.id)
            return Outcome.failed(Code.JAM)
        if chance.random() < 0.1:
            raise NoAnswerError
        self._agent.event(order.node, "opened", cause=order.id)
        self._agent.host.post(lambda: self.tell(order.node))  # the sensor is read when its turn comes
        return Outcome.done()


class Station:
    """A device with its physical compartments, its disk, and the process that runs its agent."""

    def __init__(self, village: "Village", slug: str) -> None:
        self.village, self.slug = village, slug
        self.key = f"key of {slug}".encode() * 4
        self.boxes = {node: Box() for node in NODES}
        self.journal = village.folder / f"{slug}.journal"
        self.is_honest = True
        """Whether its memory was never set back."""
        self.start()

    def start(self) -> None:
        world = self.village.world
        offset = world.chance.choice((0.0, 0.0, None, -86_400.0 * 400, 3_600.0))
        booted = world.now if world.chance.random() < 0.5 else 0.0
        self.process = Process(self.slug, booted_at=booted, wall_offset_s=offset, on_death=self._died)
        world.enter(self.process, self._run)

    def _run(self) -> None:
        config = AgentConfig(
            site=SITE,
            device=self.slug,
            name=self.slug,
            key=self.key,
            host="",
            port=0,
            password=self.slug,
            journal=self.journal,
        )
        self.locks = Locks(self)
        self.agent = Agent(config, self.locks, VirtualHost(self.village.world, self.process))
        self.agent.start()

    def _died(self) -> None:
        with suppress(AttributeError):
            self.agent._journal.close()
        self.village.world.at(self.village.world.chance.uniform(0.1, 8.0), self.start)

    def kill(self) -> None:
        self.village.world.kill(self.process)

    def fire(self, order: Order) -> bool:
        """Fire a lock, once, for real."""
        world = self.village.world
        opened = world.chance.random() >= 0.1
        self.village.pulses.append(Pulse(world.now, self.slug, order.node, order.id, opened))
        box = self.boxes[order.node]
        if opened and not box.is_open:
            box.is_open, box.since = True, world.now
            world.at(world.chance.uniform(0.5, 6.0), lambda: self._shut(order.node))
        world.write_point()
        return opened

    def _shut(self, node: str) -> None:
        """Let the person shut the door; an agent that runs sees it."""
        box = self.boxes[node]
        box.is_open, box.since = False, self.village.world.now
        if self.process.alive:
            self.village.world.enter(self.process, lambda: self._seen_shut(node))

    def _seen_shut(self, node: str) -> None:
        self.agent.event(node, "closed")
        self.locks.tell(node)

    def save_copy(self) -> None:
        """Keep a copy of the memory card as it is now."""
        for path in self.journal.parent.glob(f"{self.slug}.journal*"):
            shutil.copy(path, path.with_name("copy-" + path.name))

    def set_back(self, *, forget: bool) -> None:
        """Have the memory card replaced by the copy, or by an empty one."""
        self.kill()
        self.is_honest = False
        for path in self.journal.parent.glob(f"{self.slug}.journal*"):
            path.unlink()
        for path in self.journal.parent.glob(f"copy-{self.slug}.journal*"):
            if not forget:
                shutil.copy(path, path.with_name(path.name.removeprefix("copy-")))


class Hub:
    """The hub's process: the real term without its threads, turned by the world's clock."""

    def __init__(self, village: "Village") -> None:
        self.village = village
        self.generation = 1
        self.boot = 0
        self.wall_offset_s = 0.0
        self.alive_since = 0.0
        self.start()

    def start(self) -> None:
        world, self.boot = self.village.world, self.boot + 1
        self.generation += world.chance.random() < 0.5
        self.process = Process("hub", wall_offset_s=self.wall_offset_s, on_death=self._died)
        self.alive_since = world.now
        world.enter(self.process, self._run)

    def _run(self) -> None:
        village = self.village
        with village.database.transaction() as session:
            row = session.get(HubLease, "hub") or HubLease(name="hub", owner="test", is_released=False)
            row.boot, row.generation, row.until = self.boot, self.generation, clock.now().replace(year=2300)
            session.add(row)
        self.reign = Reign(ALL, self.boot, self.generation)
        self.term = term = Term(village.setup(), SimpleNamespace(is_safe=lambda: True, now=clock.now), self.reign)
        with village.database.transaction() as session:
            settle.recover(session, self.reign)
            forget_links(session, village.dispatcher, ALL)
        term._registry.refresh()
        term._links.know(term._registry.all())
        term._sender.remember_open()
        term._subscribe()
        term._bus.start()
        self._work(0)

    def _work(self, turn: int) -> None:
        self.village.world.at(_TURN_S, lambda: self._work(turn + 1), self.process)
        items = self.term._inbox.take(MOST_PER_BATCH, 0)
        if items:
            self.term._ingest.apply(items)
        self.term._sender.turn()
        if turn % 2 == 0:
            self.term.turn()

    def _died(self) -> None:
        self.village.world.at(self.village.world.chance.uniform(0.3, 6.0), self.start)


@dataclass
class Village:
    """Everything together. `broken` collects what must never be."""

    world: World
    database: TornDatabase
    folder: Path
    pulses: list[Pulse] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    touched: dict[str, float] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.dispatcher = Dispatcher()
        self.database.world = self.world
        _empty(self.database)
        with self.database.transaction() as session:
            site = session.scalars(select(Site)).one()
            rows = [models.Device(site_id=site.id, slug=slug, kind=DeviceKind.LOCKER, name=slug) for slug in STATIONS]
            session.add_all(rows)
        self.ids = {row.slug: row.id for row in rows}
        self.stations = {slug: Station(self, slug) for slug in STATIONS}
        self.hub = Hub(self)

    def setup(self) -> Setup:
        return Setup(
            database=self.database,
            dispatcher=self.dispatcher,
            mqtt=Mqtt(),
            client_id="hub",
            key=lambda _site, slug, _generation: self.stations[slug].key,
            sign_ins=lambda _partition: Mock(is_alive=True),
        )

    def touch(self) -> None:
        """Have somebody touch a screen: please open this door."""
        slug, node = self.world.chance.choice(STATIONS), self.world.chance.choice(NODES)

        def ask() -> None:
            with suppress(DeviceBusyError, DeviceOfflineError), self.database.transaction() as session:
                ulid = service.request(session, self.ids[slug], node, "open", {}, by="test").ulid
                self.touched[ulid] = self.world.now

        self.world.enter(self.hub.process, ask)

    # What rogues do: everything goes to the broker as if a client had sent it

    def replay(self) -> None:
        """Send an old message to a device again, perhaps so that the broker keeps it."""
        if self.world.broker.log:
            topic, payload = self.world.chance.choice(self.world.broker.log)
            self._send(topic, payload, retain=self.world.chance.random() < 0.3)

    def misdirect(self) -> None:
        """Send a command to another door or another station than it was made for."""
        commands = [entry for entry in self.world.broker.log if entry[0].endswith("/command/set")]
        if commands:
            topic, payload = self.world.chance.choice(commands)
            site, version, _slug, _node, *rest = topic.split("/")
            slug, node = self.world.chance.choice(STATIONS), self.world.chance.choice(NODES)
            if (other := "/".join((site, version, slug, node, *rest))) != topic:
                self._send(other, payload)

    def forge(self) -> None:
        """Make a command as the hub would, but without its key, or as a copy of the hub from before the last start."""
        station = self.stations[self.world.chance.choice(STATIONS)]
        node = self.world.chance.choice(NODES)
        leases = list(station.agent._leases._made)
        if not leases:
            return
        is_copy = station.agent._journal.gen >= self.hub.generation > 1 and self.world.chance.random() < 0.5
        command = Command(
            id=new_ulid(),
            op="open",
            lease=leases[-1],
            ttl_ms=2000,
            map=0,
            gen=self.hub.generation - is_copy,
        )
        topic = topics.command_set_topic(SITE, station.slug, node)
        self._send(topic, mac.sign(station.key if is_copy else b"rogue", topic, command).encode())

    def garbage(self) -> None:
        """Send what is no message, to a device and to the hub."""
        slug = self.world.chance.choice(STATIONS)
        for tail in ("box-01/command/set", "log/ack/set", "log/query/set", "log/event", "box-01/result", "lease"):
            self._send(f"{SITE}/5/{slug}/{tail}", self.world.chance.choice((b"\xff\x00", b"{}", b"[1]", b"x" * 5000)))

    def _send(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        self.world.broker.receive(topic, payload, 0, retain=retain)


def _empty(database: Database) -> None:
    with database.transaction() as session:
        for table in _TABLES:
            session.execute(delete(table))
        session.execute(text("PRAGMA foreign_keys=ON"))


@contextmanager
def torn_journals(world: World) -> Iterator[None]:
    """Let devices die before and after each write to their journals."""

    @contextmanager
    def writing(journal: Journal) -> Iterator[None]:
        world.write_point()
        with _JOURNAL_WRITE(journal):
            yield
        world.write_point()

    with patch.object(Journal, "_writing", writing):
        yield
