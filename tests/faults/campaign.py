"""Real SIGKILLs: `python -m tests.faults.campaign --kills 4000 --seed 1`.

A small village of real processes: a broker, a hub's worker on SQLite, and stations with the real agent. Each process
is killed again and again: before or after the n-th write to its disk, at a random moment, alone or together with
others. Meanwhile doors are asked for. A station's locks write what they do into a file that outlives everything; at
the end it is compared with what the hub says.

One warm process forks all others, so a start takes a tenth of a second.
"""

import argparse
import ctypes
import logging
import os
import random
import shutil
import signal
import sqlite3
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import select

import devices.agent.agent as agent_module
import devices.protocol.bus as bus_module
import shop_hub.fleet.worker as worker_module
from devices.agent.agent import Agent, AgentConfig
from devices.agent.host import Host
from devices.agent.journal import Journal
from devices.broker.accounts import Account, Role
from devices.broker.nats import NatsBroker
from shop_hub.core import audit, schema
from shop_hub.core.db import Database
from shop_hub.core.settings import Mqtt, Settings
from shop_hub.core.sites import Site
from shop_hub.fleet import provisioning, service
from shop_hub.fleet.dispatch import Dispatcher
from shop_hub.fleet.errors import DeviceBusyError, DeviceOfflineError
from shop_hub.fleet.models import UNRESOLVED, CommandState, DeviceCommand, DeviceEvent, DeviceKind, DeviceProperty, Link
from shop_hub.fleet.models import Device as DeviceRow
from shop_hub.fleet.provisioning import NewDevice
from shop_hub.fleet.worker import Worker
from tests.faults.crashing import arm
from tests.faults.locks import NODES, Locks, Pulse, pulses
from tests.fleet.kit import HASHER, SITE, TestHub, password_of

STATIONS = tuple(f"station-{number}" for number in range(1, 7))
LONGEST_S = 2.0 + 4.0
"""From the touch to the pulse: two seconds until it is sent or dropped, four for the life of its lease."""
_LEASE_EVERY_S = 0.25
_REST_WITHIN_S = 120.0
_PR_SET_PDEATHSIG = 1


def die() -> None:
    """Be killed, now."""
    os.kill(os.getpid(), signal.SIGKILL)


@dataclass
class Actor:
    """A process that is started again whenever it was killed."""

    name: str
    work: Callable[[int], None]
    """Runs in the process; takes the number of the write at which it must die, or 0."""
    points: int
    pid: int = 0
    dies_at: float = 0.0
    starts_at: float = 0.0
    wrong: list[str] = field(default_factory=list)

    def start(self, chance: random.Random, *, mortal: bool) -> None:
        point = chance.randint(1, self.points) if mortal and chance.random() < 0.6 else 0
        self.dies_at = time.monotonic() + chance.uniform(0.2, 3.0) if mortal and not point else float("inf")
        self.pid = os.fork()
        if self.pid == 0:
            try:
                signal.signal(signal.SIGTERM, signal.SIG_DFL)
                ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
                logging.disable(logging.CRITICAL)
                self.work(point)
                threading.Event().wait()
            finally:
                os._exit(1)

    def kill(self) -> None:
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)

    def is_dead(self) -> bool:
        """Tell, once, that it has died; by anything else than SIGKILL is a fault of its own, kept in `wrong`."""
        if not self.pid:
            return False
        pid, status = os.waitpid(self.pid, os.WNOHANG)
        if pid == 0:
            return False
        self.pid = 0
        if not (os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL):
            self.wrong.append(f"{self.name} ended by itself: {os.waitstatus_to_exitcode(status)}")
        return True


