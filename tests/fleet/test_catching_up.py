"""A region while a village's bridge catches up: what it says then is of yesterday, though its clock is of today."""

import time

import pytest

from devices.protocol import topics
from devices.protocol.ids import new_epoch
from devices.protocol.messages import ClockHint, Event
from shop_hub.core import audit
from shop_hub.fleet.models import Link
from tests.conftest import make_site
from tests.fleet import kit
from tests.fleet.conftest import KINDS_OF_BROKER
from tests.fleet.kit import STATION, connect, eventually
from tests.fleet.region import SITE, Collected, bridge_account, hub_thread, region_accounts

EPOCH = new_epoch()


@pytest.fixture
def bridge(stage, tmp_path):
    """What a village's broker is at the region's: a client that writes."""
    broker = KINDS_OF_BROKER[stage[1]](tmp_path / "broker", region_accounts(SITE))
    broker.start()
    bus = connect(broker, bridge_account(SITE).user, bridge_account(SITE).password)
    bus.start()
    assert bus.wait_connected(10)
    yield bus, broker
    bus.stop()
    broker.stop()


def tell(bus, number: int, *, age_s: float) -> None:
    """Tell a state and an event that are so old, and then what time it is now."""
    at_ms = int((time.time() - age_s) * 1000)
    state = kit.PropertyValue(epoch=EPOCH, boot=1, seq=number, value="open", at_ms=at_ms)
    event = Event(event=f"{EPOCH}/1/{number}", node="box-01", type="opened", at_ms=at_ms)
    if number % 2:
        bus.publish(topics.property_topic(SITE, STATION, "box-01", "door"), state.encode(), qos=1, retain=True)
    else:
        bus.publish(topics.event_topic(SITE, STATION), event.encode(), qos=1)
    bus.publish(topics.clock_topic(SITE), ClockHint(now_ms=at_ms).encode())


def test_nothing_is_shown_as_present_before_something_fresh_came(bridge, sqlite_database, tmp_path):
    bus, broker = bridge
    audit.use_key(b"fleet-tests")
    make_site(sqlite_database, SITE)
    collected, seen = Collected(sqlite_database), set()
    with hub_thread([broker], sqlite_database, tmp_path):
        bus.publish(
            topics.description_topic(SITE, STATION),
            kit.Description(name="x", kind="locker").encode(),
            qos=1,
            retain=True,
        )
        bus.publish(topics.state_topic(SITE, STATION), b"ready", qos=1, retain=True)
        for number in range(1, 31):
            tell(bus, number, age_s=86_400)
            seen |= set(collected.links().values())
            time.sleep(0.05)
        assert collected.count() > 0
        assert Link.READY not in seen

        tell(bus, 31, age_s=0)
        eventually(lambda: collected.links() == {STATION: Link.READY})
