"""Faults on demand: every one of every machine breaks something and is mended again."""

import json
import subprocess
import sys

import pytest

from devices.protocol.messages import ResultState
from devices.simulators.config import SimulatorConfig
from devices.simulators.control import ControlClient, ControlPort
from devices.simulators.faults import faults_of
from devices.simulators.village import Village
from devices.simulators.world import ControlError
from tests.devices.kit import KINDS, config, eventually


@pytest.fixture
def lonely(tmp_path):
    """All machines, without any broker."""

    class Nowhere:
        port = 1

    made: SimulatorConfig = config(Nowhere(), tmp_path, tuple(KINDS))
    village = Village(made)
    village.start()
    control = ControlPort(village)
    yield village, control
    control.close()
    village.stop()


def places_of(village, device, fault):
    return village.faults()[device]["faults"][fault]["places"][:1] or [""]


def test_every_fault_of_every_machine_breaks_and_mends(lonely):
    village, _control = lonely
    for device, kind in KINDS.items():
        for fault in faults_of(kind):
            where = {"fault": fault, "place": places_of(village, device, fault)[0]}
            village.control(device, "break", where)
            assert village.faults()[device]["faults"][fault]["broken"] == [where["place"]]
            village.control(device, "mend", where)
            assert village.faults()[device]["faults"][fault]["broken"] == []


def test_a_fault_must_be_known_and_say_where(lonely):
    village, _control = lonely
    for wrong in ({"fault": "rust"}, {"fault": "jam"}, {"fault": "link", "place": "box-03"}):
        with pytest.raises(ControlError):
            village.control("station", "break", wrong)
    with pytest.raises(ControlError):
        village.control("station", "break", {"fault": "jam", "place": "box-99"})
    assert village.faults()["station"]["faults"]["jam"]["broken"] == []


def test_the_command_line_breaks_and_tells(lonely):
    _village, control = lonely

    def tell(*words):
        command = [sys.executable, "-m", "devices.simulators.tell", str(control.port), *words]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)

    assert tell("printer", "break", "fault=paper-out").returncode == 0
    printer = json.loads(tell("printer", "faults").stdout)
    assert printer["faults"]["paper-out"]["broken"] == [""]
    assert set(json.loads(tell().stdout)) == set(KINDS)
    refused = tell("printer", "break", "fault=rust")
    assert (refused.returncode, "paper-out" in refused.stderr) == (1, True)


def test_the_control_port_lists_what_can_break(lonely):
    _village, control = lonely
    client = ControlClient(control.port)
    assert set(client.do("", "faults")) == set(KINDS)
    with pytest.raises(ControlError, match="give"):
        client.do("", "break", fault="jam")
    client.close()


def test_a_cut_link_stays_cut_until_it_is_mended(hub, villages):
    village = villages.start("station")
    eventually(lambda: hub.state("station") == "ready")
    village.control("station", "break", {"fault": "link"})
    eventually(lambda: hub.state("station") == "lost")
    hub.seen.clear()
    village.control("station", "close_door", {"node": "box-03"})
    eventually(lambda: not village.agent("station").connected)
    assert not village.agent("station")._bus.wait_connected(1.0)
    assert hub.state("station") == ""
    village.control("station", "mend", {"fault": "link"})
    eventually(lambda: hub.state("station") == "ready")
    assert hub.result(hub.order("station", "box-03", "open").id).state is ResultState.DONE


def test_a_dead_terminal_is_offline_and_charges_nothing(hub, villages):
    village = villages.start("terminal")
    eventually(lambda: hub.value("terminal", "terminal", "state") == "ready")
    village.control("terminal", "break", {"fault": "dead"})
    order = hub.order("terminal", "terminal", "charge", cents=250, reference="sale-1")
    assert (hub.result(order.id).state, hub.result(order.id).code) == (ResultState.FAILED, "offline")
    eventually(lambda: hub.value("terminal", "terminal", "state") == "offline")
    village.control("terminal", "mend", {"fault": "dead"})
    again = hub.order("terminal", "terminal", "charge", cents=250, reference="sale-1")
    assert hub.result(again.id).state is ResultState.DONE
    assert village.twin("terminal").charged_cents == 250
