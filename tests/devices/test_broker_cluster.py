"""Three nats-servers as one broker for a region."""

import contextlib
import subprocess
import time
from pathlib import Path

import pytest

from devices.broker import certificates
from devices.broker.accounts import Account
from devices.broker.child import ChildBroker
from devices.broker.nats import NatsFiles, find_nats_server
from devices.broker.nats_config import Cluster, Server, server_config
from devices.protocol.bus import NotConnectedError
from tests.devices import cluster
from tests.devices.kit import OWN, SITE, accounts, connect, eventually

CONFIG = Path(__file__).parents[2] / "config" / "nats"


def is_valid(path: Path) -> bool:
    return subprocess.run([find_nats_server(), "-t", "-c", str(path)], capture_output=True).returncode == 0


@pytest.fixture
def nodes(tmp_path):
    with cluster.running(tmp_path, accounts()) as made:
        yield made


def test_one_node_may_die_and_the_region_goes_on(nodes):
    heard = []
    hub = connect(nodes[0], "hub", "hub-secret", client_id="the-hub")
    device = connect(nodes[1], "dorf_station", "station-secret")
    for bus in (hub, device):
        bus.start()
    try:
        arrives(hub, device, b"before", heard)
        nodes[2].kill()
        arrives(hub, device, b"after", heard)
        revoked_everywhere(nodes[:2], device)
    finally:
        hub.stop()
        device.stop()


def arrives(hub, device, payload, heard) -> None:
    """Send until it is heard: a cluster takes seconds to choose its leaders, and refuses subscriptions until then."""
    next_try = 0.0

    def again() -> bool:
        nonlocal next_try
        if time.monotonic() >= next_try and hub.connected and device.connected:
            next_try = time.monotonic() + 0.5
            hub.subscribe(f"{SITE}/5/#", heard.append)
            with contextlib.suppress(NotConnectedError):
                device.publish(f"{OWN}/log/event", payload, qos=1)
        return payload in {message.payload for message in heard}

    eventually(again, 60)


def revoked_everywhere(nodes: list[ChildBroker], device) -> None:
    for node in nodes:
        node.set_accounts([account for account in accounts() if account.device != "station"])
    eventually(lambda: not device.connected)


def example() -> str:
    routes = [f"node-{number}.region.example:6222" for number in (1, 2, 3)]
    place = Path("/etc/nats/shop-hub")
    server = Server("node-1", place, Path("/var/lib/nats"), tls_port=8883)
    return server_config(server, Cluster("region", "0.0.0.0:6222", routes, "REPLACE-BY-32-RANDOM-SIGNS"))


def test_the_example_is_what_the_generator_writes():
    assert (CONFIG / "node-1.conf").read_text() == example()


def test_the_server_accepts_the_example_and_refuses_a_broken_one(tmp_path):
    certificates.make(tmp_path, ["node-1.region.example"])
    NatsFiles(tmp_path).put([Account.for_device(SITE, "station", "x")])
    text = example().replace("/etc/nats/shop-hub", str(tmp_path)).replace("/var/lib/nats", str(tmp_path / "store"))
    (tmp_path / "nats.conf").write_text(text)
    assert is_valid(tmp_path / "nats.conf")

    (tmp_path / "accounts.conf").unlink()

    assert not is_valid(tmp_path / "nats.conf")
