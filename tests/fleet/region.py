"""A region: `python -m tests.fleet.region --messages 50000`.

A village's mosquitto passes on what its devices tell to the broker of the region, where a second hub collects it. The
link between the two is cut for most of the messages, and again and again while they are delivered; meanwhile the
region's hub is killed, and on demand its broker. At the end everything that was told is compared with what is stored.
"""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from unittest import mock

from sqlalchemy import func, select

from devices.broker import bridge
from devices.broker.accounts import Account, Role
from devices.broker.bridge import Invitation
from devices.broker.child import ChildBroker
from devices.broker.mosquitto import MosquittoBroker
from devices.broker.mosquitto_config import LONG_QUEUE, Layout
from devices.broker.nats import NatsBroker
from devices.protocol import topics
from devices.protocol.bus import Bus, Incoming
from devices.protocol.messages import ClockHint, Event
from shop_hub.core import audit, schema
from shop_hub.core.db import Database
from shop_hub.core.settings import Mqtt, Settings
from shop_hub.core.sites import Site
from shop_hub.fleet import links
from shop_hub.fleet.dispatch import Dispatcher
from shop_hub.fleet.models import MISSING, Device, DeviceEvent, Link
from shop_hub.fleet.worker import Worker
from tests.fleet.kit import ATM, SCANNER, STATION, Scripted, TestHub, connect, eventually, password_of
from tests.fleet.wire import Wire

SITE = "lindenau"
SLUGS = (STATION, ATM, SCANNER)
_CUTS = 5
_LATE_S = 8.0
"""What a hub left unacknowledged comes again from nats-server after five seconds."""


class BridgedBroker(MosquittoBroker):
    """A village's mosquitto with a bridge to these addresses."""

    def __init__(self, folder: Path, addresses: Sequence[str], site: str = SITE) -> None:
        devices = [Account.for_device(site, slug, password_of(slug, site)) for slug in SLUGS]
        monitor = Account(bridge.MONITOR, "monitor-secret", Role.MONITOR, (site,))
        super().__init__(folder, [Account("hub", "hub-secret", Role.HUB, (site,)), monitor, *devices])
        self._invitation = Invitation.of(bridge_account(site), addresses, "")

    def _write(self) -> None:
        super()._write()
        path = self.folder / "mosquitto.conf"
        path.write_text(path.read_text() + bridge.section(self._invitation, None))


class RegionBroker(MosquittoBroker):
    """The region's mosquitto."""

    def layout(self) -> Layout:
        found = super().layout()
        return Layout(found.folder, found.store, found.local_port, user=found.user, queue=LONG_QUEUE)


def bridge_account(site: str) -> Account:
    return bridge.account(site, f"{site}secret")


def region_accounts(*sites: str) -> list[Account]:
    """Return the collecting hub, a reader, and the villages. The hub could speak here, and does not."""
    hubs = [Account(user, "hub-secret", Role.HUB, sites) for user in ("hub", "hub-1")]
    return [*hubs, Account("spy", "spy-secret", Role.MONITOR, sites), *(bridge_account(site) for site in sites)]


def region_settings(brokers: Sequence[ChildBroker], folder: Path) -> Settings:
    first, *more = [broker.port for broker in brokers]
    others = tuple(f"127.0.0.1:{port}" for port in more)
    mqtt = Mqtt(port=first, more_hosts=others, user="hub", password="hub-secret", collects=True)
    return Settings(data=folder, mqtt=mqtt)


@dataclass
class Village:
    """Its broker, the word of its hub, and devices that tell numbered events."""

    broker: BridgedBroker
    site: str = SITE
    devices: dict[str, Scripted] = field(default_factory=dict)

    def start(self, *slugs: str) -> None:
        self.broker.start()
        self._hub = connect(self.broker, "hub", "hub-secret")
        self._hub.start()
        assert self._hub.wait_connected(10)
        self._end = threading.Event()
        self._clock = threading.Thread(target=self._tell_time, daemon=True)
        self._clock.start()
        for slug in slugs or SLUGS:
            self.devices[slug] = Scripted(self.broker, slug, site=self.site)
            self.devices[slug].leasing = False
            self.devices[slug].start().set("atm", "status", {"service": "inService"})

    def tell(self, count: int) -> None:
        """Have the devices tell so many events, by turns."""
        devices = list(self.devices.values())
        for number in range(count):
            devices[number % len(devices)].event("box-01", "opened" if number % 2 else "closed")

    def numbers(self) -> dict[str, list[int]]:
        return {slug: list(range(1, device.seq + 1)) for slug, device in self.devices.items()}

    def is_told(self) -> bool:
        """Tell whether the broker has taken everything."""
        return not any(device.bus._client._out_messages for device in self.devices.values())

    def stop(self) -> None:
        for device in self.devices.values():
            device.stop()
        self._end.set()
        self._clock.join(timeout=5)
        self._hub.stop()
        self.broker.stop()

    def _tell_time(self) -> None:
        while not self._end.wait(0.5):
            with suppress(Exception):
                self._hub.publish(topics.clock_topic(self.site), ClockHint(now_ms=int(time.time() * 1000)).encode())


