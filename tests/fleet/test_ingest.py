"""What devices tell: in order, once, only from themselves, only what is newer; garbage never blocks."""

import json

import pytest
from sqlalchemy import select

from devices.protocol import topics
from devices.protocol.ids import new_epoch
from devices.protocol.messages import Event, Lease, PropertyValue
from shop_hub.fleet import queries
from shop_hub.fleet.letters import MOST_PER_WINDOW
from shop_hub.fleet.models import (
    DeadLetter,
    DeviceAlert,
    DeviceEvent,
    DeviceHealth,
    DeviceKind,
    DeviceProperty,
    Link,
)
from tests.fleet.kit import ATM, SITE, connect, eventually


def reading(village, node="box-01", name="door"):
    with village.database.reading() as session:
        return queries.property(session, village.row.id, node, name)


def value(village, node="box-01", name="door"):
    found = reading(village, node, name)
    return None if found is None else found.value


def letters(village) -> list[str]:
    return [letter.reason for letter in village.all(DeadLetter)]


def all_letters(village) -> list[DeadLetter]:
    with village.database.reading() as session:
        return list(session.scalars(select(DeadLetter)))


def barrier(village) -> None:
    """Wait until everything sent so far is committed."""
    seq = village.device.event("box-24", "closed")
    place = (village.device.epoch, seq)
    eventually(lambda: (village.stored().epoch, village.stored().seq) == place)


class TestStates:
    def test_a_state_is_stored_and_told_to_its_feature(self, village):
        told = []
        village.dispatcher.on_property(DeviceKind.LOCKER, lambda _s, _d, *what: told.append(what))

        village.device.set("box-01", "door", "open")

        eventually(lambda: value(village) == "open")
        assert told == [("box-01", "door", "open")]
        assert reading(village).is_current

    def test_a_state_goes_only_forward(self, village):
        village.device.set("box-01", "door", "open", seq=5)
        eventually(lambda: value(village) == "open")

        village.device.set("box-01", "door", "closed", seq=4)
        barrier(village)

        assert value(village) == "open"

    def test_a_later_boot_is_newer_whatever_its_numbers(self, village):
        village.device.set("box-01", "door", "open", seq=500)
        village.device.boot = 2
        village.device.set("box-01", "door", "closed", seq=1)

        eventually(lambda: value(village) == "closed")

    def test_a_retained_state_of_an_unknown_life_is_not_believed(self, village):
        forged = PropertyValue(epoch=new_epoch(), boot=9, seq=999, value="closed")
        village.device.set("box-01", "door", "open")
        eventually(lambda: value(village) == "open")
        village.worker.stop()
        place = topics.property_topic(SITE, "station", "box-01", "door")
        village.device.raw(place, forged.encode(), retain=True)
        # the hub's own session would get it as fresh: that is what a device with a new journal looks like
        forget_session(village)

        village.start_worker()
        barrier(village)

        assert value(village) == "open"

    def test_states_of_a_new_life_that_came_retained_are_fetched_once_it_is_known(self, village):
        village.worker.stop()
        village.device.lose_journal()
        village.device.set("box-01", "door", "open")
        forget_session(village)

        village.start_worker()

        eventually(lambda: value(village) == "open")

    def test_when_the_device_falls_silent_its_states_are_no_longer_current(self, village):
        village.device.set("box-01", "door", "open")
        eventually(lambda: reading(village) is not None)

        village.device.leasing = False

        eventually(lambda: village.link() is Link.SILENT)
        assert reading(village).value == "open"
        assert not reading(village).is_current


