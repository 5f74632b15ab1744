"""Each kind of machine, its faults included, over the contract."""

import time

import pytest

from devices.protocol import topics
from devices.protocol.messages import ClockHint, ResultState
from tests.devices.kit import SITE, eventually, verdict

pytestmark = pytest.mark.parametrize("broker", ["nats"], indirect=True)


# Locker


# Vending machine


def vend(hub, slot, order="order-1"):
    return hub.result(hub.order("vending", "unit", "vend", slot=slot, order=order).id)


def test_a_piece_drops_and_is_counted(hub, villages):
    village = villages.start("vending")
    assert verdict(vend(hub, "slot-07")) == (ResultState.DONE, "", 1)
    eventually(lambda: hub.value("vending", "slot-07", "stock") == 5)
    event = hub.events("vending")[0]
    assert (event.type, event.node, event.data) == ("vended", "slot-07", {"order": "order-1", "stock": 5})
    assert village.twin("vending").turns == ["slot-07"]
    villages.stop(village)
    hub.seen.clear()
    villages.start("vending")
    eventually(lambda: hub.value("vending", "slot-07", "stock") == 5)


def test_a_jam_fails_and_blocks_the_slot_until_it_is_refilled(hub, villages):
    village = villages.start("vending")
    village.control("vending", "jam", {"node": "slot-07"})
    assert verdict(vend(hub, "slot-07")) == (ResultState.FAILED, "jam", 1)
    eventually(lambda: hub.value("vending", "slot-07", "state") == "jam")
    assert verdict(vend(hub, "slot-07")) == (ResultState.REJECTED, "jam", 0)
    assert village.twin("vending").turns == ["slot-07"]
    village.control("vending", "refill", {"node": "slot-07", "stock": 8})
    eventually(lambda: hub.value("vending", "slot-07", "state") == "ok")
    eventually(lambda: hub.types("vending") == ["jam", "refilled", "audit"])
    assert hub.events("vending")[1].data == {"stock": 8, "expected": 6}
    assert vend(hub, "slot-07").state is ResultState.DONE


def test_an_empty_slot_turns_no_motor(hub, villages):
    village = villages.start("vending")
    village.control("vending", "refill", {"node": "slot-01", "stock": 1})
    assert vend(hub, "slot-01").state is ResultState.DONE
    assert verdict(vend(hub, "slot-01")) == (ResultState.REJECTED, "empty", 0)
    eventually(lambda: hub.value("vending", "slot-01", "state") == "empty")
    assert village.twin("vending").turns == ["slot-01"]


def test_a_machine_that_falls_silent_leaves_unknown(hub, villages):
    village = villages.start("vending")
    village.control("vending", "silent", {"on": True})
    assert verdict(vend(hub, "slot-02")) == (ResultState.UNKNOWN, "no_answer", 1)
    assert village.twin("vending").turns == ["slot-02"]


@pytest.mark.parametrize(
    ("args", "code"),
    [
        ({"slot": "slot-99", "order": "x"}, "not_found"),
        ({"slot": 7, "order": "x"}, "bad_arguments"),
        ({"slot": "slot-01"}, "bad_arguments"),
        ({"slot": "slot-01", "order": "x", "price": 1}, "bad_arguments"),
    ],
)
def test_bad_vends_turn_no_motor(hub, villages, args, code):
    village = villages.start("vending")
    hub.wait_lease("vending")
    command = hub.send("vending", "unit", hub.command("vending", "vend", args=args))
    assert hub.result(command.id).code == code
    assert village.twin("vending").turns == []


# Entrance


def test_the_entrance_lets_one_person_in(hub, villages):
    village = villages.start("entrance", auto_close_s=0.2)
    command = hub.order("entrance", "door", "unlock", hold_s=3)
    assert verdict(hub.result(command.id)) == (ResultState.DONE, "", 1)
    eventually(lambda: hub.types("entrance") == ["entry"])
    assert hub.events("entrance")[0].cause == command.id
    eventually(lambda: hub.value("entrance", "door", "door") == "closed")
    eventually(lambda: hub.value("entrance", "door", "lock") == "locked")
    assert village.twin("entrance").releases == 1


def test_leaving_is_free_and_breaking_in_is_told(hub, villages):
    village = villages.start("entrance")
    village.control("entrance", "leave", {})
    eventually(lambda: hub.types("entrance") == ["exit"])
    village.control("entrance", "close_door", {})
    village.agent("entrance").device._may_open_until_ms = 0
    village.control("entrance", "force", {})
    eventually(lambda: hub.types("entrance") == ["exit", "forced"])


