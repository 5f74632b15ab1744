"""The MDB text protocol byte for byte, against a machine on a pty that shares no code with the driver."""

import contextlib
import socket
import threading
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devices.agent.device import NoAnswerError
from devices.protocol.messages import ResultState
from devices.simulators.mdb_box import SimulatedMdbBox
from devices.simulators.world import StateFile
from devices.vending import mdb
from devices.vending.driver import Drop, NotTurnedError, Slot
from devices.vending.driver_mdb import MdbConfig, MdbMachine, Spiral
from tests.devices.kit import eventually

PRICES = {5: "1.00", 10: "1.20"}


class Listener:
    def __init__(self):
        self.told = []

    def settled(self, turn, drop):
        self.told.append((turn, drop))


class Bench:
    """A machine with items 5 (1.00) and 10 (1.20), the driver on its pty, and a customer who presses numbers."""

    def __init__(self, **options):
        timing = {"ready_s": 0.3, "choose_s": 0.6, "motor_s": 0.6, "retry_s": 0.05} | options.pop("timing", {})
        prices = options.pop("ours", {5: 100, 10: 120})
        doubts = options.pop("doubts", ())
        self.box = SimulatedMdbBox(PRICES, file=StateFile(None), motor_s=0.01, **options)
        spirals = [Spiral(Slot(f"slot-{item:02d}", 8, 6), item, prices[item]) for item in PRICES]
        self.machine = MdbMachine(MdbConfig(self.box.path, spirals, **timing))
        self.listener = Listener()
        self.machine.watch(self.listener, doubts)
        eventually(lambda: self.machine._mode is mdb.Mode.ENABLED)

    def vend(self, slot="slot-05", *, press=(5,), turn="turn-1"):
        """Vend while someone presses these numbers, each as soon as credit stands there."""
        customer = threading.Thread(target=self._press, args=(press, len(self.box.heard)))
        customer.start()
        try:
            return self.machine.vend(slot, turn)
        finally:
            customer.join()

    def _press(self, items, before):
        for starts, item in enumerate(items, start=1):
            deadline = time.monotonic() + 1
            while sum(line.startswith("C,START") for line in self.box.heard[before:]) < starts:
                if time.monotonic() > deadline:
                    return
                time.sleep(0.002)
            time.sleep(0.01)
            self.box.press(item)

    def close(self):
        self.machine.close()
        self.box.close()


@pytest.fixture
def bench():
    made = []

    def make(**options):
        made.append(Bench(**options))
        return made[-1]

    yield make
    for one in made:
        one.close()


# The lines of the design, literally


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"c,STATUS,VEND,1.00,5", mdb.Request(100, 5)),
        (b"c,VEND,SUCCESS", mdb.Result(is_success=True)),
        (b"c,VEND,FAILURE", mdb.Result(is_success=False)),
        (b"c,ERR,VEND 3", mdb.Result(is_success=False)),
        (b"c,STATUS,ENABLED", mdb.Status(mdb.Mode.ENABLED)),
        (b"c,STATUS,IDLE,1.2", mdb.Status(mdb.Mode.IDLE, 120)),
        (b'c,ERR,"cashless is off"', mdb.Refusal('"cashless is off"')),
        (b"c,STATUS,VEND,99999.99,65535", mdb.Request(9_999_999, 65535)),
    ],
)
def test_lines_of_the_interface_are_understood(line, said):
    assert mdb.parse(line) == said


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"r,ACK",
        b"c,1",
        b"c,VEND,SUCCESS ",
        b" c,VEND,SUCCESS",
        b"c,VEND,SUCCESSc,STATUS,IDLE",
        b"c,VEND,SUC",
        b"C,VEND,SUCCESS",
        b"c,STATUS,VEND,1.00",
        b"c,STATUS,VEND,1.00,5,6",
        b"c,STATUS,VEND,-1.00,5",
        b"c,STATUS,VEND,1.005,5",
        b"c,STATUS,VEND,1,00,5",
        b"c,STATUS,VEND,1e2,5",
        b"c,STATUS,VEND,\xd9\xa1,5",
        b"c,STATUS,SLEEPING",
    ],
)
def test_half_and_foreign_lines_mean_nothing(line):
    assert mdb.parse(line) is None


def test_orders_are_those_of_the_design():
    assert (mdb.ENABLE, mdb.approve(100), mdb.DENY) == (b"C,1\r\n", b"C,VEND,1\r\n", b"C,VEND,-1\r\n")
    assert (mdb.start(120), mdb.approve(5), mdb.STOP) == (b"C,START,1.20\r\n", b"C,VEND,0.05\r\n", b"C,STOP\r\n")