class TestEvents:
    def test_an_event_is_stored_once_and_acknowledged(self, village):
        told = []
        village.dispatcher.on_event(DeviceKind.LOCKER, "opened", lambda _s, event, _d: told.append(event.data))

        seq = village.device.event("box-01", "opened", by="hand")
        for _ in range(3):
            village.device.again(seq)
        barrier(village)

        assert told == [{"by": "hand"}]
        assert [event.type for event in village.all(DeviceEvent)] == ["opened", "closed"]
        eventually(lambda: village.device.acks and village.device.acks[-1].seq == 2)

    def test_a_lost_event_is_asked_for_and_the_order_kept(self, village):
        village.device.event("box-01", "opened", lose=True)
        village.device.event("box-01", "closed")

        eventually(lambda: village.stored().seq == 2)
        assert [event.type for event in village.all(DeviceEvent)] == ["opened", "closed"]
        assert village.device.queries[0].since_seq == 0

    def test_an_event_that_only_the_lease_counts_is_asked_for(self, village):
        village.device.event("box-01", "opened", lose=True)

        eventually(lambda: village.stored().seq == 1)
        eventually(lambda: village.link() is Link.READY)

    def test_until_the_missing_event_is_there_no_door_is_opened(self, village):
        village.device.answers_queries = False
        village.device.event("box-01", "opened", lose=True)
        eventually(lambda: village.link() is Link.BEHIND)

        assert not village.can_order("box-02")
        village.device.again(1)

        eventually(lambda: village.link() is Link.READY)

    def test_an_event_lost_for_good_makes_the_device_suspect_and_is_passed_over(self, village, monkeypatch):
        monkeypatch.setattr("shop_hub.fleet.links._PATIENCE_S", 1.0)
        suspects = []
        village.dispatcher.on_suspect(DeviceKind.LOCKER, lambda _s, _d, node: suspects.append(node))
        village.device.event("box-01", "opened", lose=True)
        del village.device.journal[1]
        village.device.event("box-01", "closed")

        eventually(lambda: village.stored().seq == 2, 30)

        assert [event.type for event in village.all(DeviceEvent)] == ["closed"]
        assert letters(village) == ["lost"]
        assert suspects == [""]

    def test_a_reordered_event_is_put_right(self, village):
        village.device.event("box-01", "opened", lose=True)
        village.device.event("box-01", "closed", lose=True)
        village.device.again(2)
        village.device.again(1)

        eventually(lambda: village.stored().seq == 2)
        assert [event.type for event in village.all(DeviceEvent)] == ["opened", "closed"]

    def test_an_event_of_an_ended_life_is_old(self, village):
        village.device.event("box-01", "opened")
        barrier(village)
        old, village.device.journal = dict(village.device.journal), {}
        village.device.lose_journal()
        barrier(village)

        village.device.raw(*old[1])
        barrier(village)

        assert [event.type for event in village.all(DeviceEvent)] == ["opened", "closed", "closed", "closed"]

    def test_the_age_of_an_event_is_taken_from_the_clock_that_never_jumps(self, village):
        village.device.seq += 1
        message = Event(
            event=f"{village.device.epoch}/1/1", node="box-01", type="opened", at_ms=1_000, age_ms=3_600_000
        )
        village.device.raw(topics.event_topic(SITE, "station"), message.encode())

        eventually(lambda: village.all(DeviceEvent))
        event = village.all(DeviceEvent)[0]
        assert (event.at - event.happened_at).total_seconds() == 3600


class TestPoison:
    def test_garbage_becomes_a_dead_letter_and_blocks_nothing(self, village):
        garbage = [b"", b"\xff\xfe", b"[]", b"{}", b'{"event":"x"}', b"x" * 5000, b'{"v":1.5}', b"[" * 3000]
        for payload in garbage:
            village.device.raw(topics.event_topic(SITE, "station"), payload)
        barrier(village)

        assert len(letters(village)) == len(garbage)
        assert village.link() is Link.READY

    def test_a_feature_that_fails_gets_the_event_as_dead_letter_and_the_next_one_its_turn(self, village):
        suspects = []

        def fail(session, _event, device):
            device.name = "half done"
            session.flush()
            raise KeyError("a fault in a feature")

        village.dispatcher.on_event(DeviceKind.LOCKER, "jam", fail)
        village.dispatcher.on_suspect(DeviceKind.LOCKER, lambda _s, _d, node: suspects.append(node))
        village.device.event("box-03", "jam")
        barrier(village)

        assert letters(village) == ["handler: KeyError"]
        assert suspects == ["box-03"]
        assert village.stored().name == "station"
        eventually(lambda: village.device.acks[-1].seq == 2)

    def test_a_feature_that_fails_even_at_being_told_blocks_nothing(self, village):
        def fail(*_args):
            raise KeyError("a fault in a feature")

        village.dispatcher.on_event(DeviceKind.LOCKER, "jam", fail)
        village.dispatcher.on_suspect(DeviceKind.LOCKER, fail)
        village.device.event("box-03", "jam")
        barrier(village)

        assert letters(village) == ["handler: KeyError"]

    def test_a_poisoned_command_result_leaves_the_command_unresolved_for_a_person(self, village):
        def fail(_session, _command):
            raise KeyError("a fault in a feature")

        village.dispatcher.on_result("mode", fail)
        command = village.order("box-01", "mode")
        eventually(lambda: letters(village) == ["handler: KeyError"])
        barrier(village)

        assert village.state_of(command)[0] in ("accepted", "unconfirmed")

    def test_a_flood_of_garbage_fills_no_disk_and_starves_no_door(self, village):
        forger = connect(village.broker, "forger", "forger-secret")
        forger.start()
        assert forger.wait_connected(10)
        for number in range(3_000):
            forger.publish(f"{SITE}/5/nobody-{number}/x/y", b"garbage", qos=number % 2)

        command = village.order()

        eventually(lambda: village.state_of(command) == ("done", ""))
        barrier(village)
        assert 0 < len(all_letters(village)) <= 2 * MOST_PER_WINDOW
        forger.stop()


