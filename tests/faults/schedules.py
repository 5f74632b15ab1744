"""Random fault schedules: `python -m tests.faults.schedules --count 20000 --seed 1 --jobs 2`.

In each schedule people touch doors while links are cut, messages are lost, doubled, delayed and reordered, devices and
hub die before and after durable writes, clocks are wrong, memory cards are set back, and rogues repeat, misdirect and
forge. Then all is mended, and within two minutes what the hub says must be what the locks did. A schedule is
its seed: `--only 4711` repeats one.
"""

import argparse
import gc
import logging
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from sqlalchemy import select

from shop_hub.core import schema
from shop_hub.core.sites import Site
from shop_hub.fleet.models import (
    UNRESOLVED,
    CommandState,
    DeadLetter,
    DeviceCommand,
    DeviceEvent,
    DeviceProperty,
    Link,
)
from shop_hub.fleet.models import Device as DeviceRow
from tests.faults.village import NODES, SITE, STATIONS, Pulse, Station, TornDatabase, Village, torn_journals
from tests.faults.virtual import Process, Weather, World

FRESH_S = 2.0
LEASE_S = 4.0
ACTIVE_S = 20.0
CALM_S = 12.0
"""The last message that is on its way has come by then."""
LONGEST_CALM_S = 120.0
"""A question is asked again after half a minute at most, and a jammed hand gives up after a quarter."""
BLIND_S = LEASE_S + 1.5
"""The hub looks a few times per second."""
_LOOK_S = 1.0
PART = 100


@dataclass(frozen=True)
class Outcome:
    """What became of a schedule: what must never be, and how much happened."""

    seed: int
    broken: tuple[str, ...]
    counts: Counter[str]


