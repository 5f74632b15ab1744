"""What `shop-hub devices provision` writes at both ends is all that a village's and a region's broker need."""

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import select

from devices.broker import bridge
from devices.broker.bridge import Invitation
from devices.broker.child import free_port
from devices.protocol import topics
from devices.protocol.bus import Bus, BusConfig
from devices.protocol.description import Description
from devices.protocol.ids import new_epoch
from devices.protocol.messages import ClockHint, Event
from shop_hub.cli import main
from shop_hub.core import audit
from shop_hub.core.db import Database
from shop_hub.core.hashing import SecretHasher
from shop_hub.core.settings import Mqtt, Settings
from shop_hub.core.sites import Site
from shop_hub.fleet import provisioning, signins
from shop_hub.fleet.dispatch import Dispatcher
from shop_hub.fleet.models import DeviceKind, Link
from shop_hub.fleet.worker import Worker
from tests.conftest import make_site
from tests.fleet.kit import TestHub, eventually
from tests.fleet.region import SITE, Collected
from tests.fleet.test_provisioning_files import running, start_mosquitto

__all__ = ["running"]
CONFIG = Path(__file__).parents[2] / "config" / "mosquitto"


class Place:
    """A hub of its own: data, database, and where its broker's files go."""

    def __init__(self, folder: Path, template: Path, monkeypatch) -> None:
        folder.mkdir()
        self.data, self.out, self._monkeypatch = folder / "data", folder / "out", monkeypatch
        self.database = Database(f"sqlite:///{shutil.copy(template, folder / 'hub.sqlite3')}")
        self.port, self.tls_port = free_port(), free_port()
        self.hasher = SecretHasher(Settings(data=self.data).secret())
        make_site(self.database, SITE)

    def provision(self, *more: str, collects: bool = False) -> tuple[int, str]:
        self._monkeypatch.setenv("SHOP_HUB__DATA", str(self.data))
        self._monkeypatch.setenv("SHOP_HUB__DATABASE_URL", self.database.url)
        self._monkeypatch.setenv("SHOP_HUB__MQTT__COLLECTS", str(collects).lower())
        self._monkeypatch.delenv("SHOP_HUB_CONFIG", raising=False)
        ports = ["--port", str(self.port), "--tls-port", str(self.tls_port)]
        places = ["--place", str(self.out), "--store", str(self.out)]
        answer = CliRunner().invoke(main, ["devices", "provision", str(self.out), *places, *ports, *more])
        return answer.exit_code, answer.output

    def invitation(self) -> Path:
        return self.out / "invitations" / f"{SITE}.json"


@pytest.fixture
def places(tmp_path, sqlite_template, monkeypatch):
    audit.use_key(b"fleet-tests")
    made = [Place(tmp_path / name, sqlite_template, monkeypatch) for name in ("region", "village")]
    yield made
    for place in made:
        place.database.dispose()


@pytest.fixture
def region(places) -> Place:
    return places[0]


@pytest.fixture
def village(places) -> Place:
    return places[1]


def connected(port: int, user: str, password: str) -> Bus:
    bus = Bus(BusConfig("127.0.0.1", port, user, user, password))
    bus.start()
    assert bus.wait_connected(10)
    return bus


