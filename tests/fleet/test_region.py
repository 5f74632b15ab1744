"""A second hub collects from villages: by bridges that were cut, and from a cluster of which a node dies."""

import shutil
import time
from contextlib import contextmanager

import pytest
from sqlalchemy import select

from devices.broker.nats import NatsBroker
from devices.protocol import topics
from devices.protocol.ids import new_epoch
from devices.protocol.messages import ClockHint, Event
from shop_hub.core import audit
from shop_hub.fleet.models import DeadLetter, DeviceProperty, HubLease, Link
from shop_hub.fleet.partitions import is_collecting, is_commanding
from tests.conftest import _fresh_postgresql, _fresh_sqlite, make_site
from tests.devices import cluster
from tests.fleet import kit
from tests.fleet.conftest import KINDS_OF_BROKER
from tests.fleet.kit import STATION, connect, eventually
from tests.fleet.region import (
    SITE,
    BridgedBroker,
    Collected,
    Spy,
    Village,
    bridge_account,
    hub_thread,
    prepared,
    region_accounts,
    region_settings,
)
from tests.fleet.wire import Wire
from tests.servers import MUST_NOT_SKIP

OTHER = "elsewhere"
MESSAGES = 2_000


@pytest.fixture
def needs_mosquitto():
    if shutil.which("mosquitto", path="/usr/sbin:/usr/bin") is None and not MUST_NOT_SKIP:
        pytest.skip("mosquitto is not installed: apt-get install mosquitto")


@pytest.fixture
def database(sqlite_database):
    """Where the kind makes no difference."""
    return with_villages(sqlite_database)


@pytest.fixture
def broker(stage, tmp_path):
    """The broker of a region with two villages."""
    running = KINDS_OF_BROKER[stage[1]](tmp_path / "broker", region_accounts(SITE, OTHER))
    running.start()
    yield running
    running.stop()


@pytest.fixture
def region_database(stage, request, tmp_path):
    """On PostgreSQL the two villages are of two partitions."""
    if stage[0] == "sqlite":
        yield from map(with_villages, _fresh_sqlite(request.getfixturevalue("sqlite_template"), tmp_path))
    else:
        yield from map(with_villages, _fresh_postgresql(request.getfixturevalue("postgresql_server")))


def with_villages(database):
    audit.use_key(b"fleet-tests")
    make_site(database, SITE)
    make_site(database, OTHER)
    return database


@contextmanager
def bridge_of(broker, site: str = SITE):
    """Return what a village's broker is at the region's: a client that writes."""
    bus = connect(broker, bridge_account(site).user, bridge_account(site).password)
    bus.start()
    assert bus.wait_connected(10)
    try:
        yield bus
    finally:
        bus.stop()


def describe(bus, site: str = SITE) -> None:
    body = kit.Description(name="Station", kind="locker").encode()
    bus.publish(topics.description_topic(site, STATION), body, qos=1, retain=True)
    bus.publish(topics.state_topic(site, STATION), b"ready", qos=1, retain=True)


def door(database):
    with database.reading() as session:
        return session.scalar(select(DeviceProperty.value).where(DeviceProperty.name == "door"))


def tell_time(bus, site: str = SITE) -> None:
    bus.publish(topics.clock_topic(site), ClockHint(now_ms=1).encode())


@pytest.mark.mosquitto
@pytest.mark.slow
@pytest.mark.usefixtures("needs_mosquitto")
def test_a_link_that_is_cut_loses_nothing_doubles_nothing_and_keeps_the_order(tmp_path, subtests):
    with prepared(tmp_path) as run:
        run.run(MESSAGES, kill_broker=False)

        with subtests.test(run.summary()):
            assert run.judge() == []
            assert run.collected.numbers() == run.village.numbers()
            assert run.collected.numbers(missing=True) == {}


@pytest.mark.mosquitto
@pytest.mark.slow
@pytest.mark.usefixtures("needs_mosquitto")
def test_what_a_killed_broker_of_the_region_forgets_is_said_to_be_missing(tmp_path, subtests):
    with prepared(tmp_path) as run:
        run.run(MESSAGES, kill_broker=True)

        with subtests.test(run.summary()):
            assert run.judge() == []


@pytest.mark.mosquitto
@pytest.mark.usefixtures("needs_mosquitto")
def test_one_node_of_a_cluster_dies_and_nothing_is_lost(database, tmp_path):
    with cluster.running(tmp_path, region_accounts(SITE, OTHER)) as nodes:
        addresses = [f"127.0.0.1:{node.port}" for node in nodes]
        village, collected = Village(BridgedBroker(tmp_path / "village", addresses)), Collected(database)
        with hub_thread(nodes, database, tmp_path / "hub") as hub:
            try:
                village.start(STATION)
                eventually(lambda: collected.links() == {STATION: Link.READY}, 60)
                village.tell(200)
                eventually(lambda: collected.count() > 20, 60)

                nodes[0].kill()  # hub and village are at this one
                village.tell(200)

                # what the hub had not acknowledged comes late: each once all the same
                told = village.numbers()
                eventually(lambda: {slug: sorted(here) for slug, here in collected.numbers().items()} == told, 90)
                assert hub.is_connected
            finally:
                village.stop()
    assert collected.numbers(missing=True) == {}