class TestForgery:
    def test_retained_events_leases_and_accepts_are_refused(self, village):
        device = village.device
        lease = Lease(lease="forged", epoch=device.epoch, boot=1, seq=0)
        event = Event(event=f"{device.epoch}/1/1", node="box-01", type="opened")
        village.worker.stop()
        device.raw(topics.lease_topic(SITE, "station"), lease.encode(), retain=True)
        device.raw(topics.event_topic(SITE, "station"), event.encode(), retain=True)
        forget_session(village)

        village.start_worker()
        eventually(lambda: len(letters(village)) >= 2)

        assert sorted(set(letters(village))) == ["a lease that cannot be used", "retained event"]
        assert village.all(DeviceEvent) == []

    def test_a_device_that_nobody_registered_is_not_believed(self, village):
        forger = connect(village.broker, "forger", "forger-secret")
        forger.start()
        assert forger.wait_connected(10)
        forger.publish(topics.property_topic(SITE, "stranger", "box-01", "door"), b'{"v":1}', qos=1)
        forger.publish(f"{SITE}/5/station/box-01/door/extra", b"x", qos=1)

        eventually(lambda: all_letters(village))
        [found] = all_letters(village)
        assert village.all(DeviceProperty) == []
        forger.stop()
        assert (found.topic, found.reason) == ("lindenau/5/stranger/box-01/door", "unknown device")

    @pytest.mark.parametrize("forged", [{"interval_ms": 3_000_000_000}, {"name": "St\0tion"}])
    def test_a_description_that_no_database_can_hold_is_refused(self, village, forged):
        before = village.stored().description

        payload = json.dumps({**before, **forged}).encode()
        village.device.raw(topics.description_topic(SITE, "station"), payload, retain=True)
        barrier(village)

        assert village.stored().description == before

    def test_a_description_of_another_kind_is_refused(self, village):
        before = village.stored().description

        forged = json.dumps({**before, "kind": "door"}).encode()
        village.device.raw(topics.description_topic(SITE, "station"), forged, retain=True)
        barrier(village)

        assert village.stored().description == before
        assert set(letters(village)) == {"description of another kind of device"}


class TestPresence:
    def test_a_goodbye_and_a_last_will_make_the_device_offline(self, village):
        village.device.state("disconnected")
        eventually(lambda: village.link() is Link.OFFLINE)
        village.device.state("ready")
        eventually(lambda: village.link() is Link.READY)

        village.device.bus.drop()

        eventually(lambda: village.stored().presence == "ready" and village.link() is Link.READY)

    def test_each_change_is_told_and_kept(self, village):
        told = []
        village.dispatcher.on_link(DeviceKind.LOCKER, lambda _s, device: told.append(device.link))

        village.device.leasing = False
        eventually(lambda: village.link() is Link.SILENT)
        village.device.leasing = True
        eventually(lambda: village.link() is Link.READY)

        assert told == [Link.SILENT, Link.READY]
        assert [change.link for change in village.all(DeviceHealth)][-2:] == told

    def test_alerts_open_change_and_end(self, village):
        place = topics.alert_topic(SITE, "station", "two-doors")
        village.device.raw(place, b"box-04 opened together with box-03", retain=True)
        village.device.raw(place, b"again", retain=True)
        eventually(lambda: [(a.text, a.cleared_at) for a in village.all(DeviceAlert)] == [("again", None)])

        village.device.raw(place, b"", retain=True)

        eventually(lambda: village.all(DeviceAlert)[0].cleared_at is not None)

    def test_a_sensor_needs_no_lease(self, make_village):
        village = make_village(ATM)
        village.start_worker()
        village.device.leasing = False
        village.device.start()

        village.device.set("atm", "status", {"service": "in"})

        eventually(lambda: village.link() is Link.READY)
        assert reading(village, "atm", "status").value == {"service": "in"}


def forget_session(village) -> None:
    """Let the broker forget what it keeps for the hub: only retained messages come after that."""
    client_id = village.worker._setup.client_id
    fresh = connect(village.broker, "hub", "hub-secret", client_id=client_id)
    fresh.start()
    assert fresh.wait_connected(10)
    fresh.stop()