@dataclass
class Campaign:
    """The village, and the hand that kills."""

    folder: Path
    chance: random.Random
    touched: dict[str, float] = field(default_factory=dict)
    kills: Counter[str] = field(default_factory=Counter)
    is_enough: bool = False
    """Set by SIGTERM: what was killed so far is judged."""
    restless: list[str] = field(default_factory=list)
    """What had not come to its end when all was well again."""

    def __post_init__(self) -> None:
        audit.use_key(b"campaign")
        self.database = Database(f"sqlite:///{self.folder}/hub.sqlite3")
        schema.upgrade(self.database)
        with self.database.transaction() as session:
            address = {"street": "Dorfstraße 1", "postcode": "16999", "place": "Lindenau", "land": "BB"}
            site = Site(slug=SITE, name="Dorfladen", **address)
            session.add(site)
            session.flush()
            made = [NewDevice(slug, DeviceKind.LOCKER, slug) for slug in STATIONS]
            self.ids = {
                new.slug: provisioning.create(session, HASHER, site.id, new, actor="test").device_id for new in made
            }
        accounts = [Account.for_device(SITE, slug, password_of(slug)) for slug in STATIONS]
        hub = Account("hub", "hub-secret", Role.HUB, (SITE,))
        self.broker = NatsBroker(self.folder / "broker", [hub, *accounts])
        self.broker.start()
        self.hub = Actor("hub", self._hub, points=500)
        self.actors = [self.hub, *(Actor(slug, self._station(slug), points=20) for slug in STATIONS)]

    # What runs in the processes

    def _hub(self, point: int) -> None:
        database = Database(self.database.url)
        if point:
            arm(database, point, die)
        mqtt = Mqtt(port=self.broker.port, user="hub", password="hub-secret")
        worker_module._TURN_S = 0.05
        Worker(TestHub(Settings(data=self.folder, mqtt=mqtt), database), Dispatcher()).start()

    def _station(self, slug: str) -> Callable[[int], None]:
        def run(point: int) -> None:
            agent_module.LEASE_INTERVAL_S = _LEASE_EVERY_S
            if point:
                _die_at_write(point)
            config = AgentConfig(
                site=SITE,
                device=slug,
                name=slug,
                key=provisioning.device_key(HASHER, SITE, slug, 1),
                host="127.0.0.1",
                port=self.broker.port,
                password=password_of(slug),
                journal=self.folder / f"{slug}.journal",
            )
            self.agent = Agent(config, Locks(self._log(slug)), Host())
            self.agent.start()

        return run

    def _log(self, slug: str) -> Path:
        return self.folder / f"{slug}.pulses"

    # What the campaign does

    def run(self, kills: int) -> None:
        """Kill until enough are dead, then let everything come to rest."""
        deadline, next_blow = time.monotonic() + 60 + kills, 10
        while self.kills.total() < kills and not self.is_enough:
            assert time.monotonic() < deadline, "too slow: the village does not come up any more"
            self._turn(mortal=True)
            if self.kills.total() >= next_blow:
                self._kill_several()
                next_blow = self.kills.total() + self.chance.randint(5, 25)
        self._come_to_rest()

    def _turn(self, *, mortal: bool) -> None:
        now = time.monotonic()
        for actor in self.actors:
            if now >= actor.dies_at:
                actor.kill()
                actor.dies_at = float("inf")
            if self._is_buried(actor):
                actor.starts_at = now + self.chance.uniform(0, 0.2)
            if not actor.pid and now >= actor.starts_at:
                self.database.dispose()  # no connection may cross a fork
                actor.start(self.chance, mortal=mortal)
        self._touch()
        time.sleep(0.01)

    def _is_buried(self, actor: Actor) -> bool:
        """Tell, once, that a process has died, and count it if it was killed."""
        faults = len(actor.wrong)
        is_dead = actor.is_dead()
        if is_dead and len(actor.wrong) == faults:
            self.kills["hub" if actor is self.hub else "station"] += 1
        return is_dead

    def _kill_several(self) -> None:
        """Kill hub and a station in one moment, or the broker, or all."""
        what = self.chance.choice(("hub and station", "broker", "everything"))
        victims = {"hub and station": [self.hub, self.chance.choice(self.actors[1:])], "broker": []}
        for actor in victims.get(what, self.actors):
            actor.kill()
        if what != "hub and station":
            self.broker.kill()
            self.kills["broker"] += 1
            time.sleep(self.chance.uniform(0, 0.3))
            self.broker.start()

    def _touch(self) -> None:
        slug, node = self.chance.choice(STATIONS), self.chance.choice(NODES)
        with suppress(DeviceBusyError, DeviceOfflineError), self.database.transaction() as session:
            ulid = service.request(session, self.ids[slug], node, "open", {}, by="test").ulid
            self.touched[ulid] = time.monotonic()

    def _come_to_rest(self) -> None:
        """Have all processes live until every order has its end and every station is heard to the last word."""
        deadline = time.monotonic() + _REST_WITHIN_S
        while time.monotonic() < deadline:
            for actor in self.actors:
                actor.dies_at = float("inf")
                self._is_buried(actor)
                if not actor.pid:
                    self.database.dispose()
                    actor.start(self.chance, mortal=False)
            time.sleep(0.3)
            self.restless = self._restless()
            if not self.restless:
                return

    def _restless(self) -> list[str]:
        with self.database.reading() as session:
            commands = list(session.scalars(select(DeviceCommand).where(DeviceCommand.state.in_(UNRESOLVED))))
            rows = list(session.scalars(select(DeviceRow)))
        found = [f"{command.ulid} is {command.state} for ever" for command in commands]
        found += [f"{row.slug} is {row.link} though all is well" for row in rows if row.link is not Link.READY]
        heard = [(row.slug, (row.epoch, row.seq), self._written(row.slug)) for row in rows]
        return found + [f"{slug} wrote {wrote}, heard is {last}" for slug, last, wrote in heard if last != wrote]

    def _written(self, slug: str) -> tuple[str, int]:
        with sqlite3.connect(f"file:{self.folder / slug}.journal?mode=ro", uri=True) as journal:
            epoch, seq = journal.execute("SELECT epoch, seq FROM life").fetchone()
        journal.close()
        return str(epoch), int(seq)

    def close(self) -> None:
        for actor in self.actors:
            actor.kill()
            if actor.pid:
                os.waitpid(actor.pid, 0)
        self.broker.stop()
        self.database.dispose()

    def judge(self) -> list[str]:
        """Return what must never be."""
        with self.database.reading() as session:
            commands = {command.ulid: command for command in session.scalars(select(DeviceCommand))}
            slugs = {row.id: row.slug for row in session.scalars(select(DeviceRow))}
            events = list(session.scalars(select(DeviceEvent).order_by(DeviceEvent.id)))
            doors = list(session.scalars(select(DeviceProperty).where(DeviceProperty.name == "door")))
        fired = {slug: pulses(self._log(slug)) for slug in STATIONS}
        found = [
            f"{door.node} of {slugs[door.device_id]} is said {door.value}" for door in doors if door.value != "closed"
        ]
        found += self._judge_pulses(fired, commands, slugs)
        acted = {pulse.command for done in fired.values() for pulse in done}
        found += [said for command in commands.values() if (said := _false_word(command, command.ulid in acted))]
        for device_id, slug in slugs.items():
            numbers = [event.seq for event in events if event.device_id == device_id]
            causes = Counter(event.cause for event in events if event.device_id == device_id and event.cause)
            if numbers != sorted(set(numbers)) or any(times > 1 for times in causes.values()):
                found.append(f"{slug} was heard twice or out of order")
        self.commands, self.fired = commands, len(acted)
        return found

    def _judge_pulses(
        self, fired: dict[str, list[Pulse]], commands: dict[str, DeviceCommand], slugs: dict[int, str]
    ) -> list[str]:
        found = []
        for slug, done in fired.items():
            for ulid, times in Counter(pulse.command for pulse in done).items():
                if times > 1:
                    found.append(f"double: {ulid} fired {times} times")
            for pulse in done:
                command = commands.get(pulse.command)
                if command is None or (slugs[command.device_id], command.node) != (slug, pulse.node):
                    found.append(f"foreign: {pulse}")
                elif pulse.at - self.touched[pulse.command] > LONGEST_S:
                    found.append(f"late: {pulse}")
        return found

    def summary(self) -> str:
        kinds = ", ".join(f"{name} {count}" for name, count in sorted(self.kills.items()))
        states = Counter(command.state.value for command in self.commands.values())
        ends = ", ".join(f"{name} {count}" for name, count in sorted(states.items()))
        return f"{self.kills.total()} kills ({kinds}); {self.fired} pulses; orders: {ends}"


