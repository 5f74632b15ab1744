"""What a device knows of itself after a reboot, without a clock, and when its memory was set back."""

import shutil
import time

import pytest

from devices.agent.clock import WallClock, boot_ms
from devices.agent.journal import Journal
from devices.protocol import mac, topics
from devices.protocol.messages import Ack, PropertyValue, ResultState
from tests.devices.kit import KEY, SITE, eventually

BOX = "box-03"
IN_2026_MS = 1_767_225_600_000


def test_after_a_reboot_what_was_not_read_yet_is_unknown(hub, villages):
    village = villages.start("fridge-1", "station", fridge_1={"interval_s": 60.0})
    eventually(lambda: type(hub.value("fridge-1", "probe", "temperature")) is int)
    eventually(lambda: hub.value("station", "box-24", "door") == "closed")
    village.control("fridge-1", "silent", {"on": True})
    village.control("station", "board", {"board": "board-3", "dead": True})
    for device in ("fridge-1", "station"):
        village.control(device, "switch_off", {})
        village.control(device, "switch_on", {})

    eventually(lambda: hub.value("fridge-1", "probe", "temperature") is None, 5)
    eventually(lambda: hub.value("station", "box-24", "door") == "unknown", 5)
    last = hub.payloads(topics.property_topic(SITE, "fridge-1", "probe", "temperature"))[-1]
    assert PropertyValue.decode(last).boot > 1


def test_a_clock_hint_from_a_hub_in_1970_is_no_time(monkeypatch):
    monkeypatch.setattr("devices.agent.clock.time.time_ns", lambda: 5_000_000_000)
    clock = WallClock()

    clock.hint(7_000)
    assert clock.now_ms() is None

    clock.hint(IN_2026_MS)
    assert 0 <= clock.now_ms() - IN_2026_MS < 60_000
    clock.hint(9_000)
    assert 0 <= clock.now_ms() - IN_2026_MS < 60_000