class Schedule:
    """One history."""

    def __init__(self, seed: int, database: TornDatabase, folder: Path) -> None:
        self.seed = seed
        self.world = World(random.Random(seed))  # noqa: S311 - a history to repeat
        self.database, self.folder = database, folder

    def run(self) -> Outcome:
        for old in self.folder.glob("*journal*"):
            old.unlink()
        with self.world.patched(), torn_journals(self.world):
            village = self.village = Village(self.world, self.database, self.folder)
            self._set_weather()
            self._plan()
            self._pass_time(ACTIVE_S)
            self._mend()
            self._pass_time(CALM_S)
            while (wrong := self._judge()) and self.world.now < ACTIVE_S + LONGEST_CALM_S:
                self._pass_time(10.0)
            village.broken += wrong
            self._count()
            for station in village.stations.values():
                station.agent._journal.close()
        return Outcome(self.seed, tuple(village.broken), village.counts)

    def _set_weather(self) -> None:
        chance = self.world.chance
        if chance.random() < 0.8:
            self.world.broker.weather = Weather(
                lose=chance.choice((0.0, 0.05, 0.3)),
                double=chance.choice((0.0, 0.05, 0.5)),
                slow=chance.choice((0.0, 0.01, 0.1)),
                overtake=chance.choice((0.0, 0.1, 0.5)),
            )
        self.world.crash_rate = chance.choice((0.0, 0.0, 0.005, 0.02))

    def _plan(self) -> None:
        chance = self.world.chance
        moment = 0.5
        while moment < ACTIVE_S:
            self.world.at(moment, self.village.touch)
            moment += chance.uniform(0.2, 3.0)
        faults = chance.sample(FAULTS, k=chance.randint(1, 4))
        for _ in range(chance.randint(1, 8)):
            self.world.at(chance.uniform(0.5, ACTIVE_S), partial(self._do, chance.choice(faults)))

    def _do(self, fault: str) -> None:
        self.village.counts[fault] += 1
        getattr(self, f"_{fault}")()

    def _pass_time(self, seconds: float) -> None:
        until = self.world.now + seconds
        while self.world.now < until:
            self.world.run_until(self.world.now + _LOOK_S)
            self._look()

    # Faults

    def _any(self) -> Station:
        return self.village.stations[self.world.chance.choice(STATIONS)]

    def _cut_station(self) -> None:
        station = self._any()
        if station.process.alive:
            station.agent._bus.unplugged_until = self.world.now + self.world.chance.uniform(0, 10)
            self.world.broker.cut(station.process)

    def _cut_hub(self) -> None:
        if self.village.hub.process.alive:
            self.village.hub.term._bus.unplugged_until = self.world.now + self.world.chance.uniform(0, 10)
            self.world.broker.cut(self.village.hub.process)

    def _kill_station(self) -> None:
        self._any().kill()

    def _kill_hub(self) -> None:
        self.world.kill(self.village.hub.process)

    def _kill_both(self) -> None:
        self._kill_hub()
        for station in self.village.stations.values():
            station.kill()

    def _kill_broker(self) -> None:
        """Cut all; some of what was acknowledged is forgotten."""
        broker = self.world.broker
        broker.weather.lose_acknowledged = 0.5
        self.world.at(0.3, lambda: setattr(broker.weather, "lose_acknowledged", 0.0))
        for session in broker.sessions.values():
            for mid in list(session.kept):
                if self.world.chance.random() < 0.5:
                    del session.kept[mid]
        self.world.at(0.3, self._cut_all)

    def _cut_all(self) -> None:
        self.world.broker.cut(self.village.hub.process)
        for station in self.village.stations.values():
            self.world.broker.cut(station.process)

    def _pause_station(self) -> None:
        """Have it hang, as by SIGSTOP: its connection lives on and no will tells of it."""
        self._pause(self._any().process, 20.0)

    def _pause_hub(self) -> None:
        self._pause(self.village.hub.process, 7.0)

    def _pause(self, process: Process, longest_s: float) -> None:
        until = min(self.world.now + self.world.chance.uniform(0.5, longest_s), ACTIVE_S + LEASE_S)
        process.paused_until = max(process.paused_until, until)

    def _turn_hub_clock(self) -> None:
        hub = self.village.hub
        hub.wall_offset_s = self.world.chance.choice((-3600.0, -1.0, 1.0, 90_000.0, -1_700_000_000.0))
        hub.process.wall_offset_s = hub.wall_offset_s

    def _set_back(self) -> None:
        station = self._any()
        station.save_copy()
        after = self.world.chance.uniform(0, ACTIVE_S - self.world.now)
        self.world.at(after, lambda: station.set_back(forget=self.world.chance.random() < 0.5))

    def _replay(self) -> None:
        self.village.replay()

    def _misdirect(self) -> None:
        self.village.misdirect()

    def _forge(self) -> None:
        self.village.forge()

    def _garbage(self) -> None:
        self.village.garbage()

    def _mend(self) -> None:
        self.world.crash_rate = 0.0
        self.world.broker.weather = Weather()
        hub = self.village.hub
        hub.wall_offset_s = hub.process.wall_offset_s = 0.0
        for topic in [topic for topic in self.world.broker.retained if topic.endswith("/set")]:
            self.world.broker.receive(topic, b"", 0, retain=True)

    # What must hold

    def _look(self) -> None:
        """While the hub runs: a station of which it has heard no lease lately is not called connected."""
        village, now = self.village, self.world.now
        hub = village.hub
        is_awake = hub.process.alive and hub.process.paused_until < now - 2 and hub.alive_since < now - 2
        with self.database.engine.connect() as connection:
            links = dict(connection.exec_driver_sql("SELECT slug, link FROM device").all())
        for slug in village.stations:
            heard_at = self.world.leases_heard.get(slug, 0.0)
            if is_awake and now - heard_at > BLIND_S and links[slug] == Link.READY:
                village.broken.append(f"{slug} unheard since {heard_at:.1f} is called connected at {now:.1f}")

    def _judge(self) -> list[str]:
        """Return what is not as it must be."""
        with self.database.reading() as session:
            commands = {command.ulid: command for command in session.scalars(select(DeviceCommand))}
            rows = {row.id: row for row in session.scalars(select(DeviceRow))}
        found = self._judge_pulses(commands, rows)
        fired = {pulse.command: pulse for pulse in self.village.pulses}
        for command in commands.values():
            found.append(self._judge_verdict(command, rows[command.device_id].slug, fired.get(command.ulid)))
        for row in rows.values():
            found += [self._judge_states(row), self._judge_events(row)]
        self.commands = commands
        return [text for text in found if text]

    def _count(self) -> None:
        self.village.counts["pulses"] += len(self.village.pulses)
        self.village.counts.update(f"command {command.state}" for command in self.commands.values())

    def _judge_pulses(self, commands: dict[str, DeviceCommand], rows: dict[int, DeviceRow]) -> list[str]:
        pulses = self.village.pulses
        times = Counter(pulse.command for pulse in pulses)
        found = [f"double: {ulid} fired {number} times" for ulid, number in times.items() if number > 1]
        for pulse in pulses:
            command = commands.get(pulse.command)
            if command is None or (rows[command.device_id].slug, command.node) != (pulse.station, pulse.node):
                found.append(f"foreign: {pulse}")
                continue
            touched, sent = self.village.touched[pulse.command], self.world.broker.first_sent[pulse.command]
            if pulse.at - touched > FRESH_S + LEASE_S or pulse.at - sent > LEASE_S:
                found.append(f"late: {pulse}, touched {touched:.1f}, sent {sent:.1f}")
        return found

    def _judge_verdict(self, command: DeviceCommand, slug: str, pulse: Pulse | None) -> str:
        said = f"{command.ulid} for {slug} was said {command.state} {command.code}"
        if command.state in UNRESOLVED:
            return f"{said} for ever"
        if command.state is CommandState.DONE and (pulse is None or not pulse.opened):
            return f"{said}, but nothing opened"
        if command.state is CommandState.FAILED and pulse is not None and pulse.opened:
            return f"{said}, but it opened"
        if command.state in (CommandState.EXPIRED, CommandState.REJECTED) and pulse is not None:
            # a memory set back without a trace may swear what is not so, unless the hub had its word before
            is_perjury = self.village.stations[slug].is_honest or command.accepted_at is not None
            return f"{said}, but it was fired" if is_perjury else ""
        return ""

    def _judge_states(self, row: DeviceRow) -> str:
        with self.database.reading() as session:
            told = dict(
                session.execute(
                    select(DeviceProperty.node, DeviceProperty.value).where(
                        DeviceProperty.device_id == row.id, DeviceProperty.name == "door"
                    )
                ).all()
            )
        boxes = self.village.stations[row.slug].boxes
        real = {node: "open" if boxes[node].is_open else "closed" for node in NODES}
        if row.link is not Link.READY:
            return f"{row.slug} is {row.link} though all is well"
        return "" if told == real else f"{row.slug} is said {told}, is {real}"

    def _judge_events(self, row: DeviceRow) -> str:
        """Everything the station has written down in this life is at the hub, once, in order."""
        station = self.village.stations[row.slug]
        if not station.process.alive:
            return f"{row.slug} is down though all is well"
        journal = station.agent._journal
        kept = [stored.seq for stored in journal.messages_after(0, 10_000) if stored.kind == "event"]
        with self.database.reading() as session:
            found = select(DeviceEvent.seq).where(DeviceEvent.device_id == row.id, DeviceEvent.epoch == journal.epoch)
            heard = list(session.scalars(found.order_by(DeviceEvent.id)))
        if (row.epoch, row.seq) != (journal.epoch, journal.seq) or heard != sorted(heard):
            return f"{row.slug} wrote {journal.seq}, {row.seq} came, as {heard}"
        missing = set(kept) - set(heard) - self._lost(row)
        return f"{row.slug} told {kept}, heard was {heard}" if station.is_honest and missing else ""

    def _lost(self, row: DeviceRow) -> set[int]:
        """Return the numbers that the hub says it gave up: a person is told, and every node is under suspicion."""
        with self.database.reading() as session:
            wanted = select(DeadLetter.payload).where(DeadLetter.device_id == row.id, DeadLetter.reason == "lost")
            texts = [text.rpartition("/") for text in session.scalars(wanted)]
        ends = [numbers.split("-") for epoch, _, numbers in texts if epoch == row.epoch]
        found = {number for first, last in ends for number in range(int(first), int(last) + 1)}
        self.village.counts["events given up"] = len(found)
        return found


