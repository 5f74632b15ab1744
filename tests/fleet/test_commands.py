"""Commands: done now or never, once, and with an end that is always known or honestly unknown."""

import threading
from datetime import timedelta

import pytest
from sqlalchemy import select

from shop_hub.core import clock
from shop_hub.fleet import provisioning
from shop_hub.fleet.errors import DeviceBusyError, DeviceOfflineError
from shop_hub.fleet.models import Device, DeviceCommand, Link
from tests.fleet.kit import Scripted, eventually


def silent(_device, _command, _node):
    """Hear and do nothing."""


def is_at(village, command, state, code=""):
    eventually(lambda: village.state_of(command) == (state, code))


def test_a_command_is_sent_accepted_and_done(village, heard):
    command = village.order()

    is_at(village, command, "done")
    sent = village.device.commands[0][0]
    assert (sent.id, sent.op, sent.map, sent.by, sent.ttl_ms) == (command.ulid, "open", 7, "test:1", 2000)
    assert len(village.device.commands) == 1
    assert heard == [("box-01", "done")]


def test_every_verdict_reaches_the_feature_with_its_code(village, heard):
    verdicts = ["failed", "partial", "rejected", "unknown"]
    village.device.obey = lambda device, command, node: device.result(command.id, node, node, "jam")

    for verdict in verdicts:
        is_at(village, village.order(verdict), verdict, "jam")

    assert heard == [(verdict, verdict) for verdict in verdicts]


def test_an_accepted_command_keeps_its_node_busy_until_the_verdict(village):
    village.device.obey = Scripted.accept
    command = village.order()
    is_at(village, command, "accepted")

    with pytest.raises(DeviceBusyError) as refusal:
        village.order()
    assert refusal.value.params == {"device": village.row.id, "node": "box-01"}
    village.device.result(command.ulid, "box-01", "done")

    is_at(village, command, "done")
    assert len(village.device.commands) == 1
    village.order()
    eventually(lambda: len(village.device.commands) == 2)


def test_two_nodes_of_a_device_do_not_wait_for_each_other(village):
    village.device.obey = Scripted.accept

    first, second = village.order("box-01"), village.order("box-02")

    is_at(village, first, "accepted")
    is_at(village, second, "accepted")


def test_without_accept_the_same_bytes_are_sent_again_then_the_device_is_asked(village, heard):
    village.device.obey = silent
    village.device.answers_queries = False

    command = village.order()

    is_at(village, command, "unconfirmed")
    assert len(village.device.commands) == 4
    assert len({payload for _, payload in village.device.commands}) == 1
    eventually(lambda: any(query.id == command.ulid for query in village.device.queries))
    assert heard == []
    with pytest.raises(DeviceBusyError):
        village.order()


def test_a_lost_accept_is_settled_by_asking(village, heard):
    """The door was opened, but accept and result got lost on their way."""

    def open_unheard(device, command, node):
        if command.id not in device.verdicts:
            device.result(command.id, node, "done", lose=True)

    village.device.obey = open_unheard

    command = village.order()

    is_at(village, command, "done")
    assert heard == [("box-01", "done")]
    assert village.device.seq == 1


def test_a_command_that_never_arrived_expires_once_the_device_swears_it(village, heard):
    village.device.obey = silent

    command = village.order()

    is_at(village, command, "expired", "unknown_id")
    assert heard == [("box-01", "expired")]


@pytest.mark.parametrize("age", [timedelta(seconds=2.5), timedelta(seconds=-3)])
def test_a_touch_that_is_not_of_now_is_never_sent(village, heard, age, monkeypatch):
    """Too old, or from the future: the clock was set back between touch and sending."""
    with monkeypatch.context() as moved:
        moved.setattr(village.worker.seats[0]._keeper, "now", lambda: clock.now() + age)
        stale = village.order()
        is_at(village, stale, "expired", "stale")

    assert heard == [("box-01", "expired")]
    village.order("box-02")
    eventually(lambda: len(village.device.commands) == 1)
    assert village.device.commands[0][0].id != stale.ulid


def test_a_device_that_is_not_there_is_refused_at_once(idle_village):
    idle_village.start_worker()

    with pytest.raises(DeviceOfflineError) as refusal:
        idle_village.order()

    assert refusal.value.params == {"device": idle_village.row.id}


def test_without_a_running_hub_nothing_is_promised(village):
    village.worker.stop()

    with pytest.raises(DeviceOfflineError):
        village.order()


def test_a_device_that_falls_silent_between_touch_and_sending_gets_nothing(village):
    village.device.leasing = False
    eventually(lambda: village.link() is Link.SILENT)

    command = village.order_anyhow()

    is_at(village, command, "expired", "offline")
    assert village.device.commands == []


def test_a_revoked_device_gets_no_command_and_its_open_one_ends_unknown(village):
    village.device.obey = Scripted.accept
    command = village.order()
    is_at(village, command, "accepted")

    with village.database.transaction() as session:
        provisioning.revoke(session, session.get_one(Device, village.row.id), actor="operator:1", reason="lost")

    with pytest.raises(DeviceOfflineError):
        village.order("box-02")
    is_at(village, command, "unknown", "written_off")


def test_an_operator_may_stop_waiting_and_a_late_verdict_still_counts(village, heard):
    village.device.obey = Scripted.accept
    command = village.order()
    is_at(village, command, "accepted")

    with village.database.transaction() as session:
        provisioning.give_up(session, session.get_one(DeviceCommand, command.id), actor="operator:1")

    is_at(village, command, "unknown", "written_off")
    village.device.result(command.ulid, "box-01", "done")
    is_at(village, command, "done")
    assert heard == [("box-01", "unknown"), ("box-01", "done")]


def test_a_lost_journal_makes_open_commands_unknown_not_undone(village, heard):
    village.device.obey = Scripted.accept
    command = village.order()
    is_at(village, command, "accepted")

    village.device.lose_journal()

    is_at(village, command, "unknown", "journal_lost")
    assert heard == [("box-01", "unknown")]
    eventually(lambda: village.link() is Link.READY)


def test_the_first_verdict_is_final(village, heard):
    command = village.order()
    is_at(village, command, "done")

    village.device.result(command.ulid, "box-01", "failed", "jam")
    eventually(lambda: village.stored().seq == village.device.seq)

    assert village.state_of(command) == ("done", "")
    assert heard == [("box-01", "done")]


def test_only_one_of_many_touches_at_once_gets_the_door(village):
    village.device.obey = Scripted.accept
    won, refused = [], []

    def touch():
        try:
            won.append(village.order().ulid)
        except DeviceBusyError:
            refused.append(1)

    threads = [threading.Thread(target=touch) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert (len(won), len(refused)) == (1, 7)
    eventually(lambda: [command.id for command, _ in village.device.commands] == won)


def test_a_command_too_large_for_the_protocol_is_refused_before_it_is_written(village):
    with pytest.raises(ValueError, match="bytes"):
        village.order("box-01", "open", text="x" * 4096)

    assert village.all(DeviceCommand) == []


def test_a_printed_slip_is_forgotten_when_it_is_over(village):
    command = village.order("printer", "print", document="code 1234")
    is_at(village, command, "done")

    with village.database.reading() as session:
        assert session.scalar(select(DeviceCommand.args).where(DeviceCommand.id == command.id)) == {}
    assert village.device.commands[0][0].args == {"document": "code 1234"}