@pytest.mark.mosquitto
def test_an_invited_village_passes_on_by_tls_what_its_devices_tell(region, village, running):
    status, said = region.provision("--name", "127.0.0.1", collects=True)
    assert status == 0, said
    assert f"{region.out}/invitations/" in said
    start_mosquitto(running, region.out, region.port)
    with village.database.transaction() as session:
        site_id = session.scalar(select(Site.id))
        new = provisioning.NewDevice("station", DeviceKind.LOCKER, "Station")
        keys = provisioning.create(session, village.hasher, site_id, new, actor="test")
    status, said = village.provision("--files", "--bridge", str(region.invitation()))
    assert status == 0, said
    start_mosquitto(running, village.out, village.port)

    mqtt = Mqtt(port=region.port, accounts="dynamic-security", collects=True)
    worker = Worker(TestHub(Settings(data=region.data, mqtt=mqtt), region.database, region.hasher), Dispatcher())
    worker.start()
    device = connected(village.port, keys.user, keys.password)
    hub = connected(village.port, "hub", signins.hub_password(village.hasher, Mqtt()))
    try:
        body = Description(name="Station", kind="locker").encode()
        device.publish(topics.description_topic(SITE, "station"), body, qos=1, retain=True)
        device.publish(topics.state_topic(SITE, "station"), b"ready", qos=1, retain=True)
        event = Event(event=f"{new_epoch()}/1/1", node="box-01", type="opened")
        device.publish(topics.event_topic(SITE, "station"), event.encode(), qos=1)

        def is_heard() -> bool:
            hub.publish(topics.clock_topic(SITE), ClockHint(now_ms=1).encode())
            return Collected(region.database).links() == {"station": Link.READY}

        eventually(is_heard, 40)
        eventually(lambda: Collected(region.database).numbers() == {"station": [1]})
    finally:
        device.stop()
        hub.stop()
        worker.stop()


def test_the_village_gets_the_certificate_of_the_region_and_keeps_no_more_than_its_locks_bear(region, village):
    region.provision("--name", "127.0.0.1", "--files", collects=True)
    village.provision("--files", "--bridge", str(region.invitation()))

    written = (village.out / "mosquitto.conf").read_text()

    assert "max_queued_messages 200000\n" in written
    assert "max_queued_messages 1000000\n" in (region.out / "mosquitto.conf").read_text()
    assert written.endswith(bridge.section(Invitation.read(region.invitation()), village.out / f"region-{SITE}.crt"))
    assert (village.out / f"region-{SITE}.crt").read_text() == (region.out / "ca.crt").read_text()
    assert region.invitation().stat().st_mode & 0o077 == 0
    assert "/set" not in "".join(line for line in written.splitlines() if line.startswith("topic"))


def test_the_region_has_no_accounts_for_devices_and_its_hub_may_write_nothing(region):
    region.provision("--name", "127.0.0.1", "--files", collects=True)

    blocks = (region.out / "acl").read_text().split("\n\n")

    rights = {block.split()[1]: block for block in (text.strip() for text in blocks) if block}
    assert set(rights) == {"hub", "monitor", "ha", f"{SITE}_bridge"}
    assert "topic write" not in rights["hub"]
    assert rights[f"{SITE}_bridge"].count("topic write") == 3


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--broker", "nats", "--bridge", "{invitation}"), "Only mosquitto can pass on"),
        (("--files", "--bridge", "{foreign}"), "invites the shop elsewhere, which this hub does not have"),
        (("--files", "--bridge", "{garbage}"), "is no invitation to a region"),
    ],
)
def test_an_invitation_that_does_not_fit_is_refused_in_a_sentence(region, village, tmp_path, arguments, sentence):
    region.provision("--name", "127.0.0.1", "--files", collects=True)
    foreign, garbage = tmp_path / "foreign.json", tmp_path / "garbage.json"
    foreign.write_text(region.invitation().read_text().replace(SITE, "elsewhere"))
    garbage.write_text("{}")
    names = {"{invitation}": str(region.invitation()), "{foreign}": str(foreign), "{garbage}": str(garbage)}

    status, said = village.provision(*(names.get(argument, argument) for argument in arguments))

    assert status == 1
    assert sentence in " ".join(said.split())


@pytest.fixture
def forged(region, village):
    """Have the village take an invitation in which somebody changed something; return what it said and wrote."""
    assert region.provision("--name", "127.0.0.1", "--files", collects=True)[0] == 0
    told = json.loads(region.invitation().read_text())

    def take(**changes: object) -> tuple[int, str]:
        region.invitation().write_text(json.dumps(told | changes))
        status, said = village.provision("--files", "--bridge", str(region.invitation()))
        assert (village.out / "mosquitto.conf").exists() is (status == 0)
        return status, " ".join(said.split())

    return take


