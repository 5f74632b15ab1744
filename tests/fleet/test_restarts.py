"""Restarts of hub and broker at bad moments: nothing is sent late, nothing is forgotten, one hub at a time."""

import time
from datetime import timedelta

from shop_hub.core import clock
from shop_hub.fleet.hublease import raise_generation
from shop_hub.fleet.models import DeviceEvent, DeviceProperty, HubLease, Link
from tests.fleet.kit import ATM, Scripted, connect, eventually
from tests.fleet.test_commands import is_at


def test_a_command_open_at_a_restart_is_asked_about_not_sent_again(village, heard):
    village.device.obey = Scripted.accept
    command = village.order()
    is_at(village, command, "accepted")
    village.worker.stop()
    village.device.result(command.ulid, "box-01", "done", lose=True)

    village.start_worker()

    is_at(village, command, "done")
    assert heard == [("box-01", "done")]
    assert len(village.device.commands) == 1


def test_a_touch_left_by_a_dead_process_is_never_sent(village, heard):
    village.worker.stop()
    command = village.order_anyhow()

    village.start_worker()

    is_at(village, command, "expired", "unknown_id")
    assert village.device.commands == []
    assert heard == [("box-01", "expired")]


def test_what_happened_while_the_hub_was_away_is_counted_once(village):
    village.worker.stop()
    for number in range(5):
        village.device.event("box-01", "opened", number=number)

    village.start_worker()

    eventually(lambda: village.stored().seq == 5)
    assert [event.data["number"] for event in village.all(DeviceEvent)] == [0, 1, 2, 3, 4]
    eventually(lambda: village.device.acks and village.device.acks[-1].seq == 5)


def test_after_a_restart_a_device_is_ready_only_when_it_was_heard_again(village):
    village.worker.stop()
    village.device.leasing = False

    village.start_worker()

    eventually(lambda: village.link() is Link.SILENT)
    assert not village.can_order("box-01")
    village.device.leasing = True
    eventually(lambda: village.can_order("box-01"))
    eventually(lambda: len(village.device.commands) == 1)


def test_a_take_over_raises_the_generation_and_every_start_the_boot(village):
    before = lease_of(village)
    village.worker.stop()
    with village.database.transaction() as session:
        row = session.get_one(HubLease, "hub")
        row.is_released, row.owner, row.until = False, "dead process", clock.now() - timedelta(seconds=1)

    village.start_worker()

    eventually(lambda: village.link() is Link.READY and village.can_order("box-01"))
    eventually(lambda: village.device.commands)
    assert village.device.commands[0][0].gen == before.generation + 1
    assert (lease_of(village).boot, lease_of(village).generation) == (before.boot + 1, before.generation + 1)


def test_a_restart_after_a_proper_stop_keeps_the_generation(village):
    before = lease_of(village)
    village.worker.stop()

    village.start_worker()

    assert (lease_of(village).boot, lease_of(village).generation) == (before.boot + 1, before.generation)


def test_a_restore_raises_the_generation_above_every_older_copy(village):
    village.worker.stop()
    with village.database.transaction() as session:
        raise_generation(session)
    first = lease_of(village).generation
    with village.database.transaction() as session:
        raise_generation(session)

    assert first > 1_700_000_000
    assert lease_of(village).generation > first


def test_a_second_process_waits_until_the_first_is_gone(village):
    first = village.worker
    second = village.start_worker(wait=False)

    assert not second.is_leading
    first.stop()

    eventually(lambda: second.is_leading)


def test_a_wall_clock_that_is_put_right_does_not_cut_the_shop_off(village):
    with clock.shifted(timedelta(days=200)):
        eventually(lambda: village.can_order("box-01"), 3)

    eventually(lambda: village.can_order("box-02"), 3)


def test_a_process_that_lost_the_lease_stops_being_the_hub(village):
    with village.database.transaction() as session:
        row = session.get_one(HubLease, "hub")
        row.owner, row.until = "another process", clock.now() + timedelta(minutes=30)
    village.worker.seats[0]._keeper._renewed -= 30

    eventually(lambda: not village.worker.is_leading or lease_of(village).owner != "another process")


def test_a_broker_that_dies_loses_no_verdict(village):
    village.device.obey = Scripted.accept
    command = village.order()
    is_at(village, command, "accepted")

    village.broker.kill()
    village.broker.start()
    eventually(lambda: village.worker.is_connected and village.device.bus.connected)
    village.device.result(command.ulid, "box-01", "done")

    is_at(village, command, "done")
    eventually(lambda: village.link() is Link.READY and village.can_order("box-05"))
    eventually(lambda: len(village.device.commands) == 2)


def test_without_a_broker_the_person_is_told_and_nothing_comes_late(village):
    village.broker.kill()
    eventually(lambda: not village.worker.is_connected)

    command = village.order_anyhow()

    is_at(village, command, "expired", "offline")
    village.broker.start()
    eventually(lambda: village.link() is Link.READY, 30)
    assert village.device.commands == []


def test_a_restart_under_load_loses_and_doubles_nothing(village):
    """Events flow while the hub is stopped and started again and again."""
    for _ in range(3):
        for _ in range(20):
            village.device.event("box-01", "closed")
        village.worker.stop()
        for _ in range(20):
            village.device.event("box-01", "opened")
        village.start_worker()

    eventually(lambda: village.stored().seq == 120, 30)
    assert sorted(event.seq for event in village.all(DeviceEvent)) == list(range(1, 121))


def lease_of(village) -> HubLease:
    with village.database.reading() as session:
        return session.get_one(HubLease, "hub")


def test_after_a_restart_a_sensor_that_spoke_lately_is_known_at_once_a_dead_one_not(make_village):
    village = make_village(ATM)
    village.start_worker()
    village.device.start()
    village.device.set("atm", "status", "in")
    eventually(lambda: village.link() is Link.READY)
    village.worker.stop()

    village.start_worker()
    eventually(lambda: village.link() is Link.READY)

    village.worker.stop()
    village.device.set("atm", "status", "out", age_s=90)
    village.start_worker()
    eventually(lambda: [row.value for row in village.all(DeviceProperty)] == ["out"])
    time.sleep(0.6)
    assert village.link() is Link.SILENT


def test_a_foreign_client_that_calls_itself_hub_does_not_throw_the_hub_out(village):
    """nats-server knows no rule that the client id is the user name."""
    rival = connect(village.broker, "forger", "forger-secret", client_id="hub")
    rival.start()
    assert rival.wait_connected(10)

    village.order()
    eventually(lambda: village.outcomes == [("box-01", "done")])

    assert village.worker.is_connected
    rival.stop()