FAULTS = sorted(
    name.removeprefix("_")
    for name in vars(Schedule)
    if name.startswith(("_cut_station", "_cut_hub", "_kill", "_pause_", "_turn", "_set_back", "_replay", "_misdirect"))
    or name in ("_forge", "_garbage")
)


def run_many(seeds: Iterable[int]) -> list[Outcome]:
    """Run schedules one after the other, in a folder in memory."""
    logging.disable(logging.CRITICAL)
    gc.set_threshold(50_000, 20, 20)
    memory = Path("/dev/shm")  # noqa: S108 - a private folder is made in it
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None, prefix="schedules-") as name:
        folder = Path(name)
        database = TornDatabase(f"sqlite:///{folder}/hub.sqlite3")
        database.world = World(random.Random(0))  # noqa: S311 - nothing happens in it
        schema.upgrade(database)
        with database.transaction() as session:
            address = {"street": "Dorfstraße 1", "postcode": "16999", "place": "Lindenau", "land": "BB"}
            session.add(Site(slug=SITE, name="Dorfladen", **address))
        try:
            return [Schedule(seed, database, folder).run() for seed in seeds]
        finally:
            database.dispose()
            logging.disable(logging.NOTSET)


def main() -> int:
    """Run and print a summary; the exit status says whether every promise was kept."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1, help="schedules are numbered from seed * 1,000,000")
    parser.add_argument("--jobs", type=int, default=min(2, os.cpu_count() or 1))
    parser.add_argument("--only", type=int, help="repeat one schedule by its number")
    chosen = parser.parse_args()
    first = chosen.seed * 1_000_000 if chosen.only is None else chosen.only
    count = chosen.count if chosen.only is None else 1
    began = time.monotonic()
    parts = [range(start, min(start + PART, first + count)) for start in range(first, first + count, PART)]
    counts: Counter[str] = Counter()
    broken: list[Outcome] = []
    done = 0
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with ProcessPoolExecutor(chosen.jobs) as pool:
        try:
            for outcomes in pool.map(run_many, parts):
                done += len(outcomes)
                for outcome in outcomes:
                    counts.update(outcome.counts)
                    broken += [outcome] if outcome.broken else []
                sys.stderr.write(f"\r{done} of {count}, {len(broken)} broken ")
        except KeyboardInterrupt:
            pool.shutdown(cancel_futures=True)
    lines = [
        f"{done} of {count} schedules from {first} in {time.monotonic() - began:.0f} s",
        "  " + ", ".join(f"{name} {number}" for name, number in sorted(counts.items())),
        *(f"  BROKEN in {outcome.seed}: {'; '.join(outcome.broken)}" for outcome in broken[:20]),
        f"{len(broken)} schedules broke a promise\n",
    ]
    sys.stdout.write("\n".join(lines))
    return 1 if broken or done < count else 0


if __name__ == "__main__":
    sys.exit(main())
