"""The commands of real devices: a process of its own, with the keys of its pairing, until it is told to end."""

import json
import signal
import subprocess
import sys

import pytest

from devices.agent.pairing import KEYS_FILE
from devices.simulators.atm import SimulatedAtm
from devices.simulators.xfs4iot import Xfs4IotService
from tests.devices.kit import KEY, SITE, accounts, eventually

pytestmark = pytest.mark.parametrize("broker", ["nats"], indirect=True)
ONEWIRE = "72 01 4b 46 7f ff 0e 10 57 : crc=57 YES\n72 01 4b 46 7f ff 0e 10 57 t=4625\n"


@pytest.fixture
def start(broker, tmp_path):
    """Pair a device by hand and start its command."""
    running = []

    def begin(kind, device, *options):
        account = next(found for found in accounts() if found.user == f"{SITE}_{device}")
        keys = {"site": SITE, "device": device, "kind": kind, "name": device, "user": account.user}
        place = {"host": "127.0.0.1", "port": broker.port, "tls": False}
        paired = keys | {"password": account.password, "key": KEY, "broker": place}
        (tmp_path / KEYS_FILE).write_text(json.dumps(paired))
        command = [sys.executable, "-m", f"devices.{kind}", "--folder", str(tmp_path), *options]
        running.append(subprocess.Popen(command, stderr=subprocess.PIPE, text=True))
        return running[-1]

    yield begin
    for process in running:
        process.kill()
        process.wait(10)
        process.stderr.close()


def test_a_cash_machine_is_told_by_its_own_process(hub, start):
    service = Xfs4IotService(SimulatedAtm())
    process = start("atm", "atm", "--xfs4iot", service.url, "--poll-s", "0.1")
    eventually(lambda: (hub.value("atm", "atm", "status") or {}).get("service") == "inService", 30)
    assert hub.value("atm", "atm", "status")["source"] == "xfs4iot"
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0
    service.close()


def test_a_fridge_is_told_by_its_own_process(hub, start, tmp_path):
    probe = tmp_path / "w1_slave"
    probe.write_text(ONEWIRE)
    process = start("thermometer", "fridge-1", "--probe", str(probe), "--low", "1", "--high", "7", "--interval-s", "1")
    eventually(lambda: hub.value("fridge-1", "probe", "temperature") == 4625, 30)
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == 0


def test_without_keys_or_with_a_bad_address_it_says_so(start, tmp_path):
    process = start("atm", "atm", "--http", "http://operator.example/")
    assert process.wait(20) == 1
    assert "https://" in process.stderr.read()
    (tmp_path / KEYS_FILE).unlink()
    gone = [sys.executable, "-m", "devices.atm", "--folder", str(tmp_path), "--xfs4iot", "ws://127.0.0.1:1/x"]
    done = subprocess.run(gone, capture_output=True, text=True, timeout=30)
    assert (done.returncode, "Pair the device first" in done.stderr) == (1, True)
