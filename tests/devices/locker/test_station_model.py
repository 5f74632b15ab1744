"""A station against a model: agent, driver and simulated boards, everything broken at random.

Whatever happens: no lock is fired without a command, none twice for one, none before the journal knows of it, never
two at once; two doors on one pulse stop the station; a verdict never claims what the door did not do (except where one
board speaks in another's name: two at one address). STATION_EXAMPLES=2000 makes a campaign of it.
"""

import contextlib
import os
import sqlite3
import tempfile
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from devices.agent.agent import Agent, AgentConfig
from devices.agent.clock import boot_ms
from devices.agent.host import Host
from devices.locker import line as line_module
from devices.locker.agent import LockerDevice
from devices.locker.doors import CLOSED_FOR_MS, SAME_PULSE_MS
from devices.locker.kerong import Cu16
from devices.locker.line import LockLine
from devices.locker.port import TcpPort
from devices.locker.station import Station
from devices.protocol import ids, mac, topics
from devices.protocol.messages import Command, ResultState
from devices.simulators import lockwire
from devices.simulators.locker import Compartment, SimulatedBoards
from devices.simulators.world import ControlError, StateFile

KEY = bytes(range(32))
NODES = [f"box-{number:02d}" for number in range(1, 7)]
LAYOUT = [Compartment(node=node, board=f"board-{at // 3 + 1}") for at, node in enumerate(NODES)]
PULSE_S = 0.005
boxes = st.sampled_from(NODES)
boards = st.sampled_from(["board-1", "board-2"])


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(line_module, "_LATE_S", 0.0)
    monkeypatch.setattr(lockwire, "_REBOOT_S", 0.02)


class Killed(BaseException):
    """The process dies here: nobody catches it, nothing after it happens."""


class Rig:
    """One station: boards that outlive the agent, and an agent that can be killed."""

    def __init__(self, folder):
        self.journal = folder / "station.journal"
        self.now_ms = 1_000_000
        self.boards = SimulatedBoards(LAYOUT, schedule=lambda _, work: work(), file=StateFile(None), pulse_s=PULSE_S)
        self.kill_at = ""
        self.current = ""
        self.unjournaled = 0
        self._watch_pulses()
        self.start()

    def start(self):
        self.host = Host()
        line = LockLine(TcpPort("127.0.0.1", self.boards.port), Cu16(), answer_s=0.015, pulse_ms=round(PULSE_S * 1000))
        self.device = LockerDevice(Station([line], self.boards.doors()), open_within_s=0.03, clock=lambda: self.now_ms)
        pulse = self.device._pulse

        def dying(wire):
            if self.kill_at == "before":
                raise Killed
            answered = pulse(wire)
            if self.kill_at == "after":
                raise Killed
            return answered

        self.device._pulse = dying
        self.agent = Agent(
            AgentConfig("dorf", "station", "", KEY, "127.0.0.1", 1, "", self.journal), self.device, self.host
        )
        self.host.call(self.agent._rules.settle_after_boot)
        self.device.attach(self.agent)
        self.turn()

    def kill(self):
        """End the process without a word."""
        self.kill_at = ""
        self.device._station.close()
        self.host.call(self.agent._close)
        self.host.close()

    def close(self):
        self.kill()
        self.boards.close()

    def turn(self, times=1):
        for _ in range(times):
            self.device.watch.turn()

    def settle(self):
        """Let time pass until every closing counts and no pulse can be the cause of anything."""
        self.turn()
        self.now_ms += max(CLOSED_FOR_MS, SAME_PULSE_MS) + 1
        self.turn()

    def send(self, payload, node):
        topic = topics.command_set_topic("dorf", "station", node)
        self.host.call(lambda: self.agent._rules.handle(node, topic, payload, retained=False, arrived_ms=boot_ms()))

    def command(self, node, op="open", **changes):
        self.host.call(self.agent._leases.renew)
        lease = next(reversed(self.agent._leases._made))
        fields = {"id": ids.new_ulid(), "op": op, "lease": lease, "ttl_ms": 2000, "map": 0, "gen": 1}
        command = Command.model_validate(fields | changes)
        signed = mac.sign(KEY, topics.command_set_topic("dorf", "station", node), command)
        return command.id, signed.encode()

    def verdict(self, command_id, wait_s=10.0):
        """Read the boards until the agent has made up its mind; None if it never does."""
        deadline = time.monotonic() + wait_s
        while time.monotonic() < deadline:
            self.turn()
            found = self._look_up(command_id)
            if found is not None and found.result is not None:
                return found.result
        return None

    def _look_up(self, command_id):
        found = []
        self.host.call(lambda: found.append(self.agent._journal.find(command_id)))
        return found[0]

    def _watch_pulses(self):
        fire = self.boards.fire

        def watched(board, channel):
            with contextlib.closing(sqlite3.connect(self.journal)) as journal:
                known = journal.execute("SELECT count(*) FROM command WHERE id = ?", (self.current,)).fetchone()[0]
            self.unjournaled += known == 0
            return fire(board, channel)

        self.boards.fire = watched