@dataclass
class Collected:
    """What the region's database holds."""

    database: Database

    def numbers(self, *, missing: bool = False) -> dict[str, list[int]]:
        """Return the numbers of each device's events in the order in which they were stored, or the missing ones."""
        found: dict[str, list[int]] = {}
        with self.database.reading() as session:
            kind = DeviceEvent.type == MISSING if missing else DeviceEvent.type != MISSING
            rows = session.execute(
                select(Device.slug, DeviceEvent.seq, DeviceEvent.data)
                .join(Device, Device.id == DeviceEvent.device_id)
                .where(kind)
                .order_by(DeviceEvent.id)
            )
            for slug, seq, data in rows:
                found.setdefault(slug, []).extend(range(seq, data["last"] + 1) if missing else [seq])
        return found

    def count(self) -> int:
        with self.database.reading() as session:
            return session.scalar(select(func.max(DeviceEvent.id))) or 0

    def links(self) -> dict[str, Link]:
        with self.database.reading() as session:
            return dict(session.execute(select(Device.slug, Device.link)).all())

    def ends(self) -> dict[str, int]:
        """Return up to which number each device is known."""
        with self.database.reading() as session:
            return dict(session.execute(select(Device.slug, Device.seq)).all())


class Spy:
    """Hears everything at a broker."""

    def __init__(self, broker: ChildBroker, user: str, password: str, *sites: str) -> None:
        self.heard: list[Incoming] = []
        self.bus: Bus = connect(broker, user, password)
        for site in sites or (SITE,):
            self.bus.subscribe(topics.site_filter(site), self.heard.append)
        self.bus.start()
        assert self.bus.wait_connected(10)

    def topics(self) -> set[str]:
        return {message.topic for message in self.heard}

    def doubles(self) -> int:
        """Return how many events came again."""
        events = [message for message in self.heard if message.topic.endswith("/log/event")]
        numbers = Counter((message.topic, Event.decode(message.payload).seq) for message in events)
        return sum(times - 1 for times in numbers.values())


def found_site(database: Database, slug: str = SITE) -> Site:
    with database.transaction() as session:
        site = Site(slug=slug, name="Dorfladen", street="Dorfstraße 1", postcode="16999", place="Lindenau", land="BB")
        session.add(site)
    return site


