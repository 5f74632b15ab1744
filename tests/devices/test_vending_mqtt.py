"""A machine whose controller speaks JSON over MQTT: once per name, never late, its drop sensor remembers."""

import json
import shutil
import subprocess
import threading

import pytest

from devices.agent.device import NoAnswerError
from devices.protocol.bus import Bus, BusConfig
from devices.simulators.vending import SimulatedMachine
from devices.simulators.vmc import SimulatedController
from devices.simulators.world import StateFile
from devices.vending.driver import Drop, NotTurnedError, Slot
from devices.vending.driver_mqtt import MqttMachine, MqttMachineConfig
from tests.devices.kit import eventually
from tests.servers import MUST_NOT_SKIP, free_port

PREFIX = "machine/automat"


@pytest.fixture(scope="module")
def port(tmp_path_factory):
    """A broker of the agent's own computer: loopback, nobody else."""
    command = shutil.which("mosquitto", path="/usr/sbin:/usr/bin")
    if command is None and not MUST_NOT_SKIP:
        pytest.skip("mosquitto is not installed: apt-get install mosquitto")
    folder, number = tmp_path_factory.mktemp("private"), free_port()
    file = folder / "mosquitto.conf"
    file.write_text(f"listener {number} 127.0.0.1\nallow_anonymous true\npersistence false\nset_tcp_nodelay true\n")
    broker = subprocess.Popen([command, "-c", str(file)], stderr=subprocess.DEVNULL)
    yield number
    broker.terminate()
    broker.wait(10)


class Listener:
    def __init__(self):
        self.told = []

    def __getattr__(self, name):
        return lambda *values, **named: self.told.append((name, *values, *named.values()))


class Bench:
    def __init__(self, port, folder, **timing):
        self.file = StateFile(folder / "world.json")
        self.port = port
        self.plug_in()
        slots = {number: Slot(f"slot-{number:02d}", 8, 6) for number in (1, 2)}
        times = {"stale_s": 1.0, "turn_s": 0.4, "ask_s": 0.4} | timing
        config = BusConfig("127.0.0.1", port, "agent")
        self.driver = MqttMachine(MqttMachineConfig(config, PREFIX, slots, **times))
        self.listener = Listener()
        self.driver.watch(self.listener)
        self.other = Bus(BusConfig("127.0.0.1", port, "other"))
        self.other.start()
        assert self.other.wait_connected(5)
        self.wait_heard()

    def plug_in(self):
        self.machine = SimulatedMachine(file=self.file, slots=2, motor_s=0.01)
        self.controller = SimulatedController(
            self.machine, BusConfig("127.0.0.1", self.port, "vmc"), PREFIX, status_s=0.1
        )
        self.controller.start()

    def wait_heard(self):
        before = self.driver._heard_ms
        eventually(lambda: self.driver._heard_ms > before)

    def say(self, name, payload, *, retain=False):
        self.other.publish(f"{PREFIX}/{name}", payload, qos=1, retain=retain)

    def close(self):
        self.say("status", b"", retain=True)
        for part in (self.driver, self.controller):
            part.close()
        self.other.stop()


@pytest.fixture
def bench(port, tmp_path):
    made = Bench(port, tmp_path)
    yield made
    made.close()


def test_a_turn_is_asked_for_as_the_design_says_and_drops(bench):
    assert bench.driver.vend("slot-02", "turn-1") is Drop.VENDED
    order = json.loads(bench.controller.heard[0])
    assert (order["turn"], order["motor"], sorted(order)) == ("turn-1", 2, ["motor", "nonce", "turn"])
    assert bench.machine.dropped == ["turn-1"]
    eventually(lambda: ("temperature", 5200) in bench.listener.told and ("door", False) in bench.listener.told)


@pytest.mark.parametrize(("fault", "drop"), [("jam", Drop.JAM), ("stuck", Drop.JAM), ("cancelled", Drop.NOT_TURNED)])
def test_what_the_sensor_saw_is_certain(bench, fault, drop):
    bench.machine.fault(fault)
    assert bench.driver.vend("slot-01", "turn-1") is drop
    assert bench.machine.dropped == []


def test_an_answer_that_never_came_is_asked_for_and_nothing_turns_again(bench):
    bench.machine.fault("reboot")
    with pytest.raises(NoAnswerError):
        bench.driver.vend("slot-01", "turn-1")
    assert bench.driver.drop_of("turn-1") is Drop.VENDED
    assert bench.machine.turns == ["slot-01"]


