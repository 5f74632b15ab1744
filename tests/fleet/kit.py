"""A device that does exactly what the test says, speaking the real protocol through a real broker."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from sqlalchemy import select, update

from devices.broker.accounts import Account, Role
from devices.broker.child import ChildBroker
from devices.protocol import mac, topics
from devices.protocol.bus import Bus, BusConfig, Incoming
from devices.protocol.channels import Sender
from devices.protocol.description import Description
from devices.protocol.ids import new_epoch, new_lease
from devices.protocol.messages import Accepted, Ack, Command, Event, Lease, PropertyValue, Query, Result, ResultState
from shop_hub.core import clock
from shop_hub.core.db import Database
from shop_hub.core.hashing import SecretHasher
from shop_hub.core.settings import Mqtt, Settings
from shop_hub.fleet import provisioning, service
from shop_hub.fleet.dispatch import Dispatcher
from shop_hub.fleet.errors import DeviceBusyError, DeviceOfflineError
from shop_hub.fleet.models import ACTUATORS, Device, DeviceCommand, DeviceKind, HubLease, Link
from shop_hub.fleet.worker import Worker
from tests.contract import problems

SITE = "lindenau"
STATION = "station"
ATM = "atm"
SCANNER = "scanner"
PRINTER = "drucker"
KINDS = {
    STATION: DeviceKind.LOCKER,
    ATM: DeviceKind.ATM,
    SCANNER: DeviceKind.SCANNER,
    PRINTER: DeviceKind.PRINTER,
}
HASHER = SecretHasher(b"fleet-tests-pepper")


def eventually(condition: Callable[[], object], timeout_s: float = 15.0) -> None:
    """Wait until a condition holds; fail if it never does."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.01)


def accounts() -> list[Account]:
    devices = [Account.for_device(SITE, slug, password_of(slug)) for slug in KINDS]
    return [
        Account("hub", "hub-secret", Role.HUB, (SITE, "elsewhere")),
        Account("forger", "forger-secret", Role.HUB, (SITE, "elsewhere")),
        *devices,
    ]


def password_of(slug: str, site: str = SITE) -> str:
    return provisioning.broker_password(HASHER, topics.user_name(site, slug))


@dataclass
class TestHub:
    """What a worker needs of the application."""

    __test__ = False
    settings: Settings
    database: Database
    hasher: SecretHasher = HASHER


def hub_settings(broker: ChildBroker, folder) -> Settings:
    mqtt = Mqtt(host=broker.host, port=broker.port, user="hub", password="hub-secret")
    return Settings(data=folder, mqtt=mqtt)


def register(database, site, slug: str, **more) -> Device:
    new = provisioning.NewDevice(slug=slug, kind=KINDS[slug], name=slug, **more)
    with database.transaction() as session:
        found = provisioning.create(session, HASHER, site.id, new, actor="test")
        return session.get_one(Device, found.device_id)


def connect(broker: ChildBroker, user: str, password: str, *, client_id: str = "") -> Bus:
    return Bus(BusConfig(broker.host, broker.port, client_id or user, user, password))