def test_a_door_held_open_is_told(hub, villages):
    village = villages.start("entrance", entrance={"held_open_s": 0.3})
    village.control("entrance", "leave", {})
    eventually(lambda: hub.types("entrance") == ["exit", "held-open"])


def test_the_mode_is_kept_over_a_restart(hub, villages):
    village = villages.start("entrance")
    assert hub.result(hub.order("entrance", "door", "mode", mode="free").id).state is ResultState.DONE
    eventually(lambda: hub.value("entrance", "door", "lock") == "free")
    village.control("entrance", "enter", {})
    eventually(lambda: hub.types("entrance") == ["entry"])
    villages.stop(village)
    hub.seen.clear()
    villages.start("entrance")
    eventually(lambda: hub.value("entrance", "door", "mode") == "free")
    eventually(lambda: hub.value("entrance", "door", "lock") == "free")


ALWAYS = [{"weekday": day, "from_minute": 0, "to_minute": 1440} for day in range(7)]


def test_without_the_hub_the_stored_opening_rule_decides(hub, villages):
    village = villages.start("entrance", entrance={"windows": ALWAYS})
    eventually(lambda: hub.value("entrance", "door", "lock") == "free")
    hub.bus.publish(topics.clock_topic(SITE), ClockHint(now_ms=1_800_000_000_000))
    eventually(lambda: village.agent("entrance").hub_heard_ms is not None)
    village.agent("entrance").device._apply_rule()
    eventually(lambda: hub.value("entrance", "door", "lock") == "locked")


def keep_rule(hub, **rule):
    assert hub.result(hub.order("entrance", "door", "rule", **rule).id).state is ResultState.DONE
    eventually(lambda: hub.value("entrance", "door", "rule") == rule)


def test_the_hub_s_rule_is_kept_over_a_restart_and_counts_without_the_hub(hub, villages):
    now_s = int(time.time())
    village = villages.start("entrance")
    keep_rule(hub, windows=[[now_s - 60, now_s + 3600]], until=now_s + 7200)
    eventually(lambda: hub.value("entrance", "door", "lock") == "free")
    villages.stop(village)
    hub.seen.clear()
    villages.start("entrance")
    eventually(lambda: hub.value("entrance", "door", "lock") == "free")
    keep_rule(hub, windows=[], until=now_s + 7200)
    eventually(lambda: hub.value("entrance", "door", "lock") == "locked")


def test_the_hub_s_rule_goes_before_the_device_s_own_until_it_ends(hub, villages):
    now_s = int(time.time())
    villages.start("entrance", entrance={"windows": ALWAYS})
    keep_rule(hub, windows=[], until=now_s + 7200)
    eventually(lambda: hub.value("entrance", "door", "lock") == "locked")
    keep_rule(hub, windows=[], until=now_s - 1)
    eventually(lambda: hub.value("entrance", "door", "lock") == "free")


@pytest.mark.parametrize("mode", ["locked", "auto"])
def test_nobody_is_ever_locked_in(hub, villages, mode):
    village = villages.start("entrance")
    assert hub.result(hub.order("entrance", "door", "mode", mode=mode).id).state is ResultState.DONE
    keep_rule(hub, windows=[], until=0)
    village.control("entrance", "leave", {})
    eventually(lambda: hub.value("entrance", "door", "door") == "open")
    assert hub.types("entrance") == ["exit"]


@pytest.mark.parametrize(
    ("op", "args"),
    [
        ("rule", {}),
        ("rule", {"windows": [[1]], "until": 5}),
        ("rule", {"windows": [[1, 2]] * 71, "until": 5}),
        ("rule", {"windows": [], "until": -1}),
        ("rule", {"windows": [], "until": "soon"}),
        ("unlock", {"hold_s": 0}),
        ("unlock", {"hold_s": 61}),
        ("unlock", {"hold_s": True}),
        ("unlock", {}),
        ("mode", {"mode": "party"}),
        ("mode", {}),
    ],
)
def test_bad_orders_to_the_entrance_are_refused(hub, villages, op, args):
    village = villages.start("entrance")
    hub.wait_lease("entrance")
    command = hub.send("entrance", "door", hub.command("entrance", op, args=args))
    assert hub.result(command.id).code == "bad_arguments"
    assert village.twin("entrance").releases == 0


# Cash machine


# Thermometer


# Printer


# Scanner