@given(st.lists(st.binary(max_size=300), max_size=20))
@settings(max_examples=200, deadline=None)
def test_any_bytes_give_whole_short_lines_and_no_error(chunks):
    lines = mdb.Lines()
    found = [line for chunk in chunks for line in lines.feed(chunk)]
    assert all(len(line) <= mdb.LONGEST_LINE and b"\n" not in line for line in found)
    for line in found:
        mdb.parse(line)
    assert set(found) <= {line.removesuffix(b"\r") for line in b"".join(chunks).split(b"\n")}


def test_a_line_cut_anywhere_is_the_same_line():
    raw = b"c,STATUS,IDLE\r\nc,VEND,SUCCESS\r\n"
    for cut in range(len(raw)):
        lines = mdb.Lines()
        assert lines.feed(raw[:cut]) + lines.feed(raw[cut:]) == [b"c,STATUS,IDLE", b"c,VEND,SUCCESS"]


# The whole conversation


def test_a_command_from_the_hub_ends_in_a_drop_behind_the_bus(hub, villages):
    village = villages.start("vending", vending={"driver": "mdb"})
    box = village.twin("vending")
    command = hub.order("vending", "unit", "vend", slot="slot-02", order="order-1")
    eventually(lambda: any(line.startswith("C,START") for line in box.heard))
    village.control("vending", "press", {"item": 2})
    assert hub.result(command.id).state is ResultState.DONE
    eventually(lambda: hub.types("vending") == ["vended"])
    assert (hub.events("vending")[0].cause, box.dropped) == (command.id, [2])


def test_a_power_cut_of_the_agent_in_the_middle_of_a_vend_is_settled_by_the_machine_s_word(hub, villages):
    village = villages.start("vending", vending={"driver": "mdb"})
    box = village.twin("vending")
    box.fault("sensor-silent")
    command = hub.order("vending", "unit", "vend", slot="slot-02", order="order-1")
    eventually(lambda: any(line.startswith("C,START") for line in box.heard))
    village.control("vending", "press", {"item": 2})
    eventually(lambda: box.dropped == [2])
    village.control("vending", "switch_off", {})
    village.control("vending", "switch_on", {})
    assert hub.result(command.id).state is ResultState.UNKNOWN
    eventually(lambda: hub.value("vending", "slot-02", "state") == "doubt")
    eventually(lambda: box.heard.count("C,1") == 2)
    box.say("c,VEND,SUCCESS")
    eventually(lambda: hub.types("vending") == ["vended"])
    assert (hub.events("vending")[0].cause, box.turns) == (command.id, [2])


def test_a_paid_number_is_approved_once_and_drops(bench):
    one = bench()
    assert one.vend() is Drop.VENDED
    assert (one.box.turns, one.box.dropped) == ([5], [5])
    assert one.box.heard == ["C,1", "C,START,1", "C,VEND,1"]
    assert one.vend("slot-10", press=[10], turn="turn-2") is Drop.VENDED
    assert one.box.heard[3:] == ["C,START,1.20", "C,VEND,1.20"]


@pytest.mark.parametrize("fault", ["jam", "stuck"])
def test_what_the_drop_sensor_did_not_see_is_a_jam(bench, fault):
    one = bench()
    one.box.fault(fault)
    assert one.vend() is Drop.JAM
    assert one.box.dropped == []
    assert one.vend(turn="turn-2") is Drop.VENDED


@pytest.mark.parametrize("fault", ["sensor-silent", "reboot", "garble", "hang-up"])
def test_without_the_machine_s_word_it_is_unknown_and_nothing_turns_again(bench, fault):
    one = bench()
    one.box.fault(fault)
    with pytest.raises(NoAnswerError):
        one.vend()
    assert (one.box.turns, one.box.dropped) == ([5], [5])
    assert [line for line in one.box.heard if line.startswith("C,VEND")] == ["C,VEND,1"]


def test_a_late_word_settles_the_turn_that_was_given_up(bench):
    one = bench()
    one.box.fault("sensor-silent")
    with pytest.raises(NoAnswerError):
        one.vend(turn="turn-7")
    one.box.say("c,VEND,SUCCESS")
    eventually(lambda: one.listener.told == [("turn-7", Drop.VENDED)])
    one.box.say("c,VEND,SUCCESS")
    time.sleep(0.05)
    assert len(one.listener.told) == 1


def test_after_a_restart_the_machine_s_word_belongs_to_the_turn_that_was_open(bench):
    one = bench(doubts=["turn-1", "turn-2"])
    assert one.machine.drop_of("turn-2") is None
    one.box.say("c,VEND,FAILURE")
    eventually(lambda: one.listener.told == [("turn-2", Drop.JAM)])


def test_a_machine_that_tells_at_once_after_a_restart_is_understood(monkeypatch):
    """It used to be asked to speak before the agent had said of which turn."""
    hear = SimulatedMdbBox._obey

    def obey(self, line):
        hear(self, line)
        if line == b"C,1":
            self.say("c,VEND,SUCCESS")

    monkeypatch.setattr(SimulatedMdbBox, "_obey", obey)
    one = Bench(doubts=["turn-1"])
    eventually(lambda: one.listener.told == [("turn-1", Drop.VENDED)])
    one.close()