@dataclass
class Scripted:
    """One device. `obey` decides what happens to a command; everything else is done by the test.

    Numbered messages are kept and sent again when the hub asks, as a journal would.
    """

    broker: ChildBroker
    slug: str = STATION
    epoch: str = field(default_factory=new_epoch)
    boot: int = 1
    seq: int = 0
    value_seq: int = 0
    obey: "Callable[[Scripted, Command, str], None]" = lambda device, command, node: device.done(command, node)
    commands: list[tuple[Command, bytes]] = field(default_factory=list)
    queries: list[Query] = field(default_factory=list)
    acks: list[Ack] = field(default_factory=list)
    heard: list[Incoming] = field(default_factory=list)
    """Everything the hub sent, held against the contract at the end."""
    journal: dict[int, tuple[str, bytes]] = field(default_factory=dict)
    verdicts: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    leasing: bool = True
    answers_queries: bool = True
    site: str = SITE

    def __post_init__(self) -> None:
        self.place = (self.site, self.slug)
        user = topics.user_name(*self.place)
        config = BusConfig(
            self.broker.host,
            self.broker.port,
            user,
            user,
            password_of(self.slug, self.site),
            will_topic=topics.state_topic(*self.place),
            will_payload=b"lost",
        )
        self.bus = Bus(config, on_connect=self._greet)
        self.bus.subscribe(f"{topics.device_topic(*self.place)}/+/command/set", self._command)
        self.bus.subscribe(topics.query_set_topic(*self.place), self._query)
        self.bus.subscribe(topics.ack_set_topic(*self.place), self._ack)
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._lease_on, daemon=True)

    def start(self) -> "Scripted":
        self.bus.start()
        assert self.bus.wait_connected(10)
        self._thread.start()
        return self

    def stop(self) -> None:
        self._end.set()
        if self._thread.is_alive():
            self._thread.join(timeout=5)
        self.bus.stop()

    # What it tells

    def lease(self) -> None:
        self.last_lease = new_lease()
        self._send(
            topics.lease_topic(*self.place),
            Lease(lease=self.last_lease, epoch=self.epoch, boot=self.boot, seq=self.seq),
        )

    def state(self, word: str) -> None:
        self.bus.publish(topics.state_topic(*self.place), word, qos=1, retain=True)

    def set(self, node: str, name: str, value, *, seq: int | None = None, age_s: int = 0) -> None:
        self.value_seq = self.value_seq + 1 if seq is None else seq
        message = PropertyValue(
            epoch=self.epoch, boot=self.boot, seq=self.value_seq, value=value, at_ms=int((time.time() - age_s) * 1000)
        )
        self._send(topics.property_topic(*self.place, node, name), message, qos=1, retain=True)

    def event(self, node: str, type_: str, *, cause: str = "", lose: bool = False, **data) -> int:
        """Number an event, keep it and send it, unless it gets lost on its way."""
        self.seq += 1
        message = Event(
            event=f"{self.epoch}/{self.boot}/{self.seq}", node=node, type=type_, cause=cause, data=data, age_ms=0
        )
        self.journal[self.seq] = (topics.event_topic(*self.place), message.encode())
        if not lose:
            self.again(self.seq)
        return self.seq

    def accept(self, command: Command, node: str) -> None:
        self._send(topics.command_topic(*self.place, node), Accepted(id=command.id))

    def result(
        self, command_id: str, node: str, state: str, code: str = "", *, lose: bool = False, accepted: bool = False
    ) -> None:
        self.seq += 1
        place = {"epoch": self.epoch, "boot": self.boot, "seq": self.seq}
        message = Result(id=command_id, state=ResultState(state), code=code, accepted=accepted, **place)
        stored = (topics.result_topic(*self.place, node), message.encode())
        self.journal[self.seq] = self.verdicts[command_id] = stored
        if not lose:
            self.again(self.seq)

    def done(self, command: Command, node: str) -> None:
        """Do as a good device does: once, and the same answer to the same id."""
        if command.id in self.verdicts:
            self._send(*self.verdicts[command.id], qos=1)
            return
        self.accept(command, node)
        self.result(command.id, node, "done")

    def again(self, seq: int) -> None:
        topic, payload = self.journal[seq]
        self._send(topic, payload, qos=1)

    def raw(self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False) -> None:
        self.bus.publish(topic, payload, qos=qos, retain=retain)

    def lose_journal(self) -> None:
        """Begin a new life."""
        self.epoch, self.boot, self.seq, self.value_seq = new_epoch(), 1, 0, 0
        self.journal, self.verdicts = {}, {}

    # What it hears

    def _greet(self) -> None:
        description = Description(version=1, name=self.slug, kind=KINDS[self.slug])
        self.bus.publish(topics.description_topic(*self.place), description.encode(), qos=1, retain=True)
        self.state("ready")
        if self.leasing:
            self.lease()

    def _lease_on(self) -> None:
        while not self._end.wait(0.5):
            if self.leasing and self.bus.connected and KINDS[self.slug] in ACTUATORS:
                self.lease()

    def _command(self, message: Incoming) -> None:
        self.heard.append(message)
        command = Command.decode(message.payload)
        key = provisioning.device_key(HASHER, self.site, self.slug, 1)
        assert mac.verify(key, message.topic, command)
        assert not message.retained
        self.commands.append((command, message.payload))
        self.obey(self, command, message.topic.split("/")[3])

    def _query(self, message: Incoming) -> None:
        self.heard.append(message)
        query = Query.decode(message.payload)
        self.queries.append(query)
        if not self.answers_queries:
            return
        if query.id is None:
            for seq in sorted(self.journal):
                if seq > (query.since_seq or 0) and query.epoch == self.epoch:
                    self.again(seq)
        elif query.id in self.verdicts:
            self._send(*self.verdicts[query.id], qos=1)
        else:
            self.result(query.id, query.node, "rejected", "unknown_id")

    def _ack(self, message: Incoming) -> None:
        self.heard.append(message)
        self.acks.append(Ack.decode(message.payload))

    def _send(self, topic: str, message, *, qos: int = 0, retain: bool = False) -> None:
        payload = message if isinstance(message, bytes) else message.encode()
        self.bus.publish(topic, payload, qos=qos, retain=retain)


