"""Measurements of the device side, each against a bare program that does the same at the same broker.

Used by tests/benchmarks; `python -m tests.fleet.measure` prints them alone. Device and hub run in processes of their
own, as in a village.
"""

import json
import os
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from paho.mqtt import client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from sqlalchemy import select

from devices.broker.accounts import Account, Role
from devices.broker.child import ChildBroker
from devices.broker.mosquitto import MosquittoBroker
from devices.broker.nats import NatsBroker
from devices.protocol import topics
from devices.protocol.messages import PropertyValue
from shop_hub.core import audit
from shop_hub.core.db import Database
from shop_hub.core.events import bus as screens
from shop_hub.core.hashing import SecretHasher
from shop_hub.core.settings import Mqtt, Settings
from shop_hub.core.sites import Site
from shop_hub.fleet import provisioning, service
from shop_hub.fleet.dispatch import Dispatcher
from shop_hub.fleet.flights import Flights
from shop_hub.fleet.models import Device, DeviceKind, Link
from shop_hub.fleet.worker import Worker
from shop_hub.models import Base

SITE = "lindenau"
BROKERS: dict[str, type[ChildBroker]] = {"nats": NatsBroker, "mosquitto": MosquittoBroker}
BREATH_S = 0.05
"""People do not touch in a tight loop; the pause is the same on both sides."""
_ELSEWHERE = "elsewhere"
"""A site that the hub does not know, so that it hears nothing of the bare exchange."""
_REQUEST, _RESPONSE = f"{_ELSEWHERE}/5/bare/box-01/request", f"{_ELSEWHERE}/5/bare/box-01/response"


@dataclass(frozen=True)
class Comparison:
    """Two medians (ms per round trip, or messages per second) and how ours stands to the bare one."""

    name: str
    bare: float
    ours: float

    @property
    def ratio(self) -> float:
        return self.ours / self.bare


@dataclass
class _Hub:
    settings: Settings
    database: Database
    hasher: SecretHasher


class Bench:
    """A broker, a database and a worker in this process; devices in another.

    Besides a station and a cash machine, `doors` are registered, in turn at each of the sites.
    """

    def __init__(self, folder: Path, broker: str, *, sites: int = 1, doors: int = 0) -> None:
        self.folder = folder
        self.hasher = SecretHasher(b"benchmark-pepper-of-16")
        audit.use_key(b"benchmark")
        self.database = Database(f"sqlite:///{folder / 'hub.sqlite3'}")
        Base.metadata.create_all(self.database.write_engine)
        with self.database.transaction() as session:
            self.sites = [Site(slug=f"{SITE}-{n}" if n else SITE, name="Dorfladen") for n in range(sites)]
            session.add_all(self.sites)
        self.devices = self._register([(DeviceKind.LOCKER, "station", 0), (DeviceKind.ATM, "atm", 0)])
        self.doors = self._register([(DeviceKind.DOOR, f"door-{n:04}", n % sites) for n in range(doors)])
        slugs = tuple(site.slug for site in self.sites)
        bare = [Account(name, "secret", Role.HUB, (SITE, _ELSEWHERE)) for name in ("bare-hub", "bare-device")]
        hub = Account("hub", "secret", Role.HUB, slugs)
        own = [Account.for_device(known.site, known.slug, known.password) for known in self.devices + self.doors]
        self.broker = BROKERS[broker](folder / "broker", [hub, *bare, *own])
        self.broker.start()
        self.dispatcher = Dispatcher()
        self.accepted_at: dict[str, float] = {}
        self._watch_accepts()
        self.worker = self.new_worker()

    def new_worker(self) -> Worker:
        mqtt_settings = Mqtt(port=self.broker.port, user="hub", password="secret")
        return Worker(_Hub(Settings(data=self.folder, mqtt=mqtt_settings), self.database, self.hasher), self.dispatcher)

    def _register(self, wanted: list[tuple[DeviceKind, str, int]]) -> list[provisioning.Provisioned]:
        """Register devices of a kind and name, at the site of this place in the list."""
        with self.database.transaction() as session:
            return [
                provisioning.create(
                    session,
                    self.hasher,
                    self.sites[place].id,
                    provisioning.NewDevice(slug=slug, kind=kind, name=slug),
                    actor="benchmark",
                )
                for kind, slug, place in wanted
            ]

    def _watch_accepts(self) -> None:
        """Note when the hub hears each accept."""
        hear = Flights.accepted

        def note(flights: Flights, ulid: str, device_id: int) -> None:
            self.accepted_at.setdefault(ulid, time.perf_counter())
            hear(flights, ulid, device_id)

        Flights.accepted = note

    def wait_ready(self, count: int = 1) -> None:
        """Wait until the station and so many devices in all are ready for commands.

        Raises:
            TimeoutError: they are not within two minutes.
        """
        ready = select(Device.id).where(Device.link == Link.READY)
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            with self.database.reading() as session:
                found = set(session.scalars(ready))
            if self.devices[0].device_id in found and len(found) >= count:
                return
            time.sleep(0.05)
        raise TimeoutError(f"{len(found)} of {count} devices are ready")

    def close(self) -> None:
        self.worker.stop()
        self.broker.stop()
        self.database.dispose()