@dataclass
class RegionRun:
    """One run: a village, a link, a region."""

    folder: Path
    kind: type[ChildBroker] = RegionBroker
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)
    kills: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        audit.use_key(b"fleet-tests")
        self.database = Database(f"sqlite:///{self.folder}/region.sqlite3")
        schema.upgrade(self.database)
        found_site(self.database)
        self.broker = self.kind(self.folder / "region", region_accounts(SITE))
        self.broker.start()
        self.wire = Wire(self.broker.port)
        self.village = Village(BridgedBroker(self.folder / "village", [f"127.0.0.1:{self.wire.port}"]))
        self.collected = Collected(self.database)

    def start(self) -> None:
        self.spy = Spy(self.broker, "spy", "spy-secret")
        self.start_hub()
        self.village.start()
        eventually(lambda: set(self.collected.links().values()) == {Link.READY}, 60)

    def start_hub(self) -> None:
        command = [sys.executable, "-m", "tests.fleet.region_process", self.database.url, str(self.broker.port)]
        self.processes.append(subprocess.Popen([*command, str(self.folder)]))

    def run(self, messages: int, *, kill_broker: bool) -> None:
        """Tell a tenth, cut, tell most of it, mend; then cut and kill while it is delivered, and tell the rest."""
        tenth = messages // 10
        self.village.tell(tenth)
        self._wait(tenth)
        self.wire.cut()
        self.village.tell(messages - 2 * tenth)
        eventually(self.village.is_told, 300)
        assert self.collected.count() <= tenth
        began = time.monotonic()
        self.wire.mend()
        for turn in range(1, _CUTS + 1):
            self._wait(tenth + turn * (messages - 2 * tenth) // (_CUTS + 2))
            self._blow(turn, kill_broker=kill_broker)
        self.village.tell(messages - self.told())
        eventually(lambda: self.collected.ends() == {s: d.seq for s, d in self.village.devices.items()}, 300)
        deadline = time.monotonic() + _LATE_S
        while self.collected.numbers(missing=True) and time.monotonic() < deadline:
            time.sleep(0.2)
        self.caught_up_s = time.monotonic() - began

    def _blow(self, turn: int, *, kill_broker: bool) -> None:
        self.wire.cut()
        if turn == 2:
            self.kills["hub"] += 1
            self.processes[-1].kill()
            self.processes[-1].wait()
            self.start_hub()
        if turn == 3 and kill_broker:
            self.kills["broker"] += 1
            self.broker.kill()
            self.broker.start()
        time.sleep(0.2)
        self.wire.mend()

    def _wait(self, count: int) -> None:
        """Wait until so many have come over the link, or further."""
        eventually(lambda: len(self.spy.heard) >= count or self.collected.count() >= count, 300)

    def told(self) -> int:
        return sum(device.seq for device in self.village.devices.values())

    def judge(self) -> list[str]:
        """Return what is wrong: told and neither stored nor said to be missing, twice, out of order, or said here."""
        told, stored, missing = self.village.numbers(), self.collected.numbers(), self.collected.numbers(missing=True)
        wrong = []
        for slug, numbers in told.items():
            here, gone = stored.get(slug, []), missing.get(slug, [])
            if sorted([*here, *gone]) != numbers:
                wrong.append(f"{slug}: {len(set(numbers) - set(here) - set(gone))} silently lost or some double")
            if here != sorted(here):
                wrong.append(f"{slug}: out of order")
        foreign = {name for name in self.spy.topics() if name.endswith("/set") or "/hub/$state" in name}
        return wrong + [f"said under the village's name: {name}" for name in foreign]

    def summary(self) -> str:
        stored, missing = self.collected.numbers(), self.collected.numbers(missing=True)
        count, gone = (sum(map(len, found.values())) for found in (stored, missing))
        kills = ", ".join(f"{name} {number}" for name, number in self.kills.items())
        return (
            f"told {self.told()}, stored {count}, said to be missing {gone}, doubles on the link {self.spy.doubles()}; "
            f"link cut {self.wire.cuts} times, killed: {kills}; caught up within {self.caught_up_s:.1f} s"
        )

    def close(self) -> None:
        for process in self.processes:
            process.kill()
            process.wait()
        if hasattr(self, "spy"):
            self.spy.bus.stop()
        if hasattr(self.village, "_hub"):
            self.village.stop()
        self.wire.close()
        self.broker.stop()
        self.database.dispose()


@contextmanager
def prepared(folder: Path, kind: type[ChildBroker] = RegionBroker) -> Iterator[RegionRun]:
    """Return a run that is set up, until the block ends."""
    made = RegionRun(folder, kind)
    try:
        made.start()
        yield made
    finally:
        made.close()


@contextmanager
def hub_thread(brokers: Sequence[ChildBroker], database: Database, folder: Path) -> Iterator[Worker]:
    """Run a collecting hub in this process, which soon believes that a bridge has caught up."""
    worker = Worker(TestHub(region_settings(brokers, folder), database), Dispatcher())
    with mock.patch.object(links, "SETTLED_S", 0.3):
        worker.start()
        try:
            eventually(lambda: worker.is_connected, 60)
            yield worker
        finally:
            worker.stop()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=3_000)
    parser.add_argument("--kill-broker", action="store_true", help="kill -9 the region's broker too")
    parser.add_argument("--nats", action="store_true", help="the region's broker is a nats-server")
    chosen = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    folder = Path(tempfile.mkdtemp(prefix="region-", dir=os.environ.get("TMPDIR")))
    try:
        with prepared(folder, NatsBroker if chosen.nats else RegionBroker) as run:
            run.run(chosen.messages, kill_broker=chosen.kill_broker)
            found = run.judge()
            sys.stdout.write("\n".join([*found, f"{run.summary()}; {len(found)} wrong\n"]))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