def test_a_region_says_nothing_though_it_could(broker, region_database, tmp_path):
    spy = Spy(broker, "spy", "spy-secret", SITE, OTHER)
    told = set()
    with hub_thread([broker], region_database, tmp_path), bridge_of(broker) as bridge:
        describe(bridge)
        collected = Collected(region_database)
        eventually(lambda: collected.links() == {STATION: Link.NEVER} or tell_time(bridge))
        eventually(lambda: collected.links() == {STATION: Link.READY} or tell_time(bridge))
        place, epoch = topics.event_topic(SITE, STATION), new_epoch()
        for number in (1, 4, 2, 4):
            bridge.publish(place, Event(event=f"{epoch}/1/{number}", node="box-01", type="opened").encode(), qos=1)
        eventually(lambda: collected.numbers() == {STATION: [1, 4, 2]})
        told = {topics.clock_topic(SITE), place}
        told |= {topics.description_topic(SITE, STATION), topics.state_topic(SITE, STATION)}

    eventually(lambda: place in spy.topics())
    assert spy.topics() == told
    assert collected.numbers(missing=True) == {STATION: [3]}
    spy.bus.stop()


def test_a_village_cannot_speak_for_another_nor_give_orders(broker):
    spy = Spy(broker, "spy", "spy-secret", SITE, OTHER)
    with bridge_of(broker, OTHER) as bridge:
        describe(bridge, SITE)
        bridge.publish(topics.event_topic(SITE, STATION), b"forged", qos=1)
        bridge.publish(topics.command_set_topic(OTHER, STATION, "box-01"), b"forged", qos=1)
        bridge.publish(topics.ack_set_topic(OTHER, STATION), b"forged", qos=1)
        describe(bridge, OTHER)
        eventually(lambda: len(spy.heard) >= 2)

    assert spy.topics() == {topics.description_topic(OTHER, STATION), topics.state_topic(OTHER, STATION)}
    spy.bus.stop()


@pytest.mark.mosquitto
@pytest.mark.usefixtures("needs_mosquitto")
def test_one_village_cannot_end_the_session_of_another(tmp_path):
    """nats-server gives a client id to whoever names it last, of whatever account."""
    region = NatsBroker(tmp_path / "region", region_accounts(SITE, OTHER))
    region.start()
    wire, spy = Wire(region.port), Spy(region, "spy", "spy-secret", SITE)
    village = Village(BridgedBroker(tmp_path / "village", [f"127.0.0.1:{wire.port}"]))
    try:
        village.start(STATION)
        eventually(lambda: topics.clock_topic(SITE) in spy.topics(), 40)
        before = wire.ends()
        known = bridge_account(SITE).user
        rogue = connect(region, bridge_account(OTHER).user, bridge_account(OTHER).password, client_id=known)
        rogue.start()
        assert rogue.wait_connected(10)
        time.sleep(0.5)
        rogue.stop()

        assert len(before) == 2
        assert wire.ends() == before
    finally:
        village.stop()
        spy.bus.stop()
        wire.close()
        region.stop()


def test_of_a_village_that_is_cut_off_nothing_is_claimed(broker, region_database, tmp_path, monkeypatch):
    monkeypatch.setattr("shop_hub.fleet.links.VILLAGE_SILENT_S", 1.0)
    collected = Collected(region_database)
    with hub_thread([broker], region_database, tmp_path), bridge_of(broker) as bridge:
        describe(bridge)
        eventually(lambda: collected.links() == {STATION: Link.READY} or tell_time(bridge))

        eventually(lambda: collected.links() == {STATION: Link.SILENT})

        eventually(lambda: collected.links() == {STATION: Link.READY} or tell_time(bridge))
        bridge.publish(topics.state_topic(SITE, STATION), b"lost", qos=1, retain=True)
        eventually(lambda: collected.links() == {STATION: Link.OFFLINE} or tell_time(bridge))


def test_what_was_retained_before_the_region_listened_is_fetched(broker, region_database, tmp_path):
    with bridge_of(broker) as bridge:
        describe(bridge)
        value = kit.PropertyValue(epoch=new_epoch(), boot=1, seq=1, value="open")
        bridge.publish(topics.property_topic(SITE, STATION, "box-01", "door"), value.encode(), qos=1, retain=True)

        with hub_thread([broker], region_database, tmp_path):
            eventually(lambda: Collected(region_database).links() == {STATION: Link.READY} or tell_time(bridge))
            eventually(lambda: door(region_database) == "open")
    with region_database.reading() as session:
        assert session.scalars(select(DeadLetter.reason)).all() == []


class TestForEver:
    def test_the_hub_of_a_village_does_not_become_one_of_a_region(self, broker, region_database, tmp_path):
        with region_database.transaction() as session:
            session.add(HubLease(name="hub", owner="x", boot=1, generation=1, until=kit.clock.now()))

        worker = kit.Worker(kit.TestHub(region_settings([broker], tmp_path), region_database), kit.Dispatcher())
        worker._balance()

        assert worker.seats == []
        with region_database.reading() as session:
            assert (is_collecting(session), is_commanding(session)) == (False, True)

    def test_a_region_does_not_become_the_hub_of_its_villages(self, broker, region_database, tmp_path):
        with hub_thread([broker], region_database, tmp_path) as hub:
            names = ["collector"] if region_database.is_sqlite else ["collector", "collector-1"]
            eventually(lambda: sorted(seat.reign.partition.lease_name for seat in hub.seats) == names)

        worker = kit.Worker(kit.TestHub(kit.hub_settings(broker, tmp_path), region_database), kit.Dispatcher())
        worker._balance()

        assert worker.seats == []
        with region_database.reading() as session:
            assert (is_collecting(session), is_commanding(session)) == (True, False)
