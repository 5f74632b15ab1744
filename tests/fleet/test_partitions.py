"""Several workers share the villages of one hub: by site, evenly, and what one leaves or loses goes to another."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, select

from devices.broker.accounts import Account, Role
from devices.broker.child import ChildBroker
from devices.broker.mosquitto import MosquittoBroker
from devices.broker.nats import NatsBroker
from shop_hub.core import audit, clock
from shop_hub.core.db import Database
from shop_hub.fleet import partitions, queries, service
from shop_hub.fleet.dispatch import Dispatcher
from shop_hub.fleet.hublease import ON_POSTGRESQL
from shop_hub.fleet.models import CommandState, DeadLetter, Device, DeviceCommand, DeviceEvent, HubLease, Link
from shop_hub.fleet.worker import Worker
from tests.conftest import make_site
from tests.fleet.conftest import STAGES
from tests.fleet.kit import STATION, Scripted, TestHub, eventually, hub_settings, password_of, register

VILLAGES = ("ahausen", "bedorf", "cefeld", "deheim")
on_postgresql = pytest.mark.parametrize("stage", STAGES[1:], indirect=True)
"""A SQLite database is held by one process."""
KINDS: dict[str, type[ChildBroker]] = {"nats": NatsBroker, "mosquitto": MosquittoBroker}


@dataclass
class Region:
    """Four villages with a station each, one database, one broker, and as many workers as a test starts."""

    broker: ChildBroker
    database: Database
    folder: Path
    stations: dict[str, Scripted]
    rows: dict[str, Device]
    workers: list[Worker] = field(default_factory=list)
    processes: list[subprocess.Popen] = field(default_factory=list)

    def start(self, count: int = 1) -> None:
        for _ in range(count):
            worker = Worker(TestHub(hub_settings(self.broker, self.folder), self.database), Dispatcher())
            self.workers.append(worker)
            worker.start()

    def spawn(self, count: int, *, wrong_s: float = 0.0) -> None:
        """Start workers in processes of their own, on machines whose clock is wrong by so much."""
        for _ in range(count):
            command = [sys.executable, "-m", "tests.fleet.worker_process", self.database.url, str(self.broker.port)]
            self.processes.append(subprocess.Popen([*command, str(self.folder), str(wrong_s)]))

    def kill(self) -> None:
        """End the first worker process without a word."""
        victim = self.processes.pop(0)
        os.kill(victim.pid, signal.SIGKILL)
        victim.wait()

    def held(self) -> list[list[int]]:
        """Return the partitions of each worker of this process."""
        return [sorted(seat.reign.partition.number for seat in worker.seats) for worker in self.workers]

    def owners(self) -> int:
        """Return how many processes hold a partition."""
        with self.database.reading() as session:
            return session.scalar(select(func.count(HubLease.owner.distinct())).where(queries._is_held(session)))

    def is_ready(self) -> bool:
        with self.database.reading() as session:
            return all(link is Link.READY for link in session.scalars(select(Device.link)))

    def order(self, village: str) -> DeviceCommand:
        with self.database.transaction() as session:
            return service.request(session, self.rows[village].id, "box-01", "open", {}, by="test:1")

    def is_done(self, command: DeviceCommand) -> bool:
        with self.database.reading() as session:
            return session.get_one(DeviceCommand, command.id).state is CommandState.DONE

    def numbers(self, village: str) -> list[int]:
        """Return the numbers of a station's stored events, in the order in which they were stored."""
        with self.database.reading() as session:
            mine = DeviceEvent.device_id == self.rows[village].id
            return list(session.scalars(select(DeviceEvent.seq).where(mine).order_by(DeviceEvent.id)))

    def end(self) -> None:
        for process in self.processes:
            process.kill()
            process.wait()
        for worker in self.workers:
            worker.stop()
        for station in self.stations.values():
            station.stop()


@pytest.fixture
def broker(stage, tmp_path) -> Iterator[ChildBroker]:
    stations = [Account.for_device(village, STATION, password_of(STATION, village)) for village in VILLAGES]
    hubs = [Account(f"hub{suffix}", "hub-secret", Role.HUB, VILLAGES) for suffix in ("", "-1", "-2", "-3", "-4")]
    running = KINDS[stage[1]](tmp_path / "broker", [*hubs, *stations])
    running.start()
    yield running
    running.stop()


@pytest.fixture
def region(broker, database, tmp_path) -> Iterator[Region]:
    audit.use_key(b"fleet-tests")
    sites = {village: make_site(database, village) for village in VILLAGES}
    rows = {village: register(database, site, STATION) for village, site in sites.items()}
    stations = {village: Scripted(broker, STATION, site=village) for village in VILLAGES}
    made = Region(broker, database, tmp_path / "hub", stations, rows)
    for station in stations.values():
        station.start()
    yield made
    made.end()