def test_a_device_whose_clock_stands_in_1970_works_and_dates_nothing_wrongly(hub, villages, monkeypatch):
    started = time.time_ns()
    monkeypatch.setattr("devices.agent.clock.time.time_ns", lambda: time.monotonic_ns() % 10**12)
    village = villages.start("station")
    command = hub.order("station", BOX, "open")
    assert hub.result(command.id).state is ResultState.DONE
    eventually(lambda: hub.events("station"))
    assert hub.events("station")[0].at_ms is None
    assert hub.events("station")[0].age_ms is not None

    hub.bus.publish(topics.clock_topic(SITE), b'{"v":1,"now_ms":%d}' % (started // 1_000_000))
    eventually(lambda: village.agent("station").hub_heard_ms is not None)
    village.control("station", "close_door", {"node": BOX})
    eventually(lambda: len(hub.events("station")) == 2)
    assert abs(hub.events("station")[1].at_ms - started / 1e6) < 120_000


@pytest.fixture
def set_back(hub, villages):
    """A station whose memory card was put back to a copy from before the last opening, and that opening's command."""
    village = villages.start("station")
    hub.result(hub.order("station", "box-01", "open").id)
    villages.stop(village)
    folder = villages.folder / "simulators"
    for path in folder.glob("station.journal*"):
        shutil.copy(path, folder / f"copy-{path.name}")
    again = villages.start("station")
    hub.leases.clear()
    hub.wait_lease("station")
    command = hub.order("station", BOX, "open")
    hub.result(command.id)
    eventually(lambda: len(hub.events("station")) == 2)
    eventually(lambda: hub.leases["station"].seq == 4)
    villages.stop(again)
    for path in folder.glob("station.journal*"):
        path.unlink()
    for path in folder.glob("copy-station.journal*"):
        path.rename(folder / path.name.removeprefix("copy-"))
    before = hub.leases["station"]
    hub.leases.clear()
    hub.seen.clear()
    return villages.start("station"), before, command


def test_a_memory_that_was_set_back_begins_a_new_life_when_the_hub_knows_more(hub, set_back):
    _village, before, _command = set_back
    hub.wait_lease("station")
    assert (hub.leases["station"].epoch, hub.leases["station"].seq) == (before.epoch, 2)

    hub.bus.publish(topics.ack_set_topic(SITE, "station"), Ack(epoch=before.epoch, boot=before.boot, seq=4))

    eventually(lambda: hub.leases["station"].epoch != before.epoch)
    lease = hub.leases["station"]
    assert (lease.boot, lease.seq) == (1, 0)
    door = topics.property_topic(SITE, "station", BOX, "door")
    eventually(lambda: PropertyValue.decode(hub.payloads(door)[-1]).epoch == lease.epoch)
    fresh = hub.order("station", "box-04", "open")
    result = hub.result(fresh.id)
    assert (result.state, result.epoch) == (ResultState.DONE, lease.epoch)
    assert {result.seq} | {event.seq for event in hub.events("station") if event.epoch == lease.epoch} == {1, 2}


def test_a_memory_with_fewer_boots_than_the_hub_heard_of_begins_a_new_life(hub, villages):
    villages.start("station")
    hub.wait_lease("station")
    before = hub.leases["station"]
    hub.bus.publish(topics.ack_set_topic(SITE, "station"), Ack(epoch=before.epoch, boot=before.boot + 1, seq=0))
    eventually(lambda: hub.leases["station"].epoch != before.epoch)
    assert hub.leases["station"].boot == 1


def test_a_boot_that_was_forgotten_does_not_come_again_with_the_same_number(tmp_path):
    Journal(tmp_path / "x.journal").close()
    boots = []
    for _ in range(3):
        shutil.copy(tmp_path / "x.journal", tmp_path / "copy.journal")
        journal = Journal(tmp_path / "copy.journal")
        boots.append(journal.boot)
        journal.close()
        for path in tmp_path.glob("copy.journal*"):
            path.unlink()
    assert len(set(boots)) > 1


def test_what_was_done_before_a_new_life_is_not_done_again(hub, villages):
    village = villages.start("station")
    command = hub.order("station", BOX, "open")
    hub.result(command.id)
    old = hub.leases["station"]
    hub.bus.publish(topics.ack_set_topic(SITE, "station"), Ack(epoch=old.epoch, boot=old.boot, seq=99))
    eventually(lambda: hub.leases["station"].epoch != old.epoch)
    village.control("station", "close_door", {"node": BOX})
    eventually(lambda: hub.value("station", BOX, "door") == "closed")

    fresh = command.model_copy(update={"lease": hub.leases["station"].lease})
    hub.bus.publish(
        topics.command_set_topic(SITE, "station", BOX),
        mac.sign(bytes.fromhex(KEY), topics.command_set_topic(SITE, "station", BOX), fresh),
    )

    eventually(lambda: len(hub.results(command.id)) >= 2)
    assert village.twin("station").pulses == [BOX]


def test_an_ack_of_another_life_forgets_nothing(hub, villages):
    villages.start("station")
    command = hub.order("station", BOX, "open")
    hub.result(command.id)
    old = hub.leases["station"]
    hub.bus.publish(topics.ack_set_topic(SITE, "station"), Ack(epoch="0" * 16, boot=old.boot, seq=99))
    marker = hub.order("station", "box-04", "open")
    assert hub.result(marker.id).epoch == old.epoch


def test_the_journal_of_a_new_life_keeps_commands_and_generation(tmp_path):
    journal = Journal(tmp_path / "x.journal")
    journal.begin("01JD9Z0Q6J3M7M2YB4C1T8K5XE", BOX, "open")
    journal.raise_generation(7)
    journal.add_event(journal.next_seq(), BOX, "{}")
    before = journal.epoch

    journal.begin_life()

    assert (journal.epoch != before, journal.boot, journal.seq, journal.gen) == (True, 1, 0, 7)
    assert journal.find("01JD9Z0Q6J3M7M2YB4C1T8K5XE") is not None
    assert journal.oldest_open() is None
    epoch = journal.epoch
    journal.close()
    again = Journal(tmp_path / "x.journal")
    assert again.epoch == epoch
    assert again.boot > 1
    again.close()


def test_a_command_of_another_version_is_refused_by_name(hub, villages):
    village = villages.start("station")
    hub.wait_lease("station")
    command = hub.command("station", "open")
    topic = topics.command_set_topic(SITE, "station", BOX)
    hub.bus.publish(topic, command.encode().replace(b'"v":1', b'"v":2'))
    assert (hub.result(command.id).state, hub.result(command.id).code) == (ResultState.REJECTED, "wrong_version")
    eventually(lambda: f"{BOX}: wrong_version".encode() in hub.payloads(f"{SITE}/5/station/$alert/refused-command"))
    assert village.twin("station").pulses == []


def test_a_flood_of_garbage_and_forgeries_neither_fills_the_journal_nor_stops_the_station(hub, villages):
    village = villages.start("station")
    hub.wait_lease("station")
    topic = topics.command_set_topic(SITE, "station", BOX)
    seq, until, sent = hub.leases["station"].seq, boot_ms() + 3_000, 0
    while boot_ms() < until:
        for payload in (b"\xff" * 200, hub.command("station", "open").encode(), b"[" * 3_000, b"x" * 50_000):
            hub.bus.publish(topic, payload)
            sent += 1
        time.sleep(0.008)
    assert sent > 500

    command = hub.order("station", "box-04", "open")
    assert hub.result(command.id).state is ResultState.DONE
    assert village.twin("station").pulses == ["box-04"]
    eventually(lambda: hub.leases["station"].seq > seq)
    assert hub.leases["station"].seq - seq < 60
