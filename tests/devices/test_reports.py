"""What a device says by itself: events until they are heard, presence, leases, a new life."""

import time

from devices.locker.agent import LockerDevice
from devices.protocol import topics
from devices.protocol.messages import ClockHint, Query, ResultState
from tests.devices.kit import SITE, eventually, verdict

BOX = "box-03"


def test_everything_is_numbered_and_sent_again_until_the_hub_has_it(hub, villages):
    village = villages.start("station")
    command = hub.order("station", BOX, "open")
    hub.result(command.id)
    village.control("station", "close_door", {"node": BOX})
    eventually(lambda: len(hub.events("station")) == 2)
    numbers = sorted({e.seq for e in hub.events("station")} | {r.seq for r in hub.all_results("station")})
    assert numbers == [1, 2, 3]
    eventually(lambda: hub.leases["station"].seq == 3)
    hub.seen.clear()
    village.agent("station").cut()
    eventually(lambda: len(hub.events("station")) == 2)
    eventually(lambda: hub.results(command.id))
    hub.ack("station")
    time.sleep(0.3)
    hub.seen.clear()
    villages.stop(village)
    villages.start("station")
    eventually(lambda: hub.state("station") == "ready")
    marker = hub.order("station", "box-04", "open")
    hub.result(marker.id)
    assert hub.types("station", BOX) == []
    lease = hub.leases["station"]
    hub.query("station", Query(epoch=lease.epoch, boot=lease.boot, since_seq=1))
    eventually(lambda: "closed" in hub.types("station", BOX))


def test_an_event_tells_its_age_by_a_clock_that_never_jumps(hub, villages):
    village = villages.start("station")
    village.control("station", "open_door", {"node": BOX})
    eventually(lambda: hub.types("station") == ["forced"])
    fresh = hub.events("station")[0]
    time.sleep(0.5)
    hub.seen.clear()
    village.agent("station").cut()
    eventually(lambda: hub.types("station") == ["forced"])
    again = hub.events("station")[0]
    assert fresh.age_ms is not None
    assert again.age_ms is not None
    assert again.age_ms >= fresh.age_ms + 500
    assert again.model_copy(update={"age_ms": fresh.age_ms}) == fresh


def test_a_cut_station_is_lost_and_ready_again_with_its_whole_state(hub, villages):
    village = villages.start("station")
    eventually(lambda: hub.state("station") == "ready")
    hub.seen.clear()
    village.agent("station").cut()
    eventually(lambda: b"lost" in hub.payloads(topics.state_topic(SITE, "station")))
    eventually(lambda: hub.state("station") == "ready")
    eventually(lambda: hub.value("station", "box-24", "door") == "closed")
    assert hub.payloads(topics.description_topic(SITE, "station"))


def test_a_station_that_sees_itself_lost_says_ready_again(hub, villages):
    villages.start("station")
    eventually(lambda: hub.state("station") == "ready")
    hub.bus.publish(topics.state_topic(SITE, "station"), b"lost", qos=1, retain=True)
    eventually(lambda: hub.payloads(topics.state_topic(SITE, "station"))[-2:] == [b"lost", b"ready"])


def test_a_station_that_is_switched_off_says_so(hub, villages):
    village = villages.start("station")
    eventually(lambda: hub.state("station") == "ready")
    villages.stop(village)
    eventually(lambda: hub.state("station") == "disconnected")


def test_who_has_said_goodbye_does_not_call_itself_ready_again(hub, villages):
    village = villages.start("station")
    eventually(lambda: hub.state("station") == "ready")
    state, agent = topics.state_topic(SITE, "station"), village.agent("station")
    agent.host.call(agent._say_goodbye)
    eventually(lambda: hub.state("station") == "disconnected")
    hub.bus.publish(state, b"lost", qos=1, retain=True)  # the will of an older connection comes late
    eventually(lambda: hub.state("station") == "lost")
    villages.stop(village)
    hub.bus.publish(state, b"sleeping", qos=1)
    eventually(lambda: hub.state("station") == "sleeping")
    assert hub.payloads(state)[-3:] == [b"disconnected", b"lost", b"sleeping"]


def test_a_station_switched_off_in_the_middle_leaves_its_journal_alone_until_the_next_start(
    hub, villages, monkeypatch, caplog
):
    monkeypatch.setattr(LockerDevice, "limit_s", 0.6)
    village = villages.start("station", station={"pulse_s": 0.4})
    command = hub.order("station", BOX, "open")
    eventually(lambda: hub.accepts("station", BOX, command.id))
    village.control("station", "switch_off", {})
    time.sleep(1.0)  # both the hand's return and the limit fall into this second
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == []
    village.control("station", "switch_on", {})
    assert verdict(hub.result(command.id)) == (ResultState.UNKNOWN, "interrupted", 1)


def test_a_silent_station_gives_out_no_leases(hub, villages):
    village = villages.start("station")
    hub.wait_lease("station")
    village.control("station", "silence", {"on": True})
    hub.leases.clear()
    time.sleep(2.5)
    assert hub.leases == {}
    village.control("station", "silence", {"on": False})
    hub.wait_lease("station")


def test_a_lost_journal_makes_a_new_epoch(hub, villages):
    village = villages.start("station")
    hub.wait_lease("station")
    first = hub.leases["station"]
    villages.stop(village)
    journal = villages.folder / "simulators" / "station.journal"
    journal.write_bytes(b"not a database at all" * 100)
    journal.with_name("station.journal-wal").unlink(missing_ok=True)
    hub.leases.clear()
    villages.start("station")
    hub.wait_lease("station")
    second = hub.leases["station"]
    assert second.epoch != first.epoch
    assert second.boot == 1
    assert list(journal.parent.glob("station.broken-*"))


def test_a_hub_that_comes_gets_a_fresh_lease_at_once(hub, villages, monkeypatch):
    monkeypatch.setattr("devices.agent.agent.LEASE_INTERVAL_S", 3600)
    villages.start("station")
    hub.wait_lease("station")
    first = hub.leases["station"].lease

    hub.bus.publish(topics.clock_topic(SITE), ClockHint(now_ms=1_800_000_000_000))

    eventually(lambda: hub.leases["station"].lease != first)
    assert hub.result(hub.order("station", BOX, "open").id).state is ResultState.DONE