@given(parts=st.integers(1, 16), workers=st.integers(0, 40))
def test_the_fair_shares_hold_all_partitions_and_none_holds_two_more_than_needed(parts, workers):
    share = partitions.fair_share(parts, workers)

    assert share * max(workers, 1) >= parts
    assert (share - 1) * max(workers, 1) < parts


def test_one_worker_serves_all_villages(region):
    region.start()
    eventually(region.is_ready)

    commands = [region.order(village) for village in VILLAGES]

    eventually(lambda: all(region.is_done(command) for command in commands))


@on_postgresql
def test_a_village_founded_later_is_taken_too(region):
    region.start()
    eventually(lambda: region.held() == [[0, 1, 2, 3]])

    make_site(region.database, "efingen")

    eventually(lambda: region.held() == [[0, 1, 2, 3, 4]])
    eventually(lambda: region.workers[0].is_connected)


@on_postgresql
def test_a_new_partition_goes_on_where_the_hub_stood(region):
    with region.database.transaction() as session:
        row = HubLease(name="hub", owner="before", boot=57, generation=1_700_000_000, until=clock.now())
        row.is_released = True
        session.add(row)

    region.start()
    eventually(lambda: region.held() == [[0, 1, 2, 3]])

    reigns = [seat.reign for seat in region.workers[0].seats]
    assert all(reign.boot >= 57 and reign.generation >= 1_700_000_000 for reign in reigns)


@on_postgresql
def test_workers_that_come_and_go_share_evenly(region):
    region.start()
    eventually(lambda: region.held() == [[0, 1, 2, 3]])

    region.start()
    eventually(lambda: sorted(len(held) for held in region.held()) == [2, 2])
    eventually(region.is_ready)
    commands = [region.order(village) for village in VILLAGES]
    eventually(lambda: all(region.is_done(command) for command in commands))

    region.workers[0].stop()
    eventually(lambda: region.held()[1] == [0, 1, 2, 3])
    eventually(region.is_ready)
    commands = [region.order(village) for village in VILLAGES]
    eventually(lambda: all(region.is_done(command) for command in commands))


@on_postgresql
@pytest.mark.parametrize("count", [1, 2, 4])
def test_events_are_stored_once_and_in_order_whatever_happens_to_a_worker(region, count):
    region.spawn(count)
    eventually(lambda: region.owners() == count, 30)
    for number in range(100):
        for station in region.stations.values():
            station.event("box-01", "opened" if number % 2 else "closed")
        if number == 50:
            region.kill()
            region.spawn(1)

    expected = list(range(1, 101))
    eventually(lambda: all(region.numbers(village) == expected for village in VILLAGES), 40)
    eventually(region.is_ready)
    with region.database.reading() as session:
        assert session.scalars(select(DeadLetter.reason)).all() == []


@on_postgresql
def test_a_command_left_by_a_killed_worker_is_settled_by_the_next_and_never_sent_twice(region):
    region.stations["cefeld"].obey = Scripted.accept
    region.spawn(1)
    eventually(region.is_ready, 30)
    command = region.order("cefeld")
    eventually(lambda: region.stations["cefeld"].commands)

    region.kill()
    region.stations["cefeld"].result(command.ulid, "box-01", "done")
    region.start(2)

    eventually(lambda: region.is_done(command), 30)
    assert {sent.id for sent, _ in region.stations["cefeld"].commands} == {command.ulid}


@on_postgresql
@pytest.mark.parametrize("wrong_s", [60.0, -60.0])
def test_a_worker_whose_clock_is_wrong_takes_its_share_and_nobody_elses(region, wrong_s):
    region.start()
    eventually(lambda: region.held() == [[0, 1, 2, 3]])
    boots = [seat.reign.boot for seat in region.workers[0].seats]

    region.spawn(1, wrong_s=wrong_s)

    eventually(lambda: region.owners() == 2 and len(region.held()[0]) == 2, 30)
    kept = {seat.reign.partition: seat.reign.boot for seat in region.workers[0].seats}
    time.sleep(
        ON_POSTGRESQL.life.total_seconds() + 1
    )  # whoever thinks that the leases of others have run out takes them
    assert {seat.reign.partition: seat.reign.boot for seat in region.workers[0].seats} == kept
    assert set(kept.values()) <= set(boots)
    with region.database.reading() as session:
        assert session.scalars(select(HubLease.generation).distinct()).all() == [1]
    eventually(region.is_ready)
    commands = [region.order(village) for village in VILLAGES]
    eventually(lambda: all(region.is_done(command) for command in commands))


@on_postgresql
def test_what_a_worker_with_a_wrong_clock_leaves_is_taken_as_soon_as_its_lease_has_run_out(region):
    region.spawn(1, wrong_s=60.0)
    eventually(region.is_ready, 30)

    region.kill()
    region.start()

    eventually(lambda: region.held() == [[0, 1, 2, 3]], 15)
