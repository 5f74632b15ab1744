"""What `shop-hub devices provision` writes is all that a broker needs."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import select

from devices.broker import certificates
from devices.broker.child import ChildBroker, free_port
from devices.broker.mosquitto import find_mosquitto
from devices.broker.mosquitto_config import Layout, service
from devices.broker.nats import find_nats_server
from devices.protocol.bus import Bus, BusConfig
from shop_hub.cli import main
from shop_hub.core.audit import AuditEntry
from shop_hub.core.hashing import SecretHasher
from shop_hub.core.settings import Mqtt, Settings
from shop_hub.fleet import provisioning, signins
from shop_hub.fleet.dispatch import Dispatcher
from shop_hub.fleet.models import DeviceKind
from shop_hub.fleet.worker import Worker
from tests.fleet.kit import TestHub, eventually
from tests.servers import MUST_NOT_SKIP

CONFIG = Path(__file__).parents[2] / "config" / "mosquitto"


class AsWritten(ChildBroker):
    """A broker that runs with the files as they were written."""

    def __init__(self, folder: Path, port: int, argv: list[str]) -> None:
        super().__init__(folder, port=port)
        self._argv = argv

    def argv(self) -> list[str]:
        return self._argv

    @property
    def directory(self):
        raise NotImplementedError

    def _write(self) -> None:
        """Leave everything as it is."""


@pytest.fixture
def database(sqlite_database):
    return sqlite_database


@pytest.fixture
def provision(tmp_path, database, monkeypatch):
    """Run the command; return where it wrote, the ports, and what it said."""

    def run(*more: str) -> tuple[Path, int, int, str]:
        folder, ports = tmp_path / "out", (free_port(), free_port())
        monkeypatch.setenv("SHOP_HUB__DATA", str(tmp_path / "data"))
        monkeypatch.setenv("SHOP_HUB__DATABASE_URL", database.url)
        monkeypatch.delenv("SHOP_HUB_CONFIG", raising=False)
        places = ["--place", str(folder), "--store", str(folder), "--port", str(ports[0]), "--tls-port", str(ports[1])]
        answer = CliRunner().invoke(main, ["devices", "provision", str(folder), *places, *more])
        assert answer.exit_code == 0, answer.output
        return folder, *ports, answer.output

    return run


@pytest.fixture
def running():
    made = []

    def start(folder: Path, port: int, argv: list[str]) -> ChildBroker:
        broker = AsWritten(folder, port, argv)
        made.append(broker)
        broker.start()
        return broker

    yield start
    for broker in made:
        broker.stop()


def start_mosquitto(running, folder: Path, port: int) -> ChildBroker:
    """Start it as the service does, as this user instead of mosquitto."""
    if shutil.which("mosquitto", path="/usr/sbin:/usr/bin") is None and not MUST_NOT_SKIP:
        pytest.skip("mosquitto is not installed: apt-get install mosquitto")
    conf = folder / "mosquitto.conf"
    conf.write_text(conf.read_text() + "user root\n")
    if (folder / "service.conf").exists():
        before = re.search(r"ExecStartPre=/bin/sh -c '(.*?)'", (folder / "service.conf").read_text(), re.DOTALL)[1]
        command = before.replace("\\\n", "").replace("-o mosquitto -g mosquitto", "").replace("python3", sys.executable)
        subprocess.run(["/bin/sh", "-c", command], check=True)
    return running(folder, port, [find_mosquitto(), "-c", str(conf)])


def test_mosquitto_with_its_plugin_and_tls(provision, running, database, site, tmp_path):
    folder, port, tls_port, said = provision("--name", "127.0.0.1")
    start_mosquitto(running, folder, port)
    ca_file = str(folder / certificates.CA)
    mqtt = Mqtt(port=tls_port, tls=True, ca_file=ca_file, accounts="dynamic-security")
    settings = Settings(data=tmp_path / "data", mqtt=mqtt)
    hasher = SecretHasher(settings.secret())
    worker = Worker(TestHub(settings, database, hasher), Dispatcher())
    worker.start()
    new = provisioning.NewDevice("station", DeviceKind.LOCKER, "Station")
    with database.transaction() as session:
        device = provisioning.create(session, hasher, site.id, new, actor="test")
    bus = Bus(BusConfig("127.0.0.1", tls_port, "x", device.user, device.password, ca_file=ca_file))
    bus.start()
    try:
        eventually(lambda: worker.is_connected)
        assert bus.wait_connected(10)
    finally:
        bus.stop()
        worker.stop()
    assert signins.service_password(hasher, "monitor") in said
    assert f'devices_host = "127.0.0.1", devices_port = {tls_port}, ca_file = "{ca_file}"' in said
    assert device.password not in said


def test_mosquitto_with_files_only(provision, running, database, site, tmp_path):
    settings = Settings(data=tmp_path / "data")
    hasher = SecretHasher(settings.secret())
    new = provisioning.NewDevice("station", DeviceKind.LOCKER, "Station")
    with database.transaction() as session:
        device = provisioning.create(session, hasher, site.id, new, actor="test")
    folder, port, _tls_port, _said = provision("--files")
    start_mosquitto(running, folder, port)

    bus = Bus(BusConfig("127.0.0.1", port, "x", device.user, device.password))
    bus.start()

    assert bus.wait_connected(10)
    bus.stop()


def test_nats(provision, running, tmp_path):
    folder, port, _tls_port, _said = provision("--broker", "nats")
    running(folder, port, [find_nats_server(), "-c", str(folder / "nats.conf")])
    hasher = SecretHasher(Settings(data=tmp_path / "data").secret())

    bus = Bus(BusConfig("127.0.0.1", port, "x", "hub", signins.hub_password(hasher, Mqtt())))
    bus.start()

    assert bus.wait_connected(10)
    bus.stop()


def test_what_goes_to_the_broker_does_not_hold_the_authority(provision):
    folder, *_ = provision("--name", "broker.lan")

    assert not [path for path in folder.glob("*.*") if "PRIVATE" in path.read_text() and path.name != "broker.key"]
    assert (folder / certificates.CA_KEY).stat().st_mode & 0o077 == 0


def test_a_name_that_is_none_is_refused_in_a_sentence(tmp_path, monkeypatch, database):
    monkeypatch.setenv("SHOP_HUB__DATA", str(tmp_path))
    monkeypatch.setenv("SHOP_HUB__DATABASE_URL", database.url)

    answer = CliRunner().invoke(main, ["devices", "provision", str(tmp_path / "out"), "--name", "a b"])

    assert answer.exit_code == 1
    assert "neither a host name nor an address" in answer.output


def test_the_example_of_the_service_is_what_is_written():
    written = service(Layout(Path("/etc/mosquitto/shop-hub"), Path("/var/lib/mosquitto")))

    assert (CONFIG / "mosquitto.service.d" / "shop-hub.conf").read_text() == written


class TestDesk:
    @pytest.fixture
    def run(self, tmp_path, database, site, monkeypatch):
        monkeypatch.setenv("SHOP_HUB__DATA", str(tmp_path / "data"))
        monkeypatch.setenv("SHOP_HUB__DATABASE_URL", database.url)
        monkeypatch.delenv("SHOP_HUB_CONFIG", raising=False)
        hasher = SecretHasher(Settings(data=tmp_path / "data").secret())
        with database.transaction() as session:
            new = provisioning.NewDevice("station", DeviceKind.LOCKER, "Station")
            provisioning.create(session, hasher, site.id, new, actor="test")

        def command(*arguments: str) -> tuple[int, str]:
            answer = CliRunner().invoke(main, ["devices", *arguments])
            assert answer.exception is None or isinstance(answer.exception, SystemExit), answer.exception
            return answer.exit_code, answer.output

        return command

    def test_a_device_is_listed_renewed_and_taken_out_of_service(self, run, database):
        assert re.match(r"lindenau_station +locker +never$", run("list")[1].strip())

        status, said = run("renew-keys", "lindenau_station", "--reason", "card lost")
        assert (status, len(re.findall(r"^(?:password|key): \w{52,64}$", said, re.MULTILINE))) == (0, 2)
        assert run("revoke", "lindenau_station", "--reason", "stolen")[0] == 0

        assert run("list")[1].strip().endswith("out of service")
        with database.reading() as session:
            trail = session.scalars(select(AuditEntry).where(AuditEntry.actor == "command-line")).all()
        assert [(entry.action, entry.detail["reason"]) for entry in trail] == [
            ("device-keys-renewed", "card lost"),
            ("device-revoked", "stolen"),
        ]

    def test_a_code_is_printed_for_the_machine(self, run):
        assert re.search(r"pair [A-Z0-9]{12} --hub", run("code", "lindenau_station")[1])

    @pytest.mark.parametrize(
        "arguments",
        [("code", "lindenau_x"), ("revoke", "station", "--reason", "x"), ("renew-keys", "", "--reason", "x")],
    )
    def test_a_name_that_is_none_is_said_so(self, run, arguments):
        status, said = run(*arguments)

        assert status == 1
        assert "There is no device" in said

    def test_who_cuts_a_device_off_says_why(self, run):
        assert run("revoke", "lindenau_station", "--reason", " ") == (1, "Error: Please give a reason.\n")
