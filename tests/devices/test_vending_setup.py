"""A real machine's own process: described by a file, killed in the middle, and what a reader leaves in a folder."""

import json
import signal
import subprocess
import sys
import time

import pytest

from devices.agent.pairing import KEYS_FILE
from devices.protocol.messages import ResultState
from devices.simulators.mdb_box import SimulatedMdbBox
from devices.simulators.vending import SimulatedMachine
from devices.simulators.world import StateFile
from devices.vending import setup
from devices.vending.auditfolder import AuditFolder
from devices.vending.driver import Slot
from devices.vending.driver_mdb import MdbMachine
from devices.vending.driver_mqtt import MqttMachine
from tests.devices.kit import KEY, SITE, accounts, eventually

MDB = 'driver = "mdb"\nurl = "{path}"\n[[slots]]\nnumber = 1\ncapacity = 8\nitem = 5\nstock = 6\n'


@pytest.fixture
def start(broker, tmp_path):
    """Start the command of a machine that is paired by hand; a second call is a restart with the same memory."""
    running = []

    def begin(path):
        account = next(found for found in accounts() if found.user == f"{SITE}_vending")
        keys = {"site": SITE, "device": "vending", "kind": "vending", "name": "Automat", "user": account.user}
        place = {"host": "127.0.0.1", "port": broker.port, "tls": False}
        (tmp_path / KEYS_FILE).write_text(
            json.dumps(keys | {"password": account.password, "key": KEY, "broker": place})
        )
        (tmp_path / "machine.toml").write_text(MDB.format(path=path))
        command = [sys.executable, "-m", "devices.vending", "--folder", str(tmp_path)]
        process = subprocess.Popen([*command, "--machine", str(tmp_path / "machine.toml")], stderr=subprocess.PIPE)
        running.append(process)
        return process

    yield begin
    for process in running:
        process.kill()
        process.wait(10)
        process.stderr.close()


@pytest.mark.parametrize("broker", ["nats"], indirect=True)
def test_killed_in_the_middle_of_a_vend_it_is_settled_by_the_machine_s_word_and_never_turns_again(hub, start):
    box = SimulatedMdbBox({5: "1.50"}, file=StateFile(None), motor_s=0.05)
    process = start(box.path)
    hub.wait_lease("vending")
    eventually(lambda: hub.value("vending", "unit", "choice") == "machine")
    box.fault("sensor-silent")
    eventually(lambda: box.look()["state"] == "ENABLED", 20)
    command = hub.order("vending", "unit", "vend", slot="slot-01", order="order-1")
    eventually(lambda: "C,START,100" in box.heard)
    box.press(5)
    eventually(lambda: box.dropped == [5])
    process.kill()
    process.wait(10)
    start(box.path)
    assert (hub.result(command.id, 20).state, hub.result(command.id).code) == (ResultState.UNKNOWN, "interrupted")
    eventually(lambda: box.heard.count("C,1") >= 2, 20)
    box.say("c,VEND,SUCCESS")
    eventually(lambda: hub.types("vending") == ["vended"])
    assert (hub.events("vending")[0].cause, box.turns) == (command.id, [5])
    box.close()


@pytest.mark.parametrize("broker", ["nats"], indirect=True)
def test_told_to_end_it_ends(hub, start):
    box = SimulatedMdbBox({5: "1.50"}, file=StateFile(None))
    process = start(box.path)
    hub.wait_lease("vending")
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0
    box.close()


def described(tmp_path, text):
    path = tmp_path / "machine.toml"
    path.write_text(text)
    return setup.load(path)


def test_a_machine_is_built_as_its_file_describes_it(tmp_path):
    made = setup.device(described(tmp_path, MDB.format(path="/dev/ttyACM0")))
    assert isinstance(made._machine, MdbMachine)
    assert list(made._machine.slots()) == [Slot("slot-01", 8, 6)]
    text = f'driver = "mqtt"\nprefix = "m/1"\naudit_folder = "{tmp_path}"\n'
    made = setup.device(described(tmp_path, text + "[[slots]]\nnumber = 7\ncapacity = 5\nchilled = true\n"))
    assert isinstance(made._machine, AuditFolder)
    assert isinstance(made._machine._machine, MqttMachine)
    assert list(made._machine.slots()) == [Slot("slot-07", 5, 0, is_chilled=True)]
    made.stop()


@pytest.mark.parametrize(
    "text",
    [
        'driver = "mdb"',
        'driver = "steam"\n[[slots]]\nnumber = 1\ncapacity = 8',
        'driver = "mdb"\nslots = []',
        'driver = "mdb"\n[[slots]]\nnumber = 0\ncapacity = 8',
        'driver = "mdb"\nsped = 3\n[[slots]]\nnumber = 1\ncapacity = 8',
        'driver = "mdb"\n[[slots]]\nnumber = 1\ncapacity = 8\nchilled = true',
        "driver =",
    ],
)
def test_a_description_that_does_not_fit_is_refused(tmp_path, text):
    with pytest.raises(ValueError, match=r"\w"):
        described(tmp_path, text)


def test_a_description_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"none\.toml: No such file"):
        setup.load(tmp_path / "none.toml")


class Reader:
    def __init__(self):
        self.files = []

    def audited(self, content):
        self.files.append(content)

    def door(self, **_state):
        pass

    def temperature(self, _milli):
        pass


def test_files_of_a_reader_are_handed_over_once_and_whole(tmp_path):
    folder = tmp_path / "audits"
    machine = AuditFolder(SimulatedMachine(file=StateFile(None), slots=1), folder, look_s=0.1)
    reader = Reader()
    machine.watch(reader)
    folder.mkdir()
    with (folder / "one.eva_dts").open("wb", buffering=0) as file:
        for piece in (b"DXS*", b"A", b"B", b"C"):
            file.write(piece)
            time.sleep(0.06)
    (folder / ".hidden").write_bytes(b"no")
    eventually(lambda: reader.files == [b"DXS*ABC"])
    eventually((folder / "one.eva_dts.sent").exists)
    (folder / "two.eva_dts").write_bytes(b"DXS*2")
    eventually(lambda: reader.files == [b"DXS*ABC", b"DXS*2"])
    machine.close()