def door_round_trip(broker: str = "nats", count: int = 100) -> Comparison:
    """Return ms from touch to hearing `accepted` against a bare exchange with the same fsyncs.

    The bare one: a commit here, a request at QoS 0, a commit there, an answer at QoS 1 (devices.md section 8).
    """
    with running(broker) as bench:
        with child(bench, "bare-device"):
            bare = _bare_round_trips(bench, count)
        bench.worker.start()
        with child(bench, "station"):
            bench.wait_ready()
            ours = [touch(bench, number) for number in range(count)]
    return Comparison(f"door round trip, ms ({broker})", statistics.median(bare), statistics.median(ours))


def ingest_rate(broker: str = "nats", count: int = 20_000) -> Comparison:
    """Return committed messages per second against a bare paho subscriber that only acknowledges them.

    Both find `count` messages that the broker kept for them, so that no publisher is measured.
    """
    with running(broker) as bench:
        bare = _bare_ingest_rate(bench, count)
        ours = _our_ingest_rate(bench, count)
    return Comparison(f"durable ingest, messages/s ({broker})", bare, ours)


def touch(bench: Bench, number: int) -> float:
    """Ask for a door; return ms until the hub hears the accept. Then wait for the end and a breath, untimed."""
    node = f"box-{1 + number % 24:02}"
    with screens.listen() as screen:
        bench.accepted_at.clear()
        started = time.perf_counter()
        with bench.database.transaction() as session:
            command = service.request(session, bench.devices[0].device_id, node, "open", {}, by="benchmark")
        while True:
            event = screen.get(timeout=20)
            is_mine = event["topic"] == "command" and event["command"] == command.id
            if is_mine and event["state"] not in {"sent", "accepted"}:
                time.sleep(BREATH_S)
                return (bench.accepted_at[command.ulid] - started) * 1000


def _bare_round_trips(bench: Bench, count: int) -> list[float]:
    hub = BareHub(bench.broker.port, bench.folder)
    found: list[float] = []
    for _ in range(count):
        found.append(hub.exchange())
        time.sleep(BREATH_S)
    hub.close()
    return found


class BareHub:
    """Exchanges a request for an answer, with one durable row on each side."""

    def __init__(self, port: int, folder: Path) -> None:
        self._rows = _durable_table(folder / "bare-hub.sqlite3")
        self._answered = threading.Event()
        self._client = _client_at(port, "bare-hub", topic=(_RESPONSE, 1))
        self._client.on_message = lambda *_: self._answered.set()
        self._client.loop_start()
        while not self._answered.wait(0.2):  # until the device is there
            self._client.publish(_REQUEST, b"hello", 0)
        time.sleep(0.5)

    def exchange(self) -> float:
        """Return how many ms it took."""
        self._answered.clear()
        started = time.perf_counter()
        self._rows.execute("INSERT INTO row VALUES (NULL, 'request')")
        self._client.publish(_REQUEST, b"request", 0)
        assert self._answered.wait(10)
        return (time.perf_counter() - started) * 1000

    def close(self) -> None:
        _part(self._client)
        self._rows.close()


def bare_device(bench_port: int, folder: Path) -> None:
    """Answer each request after one durable row."""
    rows = _durable_table(folder / "bare-device.sqlite3")

    def answer(client, _userdata, message) -> None:
        rows.execute("INSERT INTO row VALUES (NULL, ?)", (message.payload.decode(),))
        client.publish(_RESPONSE, message.payload, 1)

    client = _client_at(bench_port, "bare-device", topic=(_REQUEST, 0))
    client.on_message = answer
    client.loop_forever()


def _bare_ingest_rate(bench: Bench, count: int) -> float:
    """Let the broker keep messages for a bare subscriber, then time how fast it takes them."""
    moments: list[float] = []

    def connect() -> mqtt.Client:
        client = _client_at(bench.broker.port, "bare-hub", topic=(f"{SITE}/5/+/+/+", 1), is_kept=True)
        client.on_message = lambda *_: moments.append(time.perf_counter())
        client.loop_start()
        time.sleep(0.5)
        return client

    _part(connect())
    _publish_many(bench, count)
    client = connect()
    while len(moments) < count:
        time.sleep(0.01)
    _part(client)
    return count / (moments[-1] - moments[0])


