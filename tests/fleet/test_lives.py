"""A device whose memory was set back: the hub tells it, and then believes nothing it had heard before."""

import pytest

from shop_hub.fleet.models import DeviceEvent, Link
from tests.fleet.kit import Scripted, eventually
from tests.fleet.test_commands import is_at


def test_a_device_that_counts_less_than_was_heard_is_told_so(village):
    for _ in range(3):
        village.device.event("box-01", "opened")
    eventually(lambda: village.stored().seq == 3)
    village.device.seq = 1
    village.device.acks.clear()

    eventually(lambda: any(ack.seq == 3 for ack in village.device.acks), 5)
    assert {ack.epoch for ack in village.device.acks} == {village.device.epoch}


@pytest.mark.parametrize("leasing", [True, False])
def test_a_device_that_counts_fewer_boots_than_were_heard_is_told_so(village, leasing):
    """Its states would count as older than those of the boots it does not know of, and be passed over for ever."""
    village.device.boot = 3
    village.device.set("box-01", "door", "open")
    eventually(lambda: village.stored().boot == 3)
    village.device.leasing = leasing
    village.device.acks.clear()

    village.device.boot = 2
    village.device.set("box-01", "door", "closed")

    eventually(lambda: any(ack.boot == 3 for ack in village.device.acks), 5)
    assert village.device.acks[-1].seq == village.device.seq


def test_after_its_new_life_it_is_heard_from_number_one_and_open_orders_are_unknown(village, heard):
    village.device.event("box-01", "opened")
    village.device.obey = Scripted.accept
    command = village.order("box-02")
    is_at(village, command, "accepted")

    village.device.lose_journal()
    village.device.event("box-01", "closed")

    is_at(village, command, "unknown", "journal_lost")
    assert heard == [("box-02", "unknown")]
    eventually(lambda: village.stored().epoch == village.device.epoch and village.stored().seq == 1)
    assert [event.type for event in village.all(DeviceEvent)] == ["opened", "closed"]
    eventually(lambda: village.link() is Link.READY)


def test_who_accepted_an_order_and_does_not_know_it_any_more_has_not_refused_it(village, heard):
    def forget(device, command, node):
        device.accept(command, node)
        device.result(command.id, node, "rejected", "unknown_id")

    village.device.obey = forget
    command = village.order("box-02")
    is_at(village, command, "unknown", "unknown_id")
    assert heard == [("box-02", "unknown")]


@pytest.mark.parametrize(("accepted", "verdict"), [(False, "unknown"), (True, "rejected")])
def test_who_accepted_an_order_and_refuses_it_later_must_remember_that_it_did(village, heard, accepted, verdict):
    """A copy of the command comes late to a memory that was set back: the lease is old, but the door had opened."""

    def refuse(device, command, node):
        device.accept(command, node)
        device.result(command.id, node, "rejected", "stale_lease", accepted=accepted)

    village.device.obey = refuse
    command = village.order("box-02")
    is_at(village, command, verdict, "stale_lease")
    assert heard == [("box-02", verdict)]


def test_what_a_new_life_says_of_an_order_of_the_old_one_is_no_proof(village, heard):
    """A copy of the command comes late: who has forgotten that it opened refuses an old lease."""
    village.device.obey = Scripted.accept
    command = village.order("box-02")
    is_at(village, command, "accepted")

    village.device.lose_journal()
    village.device.result(command.ulid, "box-02", "rejected", "stale_lease")
    village.device.event("box-01", "closed")

    eventually(lambda: village.stored().epoch == village.device.epoch and village.stored().seq == 2)
    assert village.state_of(command)[0] == "unknown"
    assert heard == [("box-02", "unknown")]