def test_nobody_presses_a_number(bench):
    one = bench()
    with pytest.raises(NotTurnedError) as refused:
        one.vend(press=[])
    assert (refused.value.code, one.box.turns) == ("cancelled", [])
    eventually(lambda: one.box.heard[-2:] == ["C,STOP", "C,VEND,-1"])
    eventually(lambda: one.box.look()["state"] == "ENABLED")
    one.box.press(5)
    eventually(lambda: one.box.heard.count("C,VEND,-1") == 2)
    assert one.box.turns == []


def test_the_coin_return_ends_the_session(bench):
    one = bench(timing={"choose_s": 3.0})
    threading.Timer(0.1, one.box.cancel).start()
    with pytest.raises(NotTurnedError, match="cancelled"):
        one.vend(press=[])
    assert one.box.turns == []


@pytest.mark.parametrize("deny_ends", [True, False])
def test_a_wrong_number_is_denied_and_may_be_corrected(bench, deny_ends):
    one = bench(deny_ends=deny_ends, timing={"choose_s": 2.0})
    threading.Timer(0.3, one.box.press, [5]).start()
    assert one.vend(press=[10]) is Drop.VENDED
    assert one.box.turns == [5]
    assert one.box.heard.count("C,VEND,-1") == 1


def test_a_number_without_a_sale_is_denied(bench):
    one = bench()
    one.box.press(5)
    eventually(lambda: one.box.heard == ["C,1", "C,VEND,-1"])
    assert one.box.turns == []


def test_another_price_at_the_machine_turns_nothing(bench):
    one = bench(ours={5: 95, 10: 120})
    with pytest.raises(NotTurnedError, match="price_differs"):
        one.vend()
    eventually(lambda: one.box.heard[-1] == "C,VEND,-1")
    assert one.box.turns == []


def test_a_machine_that_is_switched_off_turns_nothing(bench):
    one = bench()
    one.box.close()
    with pytest.raises(NotTurnedError, match=r"not_ready|offline"):
        one.vend(press=[])


def test_a_port_is_not_closed_while_somebody_writes_to_it(bench, monkeypatch):
    one = bench()
    port, seen = one.machine._port, []
    write = port.write

    def slow(order):
        one.box.close()
        write(order)  # wakes the machine, which finds its plug pulled
        time.sleep(0.3)
        seen.append(port.is_open)

    monkeypatch.setattr(port, "write", slow)
    with pytest.raises(NotTurnedError):
        one.vend(press=[])
    assert all(seen)


def test_noise_between_the_lines_changes_nothing(bench):
    one = bench()
    one.box.noise("\xff\x00\x07" * 200 + "\n")
    one.box.noise("c,VEND,SUCCESS,\r\n")
    assert one.vend() is Drop.VENDED


@given(
    plan=st.lists(
        st.tuples(
            st.sampled_from(["none", "none", "jam", "stuck", "sensor-silent", "reboot", "garble"]),
            st.sampled_from([(5,), (10,), (10, 5), ()]),
            st.sampled_from(["", "\xfe\x01", "c,STA", "\n"]),
        ),
        min_size=1,
        max_size=4,
    )
)
@settings(max_examples=12, deadline=None)
def test_at_most_one_turn_for_each_order_and_what_is_said_is_true(plan):
    one = Bench(timing={"ready_s": 0.1, "choose_s": 0.1, "motor_s": 0.1})
    try:
        for number, (fault, press, noise) in enumerate(plan):
            turns, dropped = len(one.box.turns), len(one.box.dropped)
            one.box.fault(fault)
            one.box.noise(noise)
            try:
                said = one.vend(press=press, turn=f"turn-{number}")
            except NoAnswerError:
                said = None
                one.box.reset()
            except NotTurnedError:
                said = Drop.NOT_TURNED
            time.sleep(0.03)
            turned, fell = len(one.box.turns) - turns, len(one.box.dropped) - dropped
            assert turned <= 1
            if said is Drop.VENDED:
                assert fell == 1
            elif said is not None:
                assert fell == 0
    finally:
        one.close()


def test_an_approval_that_a_converter_did_not_take_dies_with_the_connection():
    with socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        server.bind(("127.0.0.1", 0))
        server.listen()
        machine = MdbMachine(MdbConfig(f"socket://127.0.0.1:{server.getsockname()[1]}", []))
        machine.watch(Listener())
        converter, _ = server.accept()
        eventually(lambda: machine._port is not None)
        assert machine._write(mdb.approve(100) * 10_000)  # more than the other end takes while it is away
        machine.close()
        received = 0
        with converter, contextlib.suppress(ConnectionResetError):
            while chunk := converter.recv(65_536):
                received += len(chunk)
    assert received < len(mdb.approve(100)) * 10_000