def test_a_controller_whose_sensor_is_silent_leaves_it_unknown(bench):
    bench.machine.fault("sensor-silent")
    with pytest.raises(NoAnswerError):
        bench.driver.vend("slot-01", "turn-1")
    assert bench.driver.drop_of("turn-1") is None


def test_the_memory_of_the_sensor_outlives_a_power_cut(bench):
    bench.driver.vend("slot-01", "turn-1")
    bench.controller.close()
    bench.plug_in()
    bench.wait_heard()
    assert bench.driver.drop_of("turn-1") is Drop.VENDED


def test_a_name_that_was_asked_for_is_never_turned_for(bench):
    assert bench.driver.drop_of("turn-1") is Drop.NOT_TURNED
    assert bench.driver.vend("slot-01", "turn-1") is Drop.NOT_TURNED
    assert bench.machine.turns == []


def test_an_order_that_was_under_way_for_long_moves_nothing(bench):
    old = bench.driver._nonce
    bench.controller.renew()
    bench.controller.renew()
    bench.say("turn", json.dumps({"turn": "turn-1", "motor": 1, "nonce": old}))
    eventually(lambda: ("settled", "turn-1", Drop.NOT_TURNED) in bench.listener.told)
    assert bench.machine.turns == []


def test_a_retained_order_moves_nothing(bench):
    bench.controller.close()
    bench.say("turn", json.dumps({"turn": "turn-1", "motor": 1, "nonce": ""}), retain=True)
    bench.plug_in()
    bench.wait_heard()
    assert bench.machine.turns == []
    bench.say("turn", b"", retain=True)


def test_a_controller_that_is_silent_is_not_asked(bench):
    bench.controller.close()
    eventually(lambda: vend_refused(bench) == "offline")
    assert bench.machine.turns == []


def vend_refused(bench):
    try:
        bench.driver.vend("slot-01", "turn-9")
    except NotTurnedError as error:
        return error.code
    except NoAnswerError:
        return "no answer"


def test_a_late_word_goes_to_the_listener(bench):
    bench.say("turned", '{"turn": "turn-old", "drop": "jam"}')
    eventually(lambda: ("settled", "turn-old", Drop.JAM) in bench.listener.told)


def test_fillings_and_audit_files_are_passed_on(bench):
    bench.machine.refill("slot-02", 7)
    bench.controller.verbs()["audit"]()
    eventually(lambda: ("refilled", "slot-02", 7) in bench.listener.told)
    eventually(lambda: any(told[0] == "audited" and told[1].startswith(b"DXS*") for told in bench.listener.told))


@pytest.mark.parametrize(
    ("name", "payload"),
    [
        ("turned", b"no json"),
        ("turned", b"[]"),
        ("turned", b'{"turn": 3, "drop": "vended"}'),
        ("turned", b'{"turn": "turn-1", "drop": "perhaps"}'),
        ("turned", b'{"turn": "turn-1", "drop": ["vended"]}'),
        ("turned", b"[" * 900),
        ("turned", b'{"turn": "turn-1", "drop": "vended", "more": "' + b"x" * 2000 + b'"}'),
        ("refilled", b'{"motor": 99, "stock": 1}'),
        ("refilled", b'{"motor": "1", "stock": true}'),
        ("status", b'{"nonce": 5}'),
        ("status", b'{"nonce": "", "door": 3, "milli": 1e99}'),
    ],
)
def test_strange_messages_do_nothing(bench, name, payload):
    bench.say(name, payload)
    bench.say("turned", '{"turn": "end", "drop": "empty"}')
    eventually(lambda: ("settled", "end", Drop.EMPTY) in bench.listener.told)
    assert [told for told in bench.listener.told if told[0] in ("settled", "refilled")] == [
        ("settled", "end", Drop.EMPTY)
    ]
    assert bench.driver.vend("slot-01", "turn-1") is Drop.VENDED


def test_many_names_at_once_are_kept_apart(bench):
    found = {}
    asking = [
        threading.Thread(target=lambda name=f"turn-{n}": found.update({name: bench.driver.drop_of(name)}))
        for n in range(8)
    ]
    for thread in asking:
        thread.start()
    for thread in asking:
        thread.join()
    assert found == {f"turn-{n}": Drop.NOT_TURNED for n in range(8)}
