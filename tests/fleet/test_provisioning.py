"""The broker's accounts follow the registry: new devices get in, revoked ones and old keys are out, sessions too."""

import os
import shutil
import signal
import threading
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from devices.broker.accounts import Account, Role
from devices.broker.child import ChildBroker
from devices.broker.dynsec_broker import DynsecBroker
from devices.broker.nats import NatsBroker
from devices.protocol import topics
from devices.protocol.bus import Bus, BusConfig
from shop_hub.core.db import Database
from shop_hub.core.settings import Mqtt, Settings
from shop_hub.demo.supervisor import Child, Supervisor
from shop_hub.fleet import provisioning, signins
from shop_hub.fleet import registry as registry_module
from shop_hub.fleet.dispatch import Dispatcher
from shop_hub.fleet.models import Device, DeviceKind
from shop_hub.fleet.provisioning import NewDevice
from shop_hub.fleet.registry import Registry
from shop_hub.fleet.worker import Worker
from tests.fleet.kit import HASHER, SITE, TestHub, eventually
from tests.servers import MUST_NOT_SKIP


@pytest.fixture
def database(sqlite_database):
    return sqlite_database


@dataclass
class Stage:
    """A broker that somebody runs, a hub that may come and go, and devices that sign in as people set them up."""

    broker: ChildBroker
    supervisor: Supervisor
    hub: TestHub
    site_id: int
    workers: list[Worker] = field(default_factory=list)
    buses: list[Bus] = field(default_factory=list)

    def start_hub(self) -> Worker:
        worker = Worker(self.hub, Dispatcher())
        self.workers.append(worker)
        worker.start()
        eventually(lambda: worker.is_connected)
        return worker

    def register(self, slug: str) -> provisioning.Provisioned:
        with self.hub.database.transaction() as session:
            new = NewDevice(slug, DeviceKind.ATM, slug)
            return provisioning.create(session, HASHER, self.site_id, new, actor="test")

    def renew(self, known: provisioning.Provisioned) -> provisioning.Provisioned:
        with self.hub.database.transaction() as session:
            device = session.get_one(Device, known.device_id)
            return provisioning.renew_keys(session, HASHER, device, actor="test", reason="stolen")

    def revoke(self, known: provisioning.Provisioned) -> None:
        with self.hub.database.transaction() as session:
            provisioning.revoke(session, session.get_one(Device, known.device_id), actor="test", reason="stolen")

    def connect(self, known: provisioning.Provisioned) -> Bus:
        """Return a device's connection, which is being made."""
        bus = Bus(BusConfig(self.broker.host, self.broker.port, known.user, known.user, known.password))
        self.buses.append(bus)
        bus.start()
        return bus

    def signed_in(self, known: provisioning.Provisioned) -> Bus:
        bus = self.connect(known)
        assert bus.wait_connected(10)
        return bus

    def is_refused(self, known: provisioning.Provisioned) -> bool:
        """Tell whether a fresh connection with these words gets no answer but a refusal."""
        bus = self.connect(known)
        refused = not bus.wait_connected(1)
        bus.stop()
        return refused


def nats(folder) -> tuple[ChildBroker, Path | None, Mqtt]:
    broker = NatsBroker(folder)
    return broker, broker.directory.watched, Mqtt(accounts="nats", accounts_folder=str(folder))


def mosquitto(folder) -> tuple[ChildBroker, Path | None, Mqtt]:
    if shutil.which("mosquitto", path="/usr/sbin:/usr/bin") is None and not MUST_NOT_SKIP:
        pytest.skip("mosquitto is not installed: apt-get install mosquitto")
    mqtt = Mqtt(accounts="dynamic-security")
    broker = DynsecBroker(folder, [Account("hub", signins.hub_password(HASHER, mqtt), Role.HUB, ())])
    broker.admin = signins.admin(HASHER)
    return broker, None, mqtt


@pytest.fixture(params=[nats, pytest.param(mosquitto, marks=pytest.mark.mosquitto)])
def stage(request, database, site, tmp_path):
    broker, watched, mqtt = request.param(tmp_path / "broker")
    broker.prepare()
    supervisor = Supervisor()
    supervisor.start(Child("broker", broker.argv(), broker.log, broker.environment(), watched))
    end = threading.Event()
    watching = threading.Thread(target=lambda: watch(supervisor, end))
    watching.start()
    broker.wait_ready()
    settings = Settings(data=tmp_path, mqtt=mqtt.model_copy(update={"port": broker.port}))
    made = Stage(broker, supervisor, TestHub(settings, database), site.id)
    yield made
    for bus in made.buses:
        bus.stop()
    for worker in made.workers:
        worker.stop()
    end.set()
    watching.join()
    supervisor.stop()


