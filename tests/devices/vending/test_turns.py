"""The vending agent without a broker: what it writes, what it refuses, and what it never does twice."""

import base64
import threading
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devices.vending import agent as vending_agent
from tests.devices.kit import eventually
from tests.devices.vending.bench import DONE, FAILED, REJECTED, UNKNOWN, Bench, DeadError


@pytest.mark.parametrize(
    ("fault", "verdict", "told", "state"),
    [
        ("none", (DONE, ""), "vended", "ok"),
        ("jam", (FAILED, "jam"), "jam", "jam"),
        ("stuck", (FAILED, "jam"), "jam", "jam"),
        ("cancelled", (FAILED, "cancelled"), None, "ok"),
        ("reboot", (DONE, ""), "vended", "ok"),
        ("sensor-silent", (UNKNOWN, "no_answer"), None, "doubt"),
        ("silent", (UNKNOWN, "no_answer"), None, "doubt"),
    ],
)
def test_each_fault_has_its_own_true_end(bench, fault, verdict, told, state):
    one = bench()
    one.machine.fault(fault)
    command = one.order()
    result = one.result(command)
    assert (result.state, result.code) == verdict
    eventually(lambda: one.value("slot-01", "state") == state)
    assert one.told() == ([] if told is None else [(told, command.id, "")])


def test_the_turn_is_on_disk_before_the_motor_moves(bench):
    one = bench()
    seen = []
    move = one.machine._move

    def look(*arguments):
        seen.append(one.agent.note("slots")["turns"])
        return move(*arguments)

    one.machine._move = look
    command = one.order()
    one.result(command)
    assert seen == [{command.id: ["slot-01", "vend-1"]}]
    eventually(lambda: one.agent.note("slots")["turns"] == {})


def test_a_slot_in_doubt_turns_no_more_until_the_sensor_has_spoken(bench):
    one = bench()
    one.machine.fault("silent")
    first = one.order()
    one.result(first)
    assert one.vend() == (REJECTED, "unresolved")
    assert one.vend("slot-02") == (UNKNOWN, "no_answer")
    assert one.machine.turns == ["slot-01", "slot-02"]
    one.machine.silent(on=False)
    one.device._look()
    eventually(lambda: [event.type for event in one.events()] == ["vended", "vended"])
    assert one.events()[0].cause == first.id
    assert (one.value("slot-01", "stock"), one.value("slot-01", "state")) == (5, "ok")
    assert one.vend() == (DONE, "")


def test_a_late_word_of_the_machine_settles_a_doubt_once(bench):
    one = bench()
    one.machine.fault("sensor-silent")
    command = one.order()
    one.result(command)
    one.device.settled(command.id, vending_agent.Drop.VENDED)
    one.device.settled(command.id, vending_agent.Drop.JAM)
    eventually(lambda: one.told() == [("vended", command.id, "")])


def test_a_person_who_counts_ends_a_doubt(bench):
    one = bench()
    one.machine.fault("sensor-silent")
    one.vend()
    one.machine.refill("slot-01", 8)
    assert one.vend() == (DONE, "")
    assert one.value("slot-01", "stock") == 7


@pytest.mark.parametrize(("when", "fell"), [("before", False), ("after", True)])
def test_a_vend_cut_by_a_power_failure_is_settled_by_the_sensor(bench, when, fell):
    one = bench()
    kill_at(one.machine, when)
    command = one.order()
    eventually(one.machine.died.is_set)
    one.restart()
    result = one.result(command)
    assert (result.state, result.code) == (UNKNOWN, "interrupted")
    eventually(lambda: one.told() == [("vended", command.id, "") if fell else ("jam", command.id, "not_turned")])
    one.send(command)
    assert len(one.machine.turns) == int(fell)
    assert one.vend() == (DONE, "")


def kill_at(machine, when):
    """Let the process die right before or right after the motor's next turn."""
    move, machine.died = machine._move, threading.Event()

    def die(*arguments):
        machine._move = move
        if when == "after":
            move(*arguments)
        machine.died.set()
        raise DeadError

    machine._move = die


MOVES = ("vend", "jam", "stuck", "sensor-silent", "reboot", "silent", "cancelled", "before", "after", "repeat", "speak")


@given(st.lists(st.tuples(st.sampled_from(MOVES), st.sampled_from(["slot-01", "slot-02"])), min_size=3, max_size=14))
@settings(max_examples=25, deadline=None)
def test_no_history_drops_twice_for_one_order_or_says_what_is_not_true(moves):
    with TemporaryDirectory() as folder:
        one = Bench(Path(folder))
        sent = []
        try:
            for move, slot in moves:
                play(one, move, slot, sent)
            one.machine.silent(on=False)
            one.restart()
            eventually(lambda: all(one.verdict(command) is not None for command in sent))
            time.sleep(0.02)
            check(one, sent)
        finally:
            one.close()


