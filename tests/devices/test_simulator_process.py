"""The simulators as a process: controlled from outside, killed, started again, robbed of their broker."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys

import pytest

from devices.broker.nats import NatsBroker
from devices.protocol.messages import ResultState
from devices.simulators.config import SimulatorConfig, load
from devices.simulators.control import ControlClient
from devices.simulators.locker import STATION
from devices.simulators.world import ControlError, StateFile
from tests.devices.kit import KEY, KINDS, config, eventually

pytestmark = pytest.mark.parametrize("broker", ["nats"], indirect=True)
BOX = "box-03"


class Simulators:
    """One process of simulators."""

    def __init__(self, broker, folder, names=tuple(KINDS), **options):
        self.ready = folder / "ready.json"
        self.path = folder / "config.json"
        made = config(broker, folder, names, options=options).model_copy(update={"ready_file": self.ready})
        self.path.write_text(made.model_dump_json())

    def __enter__(self):
        self.ready.unlink(missing_ok=True)
        self.process = subprocess.Popen([sys.executable, "-m", "devices.simulators", "--config", self.path])
        eventually(self.ready.exists, 20)
        self.control = ControlClient(json.loads(self.ready.read_text())["control_port"])
        return self

    def __exit__(self, *_):
        self.control.close()
        if self.process.poll() is None:
            self.end(signal.SIGTERM)

    def end(self, number):
        os.kill(self.process.pid, number)
        return self.process.wait(20)


def test_a_whole_village_runs_in_one_process_and_ends_in_good_order(hub, broker, tmp_path):
    with Simulators(broker, tmp_path) as simulators:
        eventually(lambda: {hub.state(device) for device in KINDS} == {"ready"})
        command = hub.order("station", BOX, "open")
        assert hub.result(command.id).state is ResultState.DONE
        simulators.control.do("station", "put_parcel", node=BOX)
        simulators.control.do("station", "close_door", node=BOX)
        eventually(lambda: hub.types("station") == ["opened", "closed"])
        assert simulators.end(signal.SIGTERM) == 0
        eventually(lambda: {hub.state(device) for device in KINDS} == {"disconnected"})


def test_killed_it_comes_back_with_its_parcels_and_its_memory(hub, broker, tmp_path):
    simulators = Simulators(broker, tmp_path)
    with simulators:
        command = hub.order("station", BOX, "open")
        first = hub.result(command.id)
        simulators.control.do("station", "put_parcel", node=BOX)
        hub.result(hub.order("vending", "unit", "vend", slot="slot-01", order="o").id)
        simulators.end(signal.SIGKILL)
    eventually(lambda: hub.state("station") == "lost", 20)
    hub.seen.clear()
    hub.leases.clear()
    with simulators:
        eventually(lambda: hub.value("station", BOX, "door") == "open")
        assert hub.value("station", BOX, "occupied") is True
        eventually(lambda: hub.value("vending", "slot-01", "stock") == 5)
        eventually(lambda: first in hub.results(command.id))


def test_it_survives_a_killed_broker(tmp_path, broker):
    assert broker is not None
    own = NatsBroker(tmp_path / "broker", broker._accounts)
    own.start()
    with Simulators(own, tmp_path, ("station",)) as simulators:
        eventually(lambda: simulators.control.do("station", "look"))
        own.kill()
        simulators.control.do("station", "open_door", node=BOX)
        own.start()
        from tests.devices.kit import SITE, HandHub, connect

        hub = HandHub(connect(own, "hub", "hub-secret"))
        hub.bus.subscribe(f"{SITE}/5/#", hub.hear)
        hub.bus.start()
        eventually(lambda: hub.types("station") == ["forced"], 20)
        assert hub.result(hub.order("station", "box-04", "open").id).state is ResultState.DONE
        hub.bus.stop()
    own.stop()


@pytest.mark.parametrize(
    ("line", "error"),
    [
        (b"open", "Expecting value"),
        (b"[]", "one JSON object"),
        (b"{}", 'give "device" and "do"'),
        (b'{"device":"x","do":"look"}', "no device 'x'"),
        (b'{"device":"station","do":"explode"}', "station cannot 'explode'"),
        (b'{"device":"station","do":"close_door"}', "missing 1 required"),
        (b'{"device":"station","do":"close_door","node":"box-99"}', "no compartment box-99"),
        (b'{"device":"station","do":"put_parcel","node":"box-01"}', "box-01 is closed"),
        (b'{"device":"station","do":"fault","node":"box-01","name":"ghost"}', "no such fault"),
        (b"\xff\xfe", "decode"),
    ],
)
def test_the_control_port_refuses_with_a_sentence(control, line, error):
    control._sock.sendall(line + b"\n")
    answer = json.loads(control._file.readline())
    assert answer["ok"] is False
    assert error in answer["error"]


@pytest.fixture(scope="module")
def control(broker, tmp_path_factory):
    with Simulators(broker, tmp_path_factory.mktemp("control"), ("station", "terminal")) as simulators:
        yield simulators.control


def test_the_control_port_lists_what_can_be_done(control, broker):
    assert broker is not None
    control._sock.sendall(b'{"do":"verbs"}\n')
    verbs = json.loads(control._file.readline())["value"]
    assert set(verbs) == {"station", "terminal"}
    assert {"close_door", "put_parcel", "fault", "silence", "switch_off", "look"} <= set(verbs["station"])
    assert {"next", "present_card"} <= set(verbs["terminal"])
    with pytest.raises(ControlError, match="no such outcome"):
        control.do("terminal", "next", outcome="x")


def test_a_configuration_may_be_toml_and_names_its_mistakes(broker, tmp_path):
    assert broker is not None
    path = tmp_path / "simulators.toml"
    path.write_text(
        'site = "dorf"\nfolder = "x"\n[broker]\nport = 1\n'
        f'[[devices]]\nid = "station"\nkind = "locker"\npassword = "p"\nkey = "{KEY}"\n'
    )
    assert load(path).devices[0].id == "station"
    with pytest.raises(ValueError, match="colour"):
        SimulatorConfig.model_validate(load(path).model_dump(mode="json") | {"colour": "red"})


def test_the_demo_station_has_the_promised_compartments(broker):
    assert broker is not None
    assert len(STATION) == 24
    assert len({place.board for place in STATION}) == 3
    assert {place.size for place in STATION} == {"S", "M", "L", "XL"}
    assert [place.node for place in STATION if place.accessible] == ["box-05"]
    assert [place.node for place in STATION if place.cooled] == ["box-17"]


def test_a_broken_state_file_is_an_empty_one(broker, tmp_path):
    assert broker is not None
    path = tmp_path / "world.json"
    path.write_text("{")
    assert StateFile(path).load() == {}
    path.write_text("[]")
    assert StateFile(path).load() == {}


def test_the_control_port_listens_on_loopback_only(control, broker):
    assert broker is not None
    assert control._sock.getpeername()[0] == "127.0.0.1"
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.2", control._sock.getpeername()[1]), 1):
        pytest.fail("it answers on another address")