def watch(supervisor: Supervisor, end: threading.Event) -> None:
    """Look after the broker as `shop-hub demo` does."""
    while not end.wait(0.1):
        supervisor.restart_dead()
        supervisor.reload_changed()


def test_a_broker_that_was_told_nothing_lets_nobody_in(stage):
    assert stage.is_refused(stage.register("station"))


def test_a_new_device_gets_in_and_nobody_else_is_disturbed(stage):
    stage.start_hub()
    first = stage.signed_in(stage.register("first"))

    tries = first._connection

    stage.signed_in(stage.register("second"))

    assert first.connected
    assert first._connection == tries


def test_a_revoked_device_is_cut_and_stays_out(stage):
    stage.start_hub()
    known, other = stage.register("station"), stage.register("other")
    bus, bystander = stage.signed_in(known), stage.signed_in(other)
    tries, calm = bus._connection, bystander._connection

    stage.revoke(known)

    eventually(lambda: not bus.connected)
    assert not bus.wait_connected(1)
    assert bus._connection > tries
    assert bystander.connected
    assert bystander._connection == calm


def test_new_keys_cut_the_session_of_the_old_ones(stage):
    stage.start_hub()
    old = stage.register("station")
    bus = stage.signed_in(old)

    new = stage.renew(old)

    eventually(lambda: not bus.connected)
    assert stage.is_refused(old)
    stage.signed_in(new)


def test_what_changed_while_the_hub_was_down_holds_once_it_is_back(stage):
    stage.start_hub()
    known = stage.register("station")
    bus = stage.signed_in(known)
    stage.workers.pop().stop()

    stage.revoke(known)
    late = stage.register("late")

    assert bus.connected
    stage.start_hub()
    eventually(lambda: not bus.connected)
    stage.signed_in(late)


def test_a_broker_that_starts_again_knows_the_accounts(stage):
    stage.start_hub()
    known, gone = stage.register("station"), stage.register("gone")
    bus, leaving = stage.signed_in(known), stage.signed_in(gone)
    stage.revoke(gone)
    eventually(lambda: not leaving.connected)

    os.kill(stage.supervisor.pids["broker"], signal.SIGKILL)

    eventually(lambda: not bus.connected)
    eventually(lambda: bus.connected)
    assert stage.is_refused(gone)
    assert not leaving.connected


@pytest.mark.parametrize("stage", [nats], indirect=True)
def test_what_another_process_revokes_is_cut_too(stage, monkeypatch):
    """The command line on SQLite cannot wake the hub: the hub must look by itself."""
    monkeypatch.setattr(registry_module, "_REFRESH_S", 600.0)
    stage.start_hub()
    known = stage.register("station")
    bus = stage.signed_in(known)

    other = Database(stage.hub.database.url)
    with other.transaction() as session:
        provisioning.revoke(session, session.get_one(Device, known.device_id), actor="test", reason="stolen")
    other.dispose()

    eventually(lambda: not bus.connected)


@pytest.mark.parametrize("stage", [nats], indirect=True)
def test_a_list_that_cannot_be_written_is_written_later(stage):
    stage.start_hub()
    in_the_way = stage.broker.folder / ".accounts.conf.part"
    in_the_way.mkdir()
    known = stage.register("station")
    assert stage.is_refused(known)

    in_the_way.rmdir()

    stage.signed_in(known)


def test_the_list_holds_hub_monitor_home_and_the_devices_in_use(stage):
    known, gone = stage.register("station"), stage.register("gone")
    stage.revoke(gone)
    registry = Registry(stage.hub.database)
    registry.refresh()

    found = signins.accounts(HASHER, stage.hub.settings.mqtt, registry)

    assert [(account.user, account.role) for account in found] == [
        ("hub", Role.HUB),
        ("monitor", Role.MONITOR),
        ("ha", Role.HOME),
        (topics.user_name(SITE, "station"), Role.DEVICE),
    ]
    assert found[-1].password == known.password
    assert len({account.password for account in found}) == len(found)