def play(one, move, slot, sent):
    if move == "speak":
        one.machine.silent(on=False)
        one.device._look()
    elif move == "repeat":
        if sent:
            one.send(sent[-1])
    elif move in ("before", "after"):
        kill_at(one.machine, move)
        sent.append(one.order(slot))
        eventually(lambda: one.machine.died.is_set() or one.verdict(sent[-1]) is not None)
        one.machine.__dict__.pop("_move", None)  # a refused order has met nobody who could die
        one.restart()
    else:
        if move != "vend":
            one.machine.fault(move)
        sent.append(one.order(slot))
        one.result(sent[-1])


def check(one, sent):
    assert len(one.machine.dropped) == len(set(one.machine.dropped))
    words = {}
    for event in one.events():
        if event.cause:
            words.setdefault(event.cause, set()).add(event.type)
    for command in sent:
        fell = command.id in one.machine.dropped
        state = one.verdict(command).state
        assert state is not DONE or fell
        assert state not in (FAILED, REJECTED) or not fell
        told = words.get(command.id, set())
        assert len(told) <= 1
        assert "vended" not in told or fell
        assert "jam" not in told or not fell


# Planogram


def test_a_planogram_is_taken_over_whole_and_older_commands_are_refused(bench):
    one = bench()
    plan = {"slot-01": [11, 250, 8, 1, 3], "slot-02": [12, 300, 8, 1, 0]}
    assert one.result(one.ask("plan", revision=5, slots=plan)).state is DONE
    assert one.vend() == (REJECTED, "map_changed")
    one.map = 5
    assert (one.vend("slot-01"), one.vend("slot-02")) == ((DONE, ""), (REJECTED, "empty"))
    assert (one.value("slot-01", "stock"), one.value("slot-03", "stock")) == (2, 6)
    assert one.value("unit", "plan") == 5
    one.restart()
    assert one.agent.map_revision == 5
    assert one.vend("slot-01") == (DONE, "")
    eventually(lambda: one.value("slot-01", "stock") == 1)


def test_pieces_of_a_planogram_count_only_after_a_new_count_which_ends_jam_and_doubt(bench):
    one = bench()
    one.map = 5
    one.result(one.ask("plan", revision=5, slots={"slot-01": [1, 100, 8, 1, 6], "slot-02": [2, 100, 8, 1, 6]}))
    one.machine.fault("jam")
    one.vend("slot-01")
    one.machine.fault("sensor-silent")
    one.vend("slot-02")
    one.result(one.ask("plan", revision=6, slots={"slot-01": [1, 150, 8, 1, 8], "slot-02": [2, 100, 8, 2, 8]}))
    one.map = 6
    eventually(lambda: one.value("slot-02", "state") == "ok")
    assert (one.value("slot-01", "stock"), one.value("slot-01", "state")) == (6, "jam")
    assert (one.value("slot-02", "stock"), one.vend("slot-02")) == (8, (DONE, ""))
    assert one.vend("slot-01") == (REJECTED, "jam")


@pytest.mark.parametrize(
    ("args", "code"),
    [
        ({"revision": 5, "slots": {"slot-99": [1, 1, 1, 1, 1]}}, "not_found"),
        ({"revision": 0, "slots": {}}, "bad_arguments"),
        ({"revision": 5, "slots": {"slot-01": [1, 1, 1, 1]}}, "bad_arguments"),
        ({"revision": 5, "slots": {"slot-01": [1, -1, 1, 1, 1]}}, "bad_arguments"),
        ({"revision": 5}, "bad_arguments"),
        ({"revision": 5, "slots": {}, "more": 1}, "bad_arguments"),
    ],
)
def test_a_planogram_that_does_not_fit_changes_nothing(bench, args, code):
    one = bench()
    result = one.result(one.ask("plan", **args))
    assert (result.state, result.code) == (REJECTED, code)
    assert one.vend() == (DONE, "")


# Temperature


# Audit files


def test_an_audit_file_goes_out_in_parts_that_fit_into_messages(bench):
    one = bench()
    content = bytes(range(256)) * 30
    one.device.audited(content)
    eventually(lambda: len(one.events()) == 4)
    events = one.events()
    assert all(len(event.encode()) <= 4096 for event in events)
    assert [(event.data["part"], event.data["parts"]) for event in events] == [(n, 4) for n in (1, 2, 3, 4)]
    assert len({event.data["file"] for event in events}) == 1
    assert b"".join(base64.b64decode(event.data["content"]) for event in events) == content


@pytest.mark.parametrize("size", [0, vending_agent.LARGEST_AUDIT_BYTES + 1])
def test_an_audit_file_of_no_sensible_size_is_not_sent(bench, size):
    one = bench()
    one.device.audited(b"x" * size)
    eventually(lambda: "audit" in one.agent._alerts)
    assert one.events() == []
