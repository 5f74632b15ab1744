"""Chilled goods are sold only while it is known that they are good."""

import time

import pytest

from devices.vending import agent as vending_agent
from devices.vending.cooling import ColdChain, Cutoff
from tests.devices.kit import eventually
from tests.devices.vending.bench import CHILLED, DONE, REJECTED, plan


def test_chilled_goods_are_sold_only_while_it_is_known_to_be_cold():
    cutoff = Cutoff(ColdChain(limit_milli=7_000, grace_s=100), ["milk"], good_until={"milk": 0})
    assert cutoff.is_warm("milk", 0)
    cutoff.read(7_000, 1_000)
    assert not cutoff.is_warm("milk", 101_000)
    assert cutoff.is_warm("milk", 101_001)
    cutoff.read(7_001, 60_000)
    assert not cutoff.is_warm("milk", 61_000)
    cutoff.read(5_000, 70_000)
    assert not cutoff.is_warm("milk", 170_000)
    assert not cutoff.is_warm("batteries", 999_000)


def test_goods_that_were_warm_for_too_long_stay_unsold_when_it_is_cold_again():
    cutoff = Cutoff(ColdChain(limit_milli=7_000, grace_s=100), ["milk", "ham"], good_until={"milk": 0, "ham": 0})
    cutoff.read(5_000, 0)
    cutoff.read(9_000, 100_001)
    cutoff.read(5_000, 100_500)
    assert (cutoff.spoiled, cutoff.is_warm("milk", 100_600)) == ({"milk", "ham"}, True)
    cutoff.replace_goods("milk", 200_000)
    assert (cutoff.is_warm("milk", 200_100), cutoff.is_warm("ham", 200_100)) == (False, True)


def test_fresh_goods_in_a_machine_that_is_still_warm_have_their_own_time():
    cutoff = Cutoff(ColdChain(limit_milli=7_000, grace_s=100), ["milk"], good_until={"milk": 0})
    cutoff.read(9_000, 100_001)
    cutoff.replace_goods("milk", 150_000)
    cutoff.read(9_000, 200_000)
    assert (cutoff.spoiled, cutoff.is_warm("milk", 200_000)) == (set(), True)
    cutoff.read(5_000, 240_000)
    assert not cutoff.is_warm("milk", 240_000)
    cutoff.read(9_000, 340_001)
    assert cutoff.spoiled == {"milk"}


def test_a_warm_machine_refuses_chilled_goods_and_its_slots_say_so(bench):
    one = bench(chilled=CHILLED, rule=ColdChain(limit_milli=7_000, grace_s=0))
    eventually(lambda: one.value("slot-03", "state") is not None)
    one.device.temperature(5_000)
    time.sleep(0.01)
    one.device.temperature(9_500)
    eventually(lambda: one.value("slot-03", "state") == "warm")
    assert (one.vend("slot-03"), one.vend("slot-01")) == ((REJECTED, "warm"), (DONE, ""))
    assert one.machine.turns == ["slot-01"]
    one.restart()
    eventually(lambda: one.value("slot-03", "state") == "warm")
    assert one.vend("slot-03") == (REJECTED, "warm")


def test_a_person_who_replaces_the_goods_lets_a_cold_machine_sell_again(bench):
    one = bench(chilled=CHILLED, rule=ColdChain(limit_milli=7_000, grace_s=0.2))
    time.sleep(0.25)
    one.device.temperature(9_500)
    one.device.temperature(4_000)
    assert one.vend("slot-03") == (REJECTED, "warm")
    plan(one, 1, {"slot-03": (1, 0), "slot-04": (1, 0)})
    plan(one, 2, {"slot-03": (1, 1), "slot-04": (1, 0)})
    one.device.temperature(4_000)
    assert (one.vend("slot-03"), one.vend("slot-04")) == ((DONE, ""), (REJECTED, "warm"))
    one.restart()
    one.device.temperature(4_000)
    plan(one, 3, {"slot-03": (1, 1), "slot-04": (1, 1)})
    assert one.vend("slot-04") == (DONE, "")
    eventually(lambda: one.agent.note("spoiled") is None)


@pytest.mark.parametrize(
    "history",
    [
        [(1, 0), (2, 0)],  # counted again, or a jam cleared
        [(1, None), (2, None)],
        [(1, None), (2, 7)],  # nobody knows what it was before
        [(1, 3), (1, 2)],  # a hub restored from a backup
    ],
)
def test_counting_spoiled_goods_does_not_make_them_fresh(bench, history):
    one = bench(chilled=CHILLED, rule=ColdChain(limit_milli=7_000, grace_s=0.2))
    spoil(one)
    for revision, row in enumerate(history, start=1):
        plan(one, revision, {"slot-03": row})
    assert one.vend("slot-03") == (REJECTED, "warm")
    one.machine.refill("slot-04", 8)
    assert one.vend("slot-04") == (REJECTED, "warm")


def spoil(one):
    time.sleep(0.25)
    one.device.temperature(9_500)
    one.device.temperature(4_000)


@pytest.mark.parametrize(
    ("boot", "state"),
    [
        ("same", "ok"),
        ("other", "warm"),  # a power cut: no clock that can be trusted says how long it took
        ("", "warm"),
    ],
)
def test_after_a_start_warm_goods_are_spoiled_unless_it_is_proved_that_they_were_just_cold(
    bench, monkeypatch, boot, state
):
    monkeypatch.setattr(vending_agent, "boot_id", lambda: "same")
    one = bench(chilled=CHILLED, rule=ColdChain(limit_milli=7_000, grace_s=600))
    one.device.temperature(4_000)
    one.kill()
    monkeypatch.setattr(vending_agent, "boot_id", lambda: boot)
    one.machine._milli = 9_500
    one.start()
    one.device.temperature(9_500)
    one.device.temperature(4_000)
    eventually(lambda: one.value("slot-03", "state") == state)


def test_a_restart_does_not_begin_the_time_anew_in_which_goods_may_be_warm(bench, monkeypatch):
    one = bench(chilled=CHILLED, rule=ColdChain(limit_milli=7_000, grace_s=600))
    one.device.temperature(4_000)
    one.kill()
    now = vending_agent.boot_ms()
    monkeypatch.setattr(vending_agent, "boot_ms", lambda: now + 601_000)
    one.machine._milli = 9_500
    one.start()
    one.device.temperature(9_500)
    one.device.temperature(4_000)
    eventually(lambda: one.value("slot-03", "state") == "warm")


def test_a_machine_without_chilled_goods_sells_at_any_temperature(bench):
    one = bench()
    one.device.temperature(30_000)
    assert one.vend() == (DONE, "")
