"""The vending agent without a broker: what it writes, what it refuses, and what it never does twice."""

import base64
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devices.agent.agent import Agent, AgentConfig
from devices.agent.host import Host
from devices.protocol import ids, mac, topics
from devices.protocol.messages import Command, Event, Result, ResultState
from devices.simulators.vending import SimulatedMachine
from devices.simulators.world import StateFile
from devices.vending import agent as vending_agent
from devices.vending.agent import VendingDevice
from devices.vending.cooling import ColdChain, Cutoff
from tests.devices.kit import KEY, eventually

PLACE = ("dorf", "vending")
CHILLED = ("slot-03", "slot-04")


class DeadError(BaseException):
    """The process died here; nothing in it can catch that."""


@dataclass
class Bench:
    """A machine of four slots, and an agent that can be killed and started again over the same files."""

    folder: Path
    chilled: tuple[str, ...] = ()
    rule: ColdChain | None = None
    host: Host = field(default_factory=Host)
    map: int = 0

    def __post_init__(self):
        self.machine = SimulatedMachine(
            file=StateFile(self.folder / "world.json"), slots=4, first_stock=6, motor_s=0, chilled=self.chilled
        )
        self.start()

    def start(self):
        config = AgentConfig(
            site=PLACE[0],
            device=PLACE[1],
            name="Automat",
            key=bytes.fromhex(KEY),
            host="127.0.0.1",
            port=9,
            password="none",
            journal=self.folder / "journal",
        )
        self.device = VendingDevice(self.machine, cold_chain=self.rule)
        self.agent = Agent(config, self.device, self.host)
        self.agent.start()

    def kill(self):
        """End the process without a goodbye: nothing more reaches the disk."""
        self.agent._bus.stop()
        self.host.call(self.agent._close)
        self.machine.close()

    def restart(self):
        self.kill()
        self.start()

    def order(self, slot="slot-01"):
        """Send a vend command as the hub would and return it."""
        return self.ask("vend", slot=slot, order="vend-1")

    def ask(self, op, **args):
        lease = self.agent._leases.renew()
        command = Command(id=ids.new_ulid(), op=op, lease=lease, ttl_ms=2000, map=self.map, gen=1, args=args)
        self.send(command)
        return command

    def send(self, command):
        topic = topics.command_set_topic(*PLACE, "unit")
        payload = mac.sign(bytes.fromhex(KEY), topic, command).encode()
        rules, now = self.agent._rules, vending_agent.boot_ms()
        self.host.call(lambda: rules.handle("unit", topic, payload, retained=False, arrived_ms=now))

    def result(self, command):
        eventually(lambda: self.verdict(command) is not None)
        return self.verdict(command)

    def verdict(self, command):
        found = []
        self.host.call(lambda: found.append(self.agent._journal.find(command.id)))
        return found[0].result if found[0] else None

    def vend(self, slot="slot-01"):
        result = self.result(self.order(slot))
        return result.state, result.code

    def messages(self):
        found = []
        self.host.call(lambda: found.extend(self.agent._journal.messages_after(0, 10_000)))
        return found

    def events(self):
        return [Event.model_validate_json(stored.body) for stored in self.messages() if stored.kind == "event"]

    def results(self):
        return [Result.model_validate_json(stored.body) for stored in self.messages() if stored.kind == "result"]

    def told(self):
        return [(event.type, event.cause, event.data.get("reason", "")) for event in self.events()]

    def value(self, node, name):
        found = []
        self.host.call(lambda: found.append(self.agent._properties.values.get((node, name))))
        return found[0]

    def close(self):
        self.kill()
        self.host.close()


@pytest.fixture
def bench(tmp_path):
    made = []

    def make(**options):
        made.append(Bench(tmp_path, **options))
        return made[-1]

    yield make
    for one in made:
        one.close()


DONE, FAILED, UNKNOWN, REJECTED = ResultState.DONE, ResultState.FAILED, ResultState.UNKNOWN, ResultState.REJECTED


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


def plan(one, revision, slots):
    """Send a planogram of slots with how often each was counted and its goods replaced (None: an older hub)."""
    rows = {}
    for slot, (fill, replaced) in slots.items():
        rows[slot] = [1, 100, 8, fill, 8] + ([] if replaced is None else [replaced])
    assert one.result(one.ask("plan", revision=revision, slots=rows)).state is DONE
    one.map = revision


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