@pytest.mark.parametrize(
    "changes",
    [
        {"addresses": ["region.example:8883\nlistener 1884 0.0.0.0"]},
        {"addresses": ["region.example:8883\n"]},
        {"addresses": ["region.example:8883 evil.example:1"]},
        {"addresses": ["# region.example:8883"]},
        {"addresses": ["region.example"]},
        {"addresses": ["region.example:0"]},
        {"addresses": ["region.example:65536"]},
        {"addresses": ["[fe80::1%\nlistener 1884]:8883"]},
        {"addresses": ["[region.example]:8883"]},
        {"addresses": ["::1:8883"]},
        {"addresses": ["region.example:8883"] * 17},
        {"addresses": []},
        {"user": "x\nlistener 1884 0.0.0.0"},
        {"user": "x\n"},
        {"password": "x\nlistener 1884 0.0.0.0"},
        {"site": f"{SITE}\n"},
        {"bridge_insecure": "true"},
    ],
)
def test_an_invitation_writes_no_lines_of_its_own_into_the_configuration(forged, changes):
    status, said = forged(**changes)

    assert status == 1
    assert "is no invitation to a region" in said


@pytest.mark.parametrize("ca", ["", "certificate", "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n", "ä"])
def test_a_bridge_without_the_certificate_of_its_region_is_refused(forged, ca):
    status, said = forged(ca=ca)

    assert status == 1
    assert "without the certificate of the region" in said


def test_names_and_addresses_of_both_kinds_reach_the_configuration(forged, village):
    assert forged(addresses=["broker-1.region.example:8883", "192.0.2.7:1", "[2001:db8::7]:65535"])[0] == 0

    assert (
        "\naddresses broker-1.region.example:8883 192.0.2.7:1 2001:db8::7:65535\n"
        in (village.out / "mosquitto.conf").read_text()
    )


def test_a_region_reached_by_ipv6_invites_to_an_address_that_is_taken(region, village):
    assert region.provision("--name", "2001:db8::7", "--files", collects=True)[0] == 0

    assert Invitation.read(region.invitation()).addresses == (f"[2001:db8::7]:{region.tls_port}",)
    assert village.provision("--files", "--bridge", str(region.invitation()))[0] == 0


@pytest.mark.parametrize("name", ["region.example\nlistener 1", "fe80::1%\nlistener 1", "a b", ""])
def test_a_name_of_a_broker_is_a_name(region, name):
    status, said = region.provision("--name", name, "--files", collects=True)

    assert status == 1
    assert "address" in said
    assert not region.invitation().exists()


def test_more_names_than_an_invitation_holds_are_refused_in_a_sentence(region):
    names = [word for number in range(17) for word in ("--name", f"node-{number}.example")]

    status, said = region.provision(*names, "--files", collects=True)

    assert status == 1
    assert "cannot name these addresses" in said


@pytest.mark.parametrize("broker", ["mosquitto", "nats"])
@pytest.mark.parametrize("option", ["--place", "--store"])
@pytest.mark.parametrize(
    "path", ["/srv/x\nallow_anonymous true", "/srv/a b", "/srv/$(reboot)", "/srv/läden", "/srv/%h"]
)
def test_a_path_means_nothing_but_itself(village, broker, option, path):
    status, said = village.provision("--broker", broker, option, path)

    assert status == 1
    assert "only letters" in said
    assert not list(village.out.glob("*.conf"))


def test_a_region_needs_a_name_by_which_it_is_reached(region):
    status, said = region.provision("--files", collects=True)

    assert status == 1
    assert "--name" in said


def test_the_example_of_the_bridge_is_what_is_written():
    invitation = Invitation(
        site="lindenau",
        user="lindenau_bridge",
        password="REPLACED",
        addresses=("broker.region.example:8883",),
        ca="certificate",
    )

    written = bridge.section(invitation, Path("/etc/mosquitto/shop-hub") / bridge.ca_file("lindenau"))

    assert (CONFIG / "bridge.conf").read_text() == written.lstrip("\n")