@dataclass
class Village:
    """A database, a broker, one scripted device and the worker between them."""

    broker: ChildBroker
    database: Database
    row: Device
    device: Scripted
    folder: Path
    dispatcher: Dispatcher = field(default_factory=Dispatcher)
    outcomes: list[tuple[str, str]] = field(default_factory=list)
    workers: list[Worker] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.dispatcher.on_result("open", lambda _session, c: self.outcomes.append((c.node, c.state.value)))

    @property
    def worker(self) -> Worker:
        return self.workers[-1]

    def start_worker(self, *, wait: bool = True) -> Worker:
        """Start one more worker; a second one is a restart, or a rival."""
        worker = Worker(TestHub(hub_settings(self.broker, self.folder), self.database), self.dispatcher)
        self.workers.append(worker)
        worker.start()
        if wait:
            eventually(lambda: worker.is_connected)
        return worker

    def end(self) -> None:
        for worker in self.workers:
            worker.stop()
        self.device.stop()
        assert problems(self.device.heard, sender=Sender.HUB) == []

    def order(self, node: str = "box-01", op: str = "open", **args) -> DeviceCommand:
        """Ask for a door, as a feature does."""
        with self.database.transaction() as session:
            return service.request(session, self.row.id, node, op, args, by="test:1")

    def order_anyhow(self, node: str = "box-01") -> DeviceCommand:
        """Ask while the database believes that hub and device are there."""
        with self.database.transaction() as session:
            lease = session.get_one(HubLease, "hub")
            before = {"until": lease.until, "is_released": lease.is_released}
            session.execute(update(HubLease).values(until=clock.now() + timedelta(hours=1), is_released=False))
            session.execute(update(Device).where(Device.id == self.row.id).values(link=Link.READY))
            command = service.request(session, self.row.id, node, "open", {}, by="test:1")
            session.execute(update(HubLease).values(before))
            return command

    def can_order(self, node: str) -> bool:
        try:
            self.order(node)
        except (DeviceOfflineError, DeviceBusyError):
            return False
        return True

    def state_of(self, command: DeviceCommand) -> tuple[str, str]:
        with self.database.reading() as session:
            row = session.get_one(DeviceCommand, command.id)
            return row.state.value, row.code

    def stored(self) -> Device:
        with self.database.reading() as session:
            return session.get_one(Device, self.row.id)

    def link(self) -> Link:
        return self.stored().link

    def all(self, table):
        """Return all rows of a table about the device, in order."""
        with self.database.reading() as session:
            return list(session.scalars(select(table).where(table.device_id == self.row.id)))