def _our_ingest_rate(bench: Bench, count: int) -> float:
    """Let the broker keep messages for the hub, then time how fast they are committed."""
    bench.worker.start()
    while not bench.worker.is_connected:
        time.sleep(0.01)
    time.sleep(0.5)
    bench.worker.stop()
    _publish_many(bench, count)
    worker = bench.new_worker()
    worker.start()
    while worker.committed == 0:
        time.sleep(0.001)
    first, started = worker.committed, time.perf_counter()
    while worker.committed < count:
        time.sleep(0.001)
    rate = (worker.committed - first) / (time.perf_counter() - started)
    worker.stop()
    return rate


def _publish_many(bench: Bench, count: int) -> None:
    """Publish states of a cash machine and wait until the broker has them all."""
    client = _client_at(bench.broker.port, topics.user_name(SITE, "atm"), bench.devices[1].password)
    client.loop_start()
    boot = int(time.time())
    for number in range(1, count + 1):
        value = PropertyValue(epoch="0" * 16, boot=boot, seq=number, value={"service": "in", "number": number})
        topic = topics.property_topic(SITE, "atm", "atm", f"status-{number % 20}")
        last = client.publish(topic, value.encode(), 1)
    last.wait_for_publish(120)
    _part(client)


def _part(client: mqtt.Client) -> None:
    client.disconnect()
    client.loop_stop()


def _durable_table(path: Path) -> sqlite3.Connection:
    rows = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    rows.execute("PRAGMA journal_mode=WAL")
    rows.execute("PRAGMA synchronous=FULL")
    rows.execute("CREATE TABLE row (id INTEGER PRIMARY KEY, text TEXT)")
    return rows


def _client_at(
    port: int, user: str, password: str = "secret", *, topic: tuple[str, int] | None = None, is_kept: bool = False
) -> mqtt.Client:
    """Return a bare client; `is_kept` asks the broker to keep messages while it is away."""
    client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=user, clean_session=not is_kept)
    client.max_inflight_messages_set(1000)
    client.username_pw_set(user, password)
    client.on_socket_open = lambda _client, _userdata, sock: sock.setsockopt(6, 1, 1)  # TCP_NODELAY
    if topic is not None:
        client.on_connect = lambda *_: client.subscribe(*topic)
    client.connect("127.0.0.1", port)
    return client


@contextmanager
def running(broker: str, *, sites: int = 1, doors: int = 0) -> Iterator[Bench]:
    """Set up broker and database in a folder that is removed at the end."""
    with tempfile.TemporaryDirectory(prefix="shop-hub-bench-") as folder:
        bench = Bench(Path(folder), broker, sites=sites, doors=doors)
        try:
            yield bench
        finally:
            bench.close()


@contextmanager
def child(bench: Bench, role: str) -> Iterator[None]:
    """Run a device in a process of its own."""
    if role == "station":
        command = ["devices.simulators", "--config", str(_simulator_config(bench))]
    else:
        command = ["tests.fleet.measure", role, str(bench.broker.port), str(bench.folder)]
    with process(*command):
        yield


@contextmanager
def process(*command: str, **pipes: int) -> Iterator["subprocess.Popen[str]"]:
    """Run a Python module until the end of the block."""
    environment = os.environ | {"PYTHONPATH": str(Path.cwd())}
    options = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL} | pipes
    started = subprocess.Popen([sys.executable, "-m", *command], env=environment, text=True, **options)
    try:
        yield started
    finally:
        started.terminate()
        started.wait(60)


def _simulator_config(bench: Bench) -> Path:
    station = bench.devices[0]
    path = bench.folder / "simulators.json"
    entry = {
        "id": station.slug,
        "kind": "locker",
        "password": station.password,
        "key": station.key_hex,
        "pulse_s": 0.01,
    }
    config = {
        "site": SITE,
        "broker": {"port": bench.broker.port},
        "folder": str(bench.folder / "simulators"),
        "auto_close_s": 0.2,
        "devices": [entry],
    }
    path.write_text(json.dumps(config))
    return path


def _main(arguments: list[str]) -> None:
    if not arguments:
        for broker in BROKERS:
            for measure in (door_round_trip, ingest_rate):
                found = measure(broker)
                line = f"{found.name}: bare {found.bare:.2f}, ours {found.ours:.2f}, ratio {found.ratio:.2f}"
                sys.stdout.write(line + "\n")
    elif arguments[0] == "bare-device":
        bare_device(int(arguments[1]), Path(arguments[2]))


if __name__ == "__main__":
    _main(sys.argv[1:])