def _false_word(command: DeviceCommand, was_fired: bool) -> str:  # noqa: FBT001 - a fact
    never = (CommandState.EXPIRED, CommandState.REJECTED, CommandState.FAILED)
    is_false = (command.state is CommandState.DONE and not was_fired) or (command.state in never and was_fired)
    return f"{command.ulid} is said {command.state} {command.code}" if is_false else ""


def _die_at_write(point: int) -> None:
    """Die before or after a write to the journal: the odd moments lie before a commit, the even ones after it."""
    left = point
    write = Journal._writing

    def moment() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            die()

    @contextmanager
    def writing(journal: Journal) -> Iterator[None]:
        with write(journal):
            yield
            moment()
        moment()

    Journal._writing = writing


def campaign(kills: int, seed: int) -> tuple[list[str], str]:
    """Run one campaign; return what is wrong, and the summary."""
    memory = Path("/dev/shm")  # noqa: S108 - a private folder is made in it
    folder = Path(tempfile.mkdtemp(prefix="campaign-", dir=memory if memory.is_dir() else None))
    bus_module._FIRST_RETRY_S, bus_module._LONGEST_RETRY_S = 0.05, 0.5
    made = Campaign(folder, random.Random(seed))  # noqa: S311 - a history, no secret
    signal.signal(signal.SIGTERM, lambda *_: setattr(made, "is_enough", True))
    try:
        made.run(kills)
        found = [*made.restless, *(said for actor in made.actors for said in actor.wrong), *made.judge()]
        return found, made.summary()
    finally:
        made.close()
        shutil.rmtree(folder, ignore_errors=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    began = time.monotonic()
    found, summary = campaign(chosen.kills, chosen.seed)
    lines = [*found[:30], f"seed {chosen.seed}: {summary}; {time.monotonic() - began:.0f} s; {len(found)} wrong\n"]
    sys.stdout.write("\n".join(lines))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