class StationMachine(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.rig = Rig(Path(self.folder.name))
        self.pulses = 0
        self.sent = []
        self.must_be_stopped = False
        self.had_twins = False

    def teardown(self):
        self.rig.close()
        self.folder.cleanup()

    @property
    def box(self):
        return self.rig.boards._boxes

    @property
    def locks_per_pulse(self):
        """Two boards at one address both fire: only a person before the station can see that."""
        one, other = self.rig.boards.line.boards.values()
        return 2 if one.address == other.address else 1

    def _partners(self, node):
        """What may open when this door's lock is fired, as the faults stand."""
        found = {node, str(self.box[node].faults.get("double"))}
        if self.locks_per_pulse > 1:
            twin = NODES[(NODES.index(node) + 3) % 6]
            found |= {twin, str(self.box[twin].faults.get("double"))}
        return found

    # Commands

    @rule(node=boxes)
    def open_door(self, node):
        was_open = {name for name, box in self.box.items() if box.is_open}
        stopped = self.rig.device._stopped
        honest = "sensor_stuck" not in self.box[node].faults and not self.had_twins
        self.rig.current, payload = self.rig.command(node)
        self.sent.append((node, payload))
        self.rig.send(payload, node)
        result = self.rig.verdict(self.rig.current)
        assert result is not None
        fired = len(self.rig.boards.pulses) - self.pulses
        assert fired <= result.tries * self.locks_per_pulse
        assert not (stopped and fired)
        self.pulses += fired
        self._check(result, node, was_open=node in was_open, honest=honest)
        opened = {name for name, box in self.box.items() if box.is_open} - was_open
        self._expect_stop(node, opened)

    def _check(self, result, node, *, was_open, honest):
        is_open = self.box[node].is_open
        if result.state is ResultState.DONE and honest:
            assert is_open
        if result.state is ResultState.FAILED and result.code == "jam" and honest:
            assert not is_open
        if result.state is ResultState.REJECTED:
            assert is_open == was_open

    def _expect_stop(self, node, opened):
        """Two doors moved, and both contacts could be read before and after: the station must have noticed."""
        self.rig.turn()
        others = opened - {node}
        seen = {name for name in others if self.rig.device.doors.get(name).state == "open"}
        stuck = {name for name in others if "sensor_stuck" in self.box[name].faults}
        if seen - stuck:
            self.must_be_stopped = True

    @precondition(lambda self: self.sent)
    @rule(data=st.data())
    def send_an_old_command_again(self, data):
        node, payload = data.draw(st.sampled_from(self.sent))
        self.rig.send(payload, node)
        time.sleep(0.002)

    @rule(node=boxes)
    def send_a_forged_command(self, node):
        _, payload = self.rig.command(node)
        self.rig.send(payload.replace(b'"ttl_ms":2000', b'"ttl_ms":2001'), node)

    @rule(node=boxes, map_=st.integers(1, 3))
    def send_a_command_for_another_map(self, node, map_):
        _, payload = self.rig.command(node, map=map_)
        self.rig.send(payload, node)

    @rule(node=boxes)
    def send_a_command_without_a_living_lease(self, node):
        _, payload = self.rig.command(node, lease="long-gone")
        self.rig.send(payload, node)

    @rule(board=boards, channel=st.integers(1, 3))
    def fire_a_lock_by_its_wire_outside_of_setting_up(self, board, channel):
        _, payload = self.rig.command("setup", "test", args={"board": board, "channel": channel})
        self.rig.send(payload, "setup")

    @rule(first=boxes, second=boxes)
    def open_two_doors_at_once(self, first, second):
        if first == second:
            return
        before = len(self.rig.boards.pulses)
        was_open = {name for name, box in self.box.items() if box.is_open}
        orders = [(node, *self.rig.command(node)) for node in (first, second)]
        self.rig.current = orders[0][1]
        for node, _, payload in orders:
            self.rig.send(payload, node)
        for _, command_id, _ in orders:
            assert self.rig.verdict(command_id) is not None
        fired = self.rig.boards.pulses[before:]
        assert sorted(fired) == sorted(set(fired))
        assert set(fired) <= self._partners(first) | self._partners(second)
        self.pulses += len(fired)
        opened = {name for name, box in self.box.items() if box.is_open} - was_open
        for node in (first, second):
            opened.discard(node)
        self._expect_stop(first, opened)

    @rule(node=boxes, moment=st.sampled_from(["before", "after"]))
    def kill_it_around_the_pulse(self, node, moment):
        """The verdict after the restart is `unknown`; the lock is not fired again, by nobody."""
        was_open = {name for name, box in self.box.items() if box.is_open}
        self.rig.kill_at = moment
        self.rig.current, payload = self.rig.command(node)
        self.sent.append((node, payload))
        self.rig.send(payload, node)
        result = self.rig.verdict(self.rig.current, wait_s=0.06)
        self.rig.kill()
        fired = len(self.rig.boards.pulses) - self.pulses
        assert fired <= (moment == "after") * self.locks_per_pulse
        self.pulses += fired
        self.rig.start()
        if result is None:
            assert self.rig.verdict(self.rig.current).state is ResultState.UNKNOWN
        opened = {name for name, box in self.box.items() if box.is_open} - was_open
        assert opened <= (self._partners(node) if fired else set())

    @rule()
    def restart(self):
        self.rig.kill()
        self.rig.start()

    # The world

    @rule(node=boxes, fault=st.sampled_from(["jam", "bounce", "sensor_stuck", "no_reply", "garble", "brownout"]))
    def break_a_door(self, node, fault):
        self.rig.boards.fault(node, fault)

    @rule(node=boxes, other=boxes)
    def two_locks_on_one_channel(self, node, other):
        if node != other:
            self.rig.boards.fault(node, "double", other)

    @rule(node=boxes)
    def mend_a_door(self, node):
        self.rig.boards.repair(node)

    @rule(board=boards, dead=st.booleans())
    def pull_or_plug_a_board(self, board, dead):
        self.rig.boards.board(board, dead=dead)
        self.rig.turn(4)

    @rule(board=boards)
    def make_a_board_stammer(self, board):
        self.rig.boards.board_fault(board, "garbage")

    @rule()
    def give_both_boards_one_address(self):
        self.rig.boards.board_fault("board-2", "twin", "board-1")
        self.had_twins = True

    @rule(board=boards)
    def mend_a_board(self, board):
        self.rig.boards.repair_board(board)
        self.rig.turn(11)

    @rule(node=boxes)
    def force_a_door(self, node):
        self.rig.settle()
        self.rig.boards.open_door(node)
        self.rig.settle()

    @rule(node=boxes, full=st.booleans())
    def use_and_shut_a_door(self, node, full):
        with contextlib.suppress(ControlError):
            self.rig.boards.set_presence(node, present=full)
        self.rig.boards.close_door(node)
        self.rig.settle()

    @precondition(lambda self: self.must_be_stopped)
    @rule()
    def a_person_looks_and_allows_it_again(self):
        self.rig.device.allow_again()
        self.must_be_stopped = False

    @invariant()
    def nothing_moves_by_itself(self):
        self.rig.turn()
        assert len(self.rig.boards.pulses) == self.pulses

    @invariant()
    def never_two_locks_at_once(self):
        assert self.rig.boards.overlaps == 0 or self.had_twins

    @invariant()
    def the_journal_knows_first(self):
        assert self.rig.unjournaled == 0

    @invariant()
    def two_doors_stop_the_station(self):
        assert self.rig.device._stopped or not self.must_be_stopped


StationMachine.TestCase.settings = settings(
    max_examples=int(os.environ.get("STATION_EXAMPLES", "20")),
    stateful_step_count=18,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)


class TestStation(StationMachine.TestCase):
    pass
