"""Many devices in one process: each whole, each with an account of its own."""

import json
import signal
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from devices.broker.accounts import Account, Role
from devices.broker.nats import NatsBroker
from devices.protocol import topics
from devices.protocol.messages import Code, Event, ResultState
from devices.simulators import load
from devices.simulators.control import ControlClient
from devices.simulators.world import ControlError
from shop_hub.machines import Machines
from tests.devices.kit import SITE, HandHub, connect, eventually

OTHER_SITE = "lindenau"
DOORS = [f"door-{number:02}" for number in range(1, 51)]
PROBES = [f"probe-{number:02}" for number in range(1, 11)]
PLACES = [*((SITE, door) for door in DOORS), *((OTHER_SITE, probe) for probe in PROBES)]


def key_of(device: str) -> str:
    return sha256(device.encode()).hexdigest()


def site_file(folder: Path, site: str, devices: list[str], broker: NatsBroker) -> Path:
    kind = "door" if devices is DOORS else "thermometer"
    entries = [{"id": name, "kind": kind, "password": f"{name}-secret", "key": key_of(name)} for name in devices]
    path = folder / f"{site}.json"
    whole = {"site": site, "broker": {"port": broker.port}, "folder": str(folder / site), "devices": entries}
    path.write_text(json.dumps(whole | {"auto_close_s": 0.1}))
    return path


@pytest.fixture(scope="module")
def own_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsBroker]:
    devices = [Account.for_device(site, device, f"{device}-secret") for site, device in PLACES]
    hub = Account("hub", "hub-secret", Role.HUB, (SITE, OTHER_SITE))
    broker = NatsBroker(tmp_path_factory.mktemp("broker"), [hub, *devices])
    broker.start()
    yield broker
    broker.stop()


@pytest.fixture(scope="module")
def crowd_hub(own_broker: NatsBroker) -> Iterator[HandHub]:
    hub = HandHub(connect(own_broker, "hub", "hub-secret"))
    for site in (SITE, OTHER_SITE):
        hub.bus.subscribe(f"{site}/5/#", hub.hear)
    hub.bus.start()
    assert hub.bus.wait_connected(5)
    yield hub
    hub.bus.stop()


@pytest.fixture(scope="module")
def crowd(
    own_broker: NatsBroker, crowd_hub: HandHub, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ControlClient]:
    assert crowd_hub.bus.connected
    folder = tmp_path_factory.mktemp("crowd")
    files = [site_file(folder, SITE, DOORS, own_broker), site_file(folder, OTHER_SITE, PROBES, own_broker)]
    ready = folder / "ready.json"
    command = [sys.executable, "-m", "devices.simulators", "load", *map(str, files), "--ready-file", str(ready)]
    process = subprocess.Popen([*command, "--exits", "30"])
    eventually(ready.exists, 30)
    control = ControlClient(json.loads(ready.read_text())["control_port"])
    yield control
    control.close()
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0


def told(hub: HandHub, site: str, device: str) -> bytes:
    return next(iter(hub.payloads(topics.state_topic(site, device))[-1:]), b"")


def events(hub: HandHub, device: str) -> list[Event]:
    return [Event.decode(payload) for payload in hub.payloads(topics.event_topic(SITE, device))]


def test_every_device_comes_up_under_an_account_of_its_own(crowd: ControlClient, crowd_hub: HandHub) -> None:
    assert crowd is not None
    # no account may write what another one says, so each of these words came from its own
    eventually(lambda: {told(crowd_hub, *place) for place in PLACES} == {b"ready"})
    eventually(lambda: set(crowd_hub.leases) == set(DOORS))
    assert len({lease.epoch for lease in crowd_hub.leases.values()}) == len(DOORS)


def test_one_of_them_obeys_what_its_own_key_signed(crowd: ControlClient, crowd_hub: HandHub) -> None:
    assert crowd is not None
    mine, other = DOORS[6], DOORS[7]
    crowd_hub.wait_lease(mine)
    wanted = crowd_hub.command(mine, "unlock", args={"hold_s": 1})
    forged = crowd_hub.send(mine, "door", wanted, key=key_of(other))
    assert crowd_hub.result(forged.id).code == Code.BAD_MAC
    order = crowd_hub.send(mine, "door", crowd_hub.command(mine, "unlock", args={"hold_s": 1}), key=key_of(mine))
    assert crowd_hub.result(order.id).state is ResultState.DONE
    eventually(lambda: order.id in {event.cause for event in events(crowd_hub, mine) if event.type == "entry"})
    assert crowd_hub.results(order.id) == [crowd_hub.result(order.id)]


def test_people_leave_and_each_device_counts_its_own_events(crowd: ControlClient, crowd_hub: HandHub) -> None:
    assert crowd is not None
    eventually(lambda: sum(bool(events(crowd_hub, door)) for door in DOORS) > 10)
    for door in DOORS[10:]:  # one of the others counts results, too
        found = [event.seq for event in events(crowd_hub, door)]
        assert found == [*range(1, len(found) + 1)]


def test_each_can_be_broken_on_demand(crowd: ControlClient, crowd_hub: HandHub) -> None:
    place = f"{SITE}/{DOORS[3]}"
    crowd.do(place, "break", fault="power")
    eventually(lambda: told(crowd_hub, SITE, DOORS[3]) == b"disconnected")
    crowd.do(place, "mend", fault="power")
    eventually(lambda: told(crowd_hub, SITE, DOORS[3]) == b"ready")
    with pytest.raises(ControlError, match="site/device"):
        crowd.do(DOORS[3], "look")


def test_the_plan_is_a_machines_file() -> None:
    planned = Machines.model_validate(tomllib.loads(load.plan(30)))
    assert [entry.kind for entry in planned.device].count("thermometer") == 3
    assert len({entry.id for entry in planned.device}) == 30


def test_the_embedded_broker_may_use_more_memory_for_more_devices(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GOMEMLIMIT", raising=False)
    limits = []
    for count in (1, 1000):
        accounts = [Account.for_device(SITE, f"door-{number}", "secret") for number in range(count)]
        broker = NatsBroker(tmp_path / str(count), accounts)
        broker.prepare()
        limits.append(int(broker.environment()["GOMEMLIMIT"].removesuffix("KiB")) // 1024)
    assert limits == [40, 290]
