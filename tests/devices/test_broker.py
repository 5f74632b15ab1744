"""Running and setting up brokers: accounts that come and go, TLS, and files that say what they mean."""

import shutil
import ssl
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from devices.broker import certificates, dynsec, mosquitto_config
from devices.broker.accounts import Account
from devices.broker.child import free_port
from devices.broker.directory import BrokerError
from devices.broker.dynsec_broker import DynsecBroker
from devices.broker.mosquitto import MosquittoBroker
from devices.broker.mosquitto_config import Layout
from devices.broker.nats import NatsBroker, NatsFiles
from devices.protocol.bus import Bus, BusConfig
from tests.devices.conftest import MOSQUITTO, PATHS
from tests.devices.kit import OWN, SITE, accounts, connect, eventually
from tests.servers import MUST_NOT_SKIP

KINDS = {"nats": NatsBroker, "mosquitto": MosquittoBroker, "dynsec": DynsecBroker}
CONFIG = Path(__file__).parents[2] / "config"


def needs_mosquitto() -> None:
    if not MUST_NOT_SKIP and shutil.which("mosquitto", path=PATHS) is None:
        pytest.skip("mosquitto is not installed: apt-get install mosquitto")


@pytest.fixture(params=["nats", *(pytest.param(name, marks=pytest.mark.mosquitto) for name in MOSQUITTO)])
def broker(request, tmp_path):
    if request.param in MOSQUITTO:
        needs_mosquitto()
    running = KINDS[request.param](tmp_path / "broker", accounts())
    running.start()
    yield running
    running.stop()


@pytest.fixture
def sign_in():
    """Return what makes a connection; all are ended after the test."""
    made = []

    def make(bus: Bus) -> Bus:
        made.append(bus)
        bus.start()
        return bus

    yield make
    for bus in made:
        bus.stop()


class TestAccounts:
    def test_a_removed_device_is_out_at_once_and_nobody_else(self, broker, sign_in):
        bus = sign_in(connect(broker, "dorf_station", "station-secret"))
        bystander = sign_in(connect(broker, "dorf_vending", "vending-secret"))
        assert bus.wait_connected(5)
        assert bystander.wait_connected(5)

        broker.set_accounts([account for account in accounts() if account.device != "station"])

        eventually(lambda: not bus.connected)
        assert not bus.wait_connected(1)
        assert bystander._connection == 1
        assert bystander.connected

    def test_a_new_device_is_let_in_without_a_restart(self, broker, sign_in):
        broker.set_accounts([*accounts(), Account.for_device(SITE, "fridge-9", "cold")])

        assert sign_in(connect(broker, "dorf_fridge-9", "cold")).wait_connected(10)

    def test_another_password_ends_the_session_of_the_old_one(self, broker, sign_in):
        old = sign_in(connect(broker, "dorf_station", "station-secret"))
        assert old.wait_connected(5)

        changed = [replace(a, password="new") if a.device == "station" else a for a in accounts()]
        broker.set_accounts(changed)

        eventually(lambda: not old.connected)
        assert not old.wait_connected(1)
        assert sign_in(connect(broker, "dorf_station", "new")).wait_connected(10)

    def test_rights_change_while_the_broker_runs(self, broker, sign_in):
        moved = [replace(a, sites=("anderswo",)) if a.user == "speaker" else a for a in accounts()]
        broker.set_accounts(moved)
        heard = []
        witness = sign_in(connect(broker, "hub", "hub-secret"))
        witness.subscribe(f"{SITE}/5/#", heard.append)
        speaker = sign_in(connect(broker, "speaker", "speaker-secret"))
        other = sign_in(connect(broker, "newcomer", "newcomer-secret"))
        assert all(bus.wait_connected(10) for bus in (witness, speaker, other))

        speaker.publish(f"{OWN}/box-01/door", b"from-speaker", qos=0)
        eventually(lambda: other.publish(f"{OWN}/box-01/door", b"from-other", qos=1) or heard)

        assert {message.payload for message in heard} == {b"from-other"}

    def test_the_same_list_again_disturbs_nobody(self, broker, sign_in):
        bus = sign_in(connect(broker, "dorf_station", "station-secret"))
        assert bus.wait_connected(5)

        broker.set_accounts(accounts())
        broker.set_accounts(accounts())

        assert sign_in(connect(broker, "dorf_vending", "vending-secret")).wait_connected(5)
        assert bus.connected
        assert bus._connection == 1


@pytest.mark.mosquitto
class TestDynamicSecurity:
    @pytest.fixture
    def plugged(self, tmp_path):
        needs_mosquitto()
        running = DynsecBroker(tmp_path / "broker", accounts())
        running.start()
        yield running
        running.stop()

    def test_more_accounts_than_one_answer_holds(self, plugged, sign_in):
        many = [Account.for_device(SITE, f"probe-{number}", f"secret-{number}") for number in range(120)]
        plugged.set_accounts([*accounts(), *many])
        plugged.set_accounts([*accounts(), *many[:-1]])

        assert sign_in(connect(plugged, "dorf_probe-118", "secret-118")).wait_connected(5)
        assert not sign_in(connect(plugged, "dorf_probe-119", "secret-119")).wait_connected(1)

    def test_accounts_that_a_person_made_stay(self, plugged, sign_in):
        by_hand = {"command": "createClient", "username": "neighbour", "password": "x", "roles": [{"rolename": "ha"}]}
        with plugged.directory.talk() as conversation:
            conversation.tell([by_hand])

        plugged.set_accounts(accounts())

        assert sign_in(connect(plugged, "neighbour", "x")).wait_connected(5)

    def test_what_was_begun_and_broken_off_is_done_again(self, plugged, sign_in):
        fresh = Account.for_device(SITE, "fridge-9", "cold")
        with plugged.directory.talk() as conversation:
            conversation.tell([{"command": "createRole", "rolename": fresh.user}])

        plugged.set_accounts([*accounts(), fresh])

        assert sign_in(connect(plugged, fresh.user, "cold")).wait_connected(5)

    def test_an_emptied_file_is_mended_at_the_next_start(self, plugged, sign_in):
        plugged.kill()
        (plugged.folder / "dynamic-security.json").write_text("")

        plugged.start()

        assert sign_in(connect(plugged, "hub", "hub-secret")).wait_connected(5)

    def test_a_broker_that_is_away_is_said_so(self, plugged, monkeypatch):
        monkeypatch.setattr(dynsec, "_WAIT_S", 0.3)
        plugged.stop()

        with pytest.raises(BrokerError, match="administrator was not let in"):
            plugged.directory.put(accounts())

    def test_no_password_is_written_into_the_log(self, plugged):
        plugged.set_accounts([*accounts(), Account.for_device(SITE, "fridge-9", "very-cold-secret")])

        assert "very-cold-secret" not in plugged.log.read_text()
        assert "very-cold-secret" not in (plugged.folder / "dynamic-security.json").read_text()


class TlsBroker(MosquittoBroker):
    """A second listener, with TLS, for the name 127.0.0.1 only."""

    tls_port = 0

    def layout(self) -> Layout:
        return replace(super().layout(), tls_port=self.tls_port)


@pytest.fixture(scope="module")
def tls(tmp_path_factory):
    needs_mosquitto()
    folder = tmp_path_factory.mktemp("tls")
    certificates.make(folder, ["127.0.0.1", "broker.lan"])
    running = TlsBroker(folder, accounts())
    running.tls_port = free_port()
    running.start()
    yield running
    running.stop()


@pytest.mark.mosquitto
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # paho leaves a refused socket to the gc
class TestTls:
    def over_tls(self, broker, **changes) -> Bus:
        config = BusConfig(
            broker.host,
            broker.tls_port,
            "x",
            "dorf_station",
            "station-secret",
            ca_file=str(broker.folder / certificates.CA),
        )
        return Bus(replace(config, **changes))

    def test_a_device_speaks_over_tls(self, tls, sign_in):
        heard = []
        hub = sign_in(connect(tls, "hub", "hub-secret"))
        hub.subscribe(f"{OWN}/log/event", heard.append)
        device = sign_in(self.over_tls(tls))
        assert hub.wait_connected(5)
        assert device.wait_connected(5)

        eventually(lambda: device.publish(f"{OWN}/log/event", b"x" * 4000, qos=1) or heard)

        assert isinstance(device.socket(), ssl.SSLSocket)

    def test_a_broker_of_another_authority_gets_no_password(self, tls, sign_in, tmp_path):
        certificates.make(tmp_path, ["127.0.0.1"])

        assert not sign_in(self.over_tls(tls, ca_file=str(tmp_path / certificates.CA))).wait_connected(1)

    def test_a_broker_that_only_the_system_could_vouch_for_gets_no_password(self, tls, sign_in):
        assert not sign_in(self.over_tls(tls, ca_file="", tls=True)).wait_connected(1)

    def test_a_certificate_for_another_name_is_refused(self, tls, sign_in):
        assert not sign_in(self.over_tls(tls, host="localhost")).wait_connected(1)

    def test_without_tls_nothing_is_said_at_this_port(self, tls, sign_in):
        assert not sign_in(self.over_tls(tls, ca_file="")).wait_connected(1)

    def test_the_name_of_the_user_is_the_client_id_here_too(self, tls, sign_in):
        hub = sign_in(connect(tls, "hub", "hub-secret"))
        assert hub.wait_connected(5)

        rogue = sign_in(self.over_tls(tls, client_id="hub"))

        assert rogue.wait_connected(5)
        assert hub._connection == 1
        assert hub.connected

    def test_a_new_certificate_needs_no_new_authority(self, tls, sign_in):
        authority = (tls.folder / certificates.CA).read_bytes()
        certificates.make(tls.folder, ["127.0.0.1"])
        tls.stop()
        tls.start()

        assert (tls.folder / certificates.CA).read_bytes() == authority
        assert sign_in(self.over_tls(tls)).wait_connected(5)

    def test_keys_are_for_this_user_only_and_strict_readers_accept_the_chain(self, tls):
        folder = tls.folder
        for name in (certificates.CA_KEY, certificates.BROKER_KEY):
            assert (folder / name).stat().st_mode & 0o077 == 0
        check = ["openssl", "verify", "-x509_strict", "-purpose", "sslserver", "-CAfile", str(folder / certificates.CA)]
        assert subprocess.run([*check, str(folder / certificates.BROKER)], capture_output=True).returncode == 0

    @pytest.mark.parametrize("name", ["", "a,DNS:b", "a/b", "-x", "a b", "*"])
    def test_a_name_that_is_none_is_refused(self, tmp_path, name):
        with pytest.raises(BrokerError, match="neither a host name nor an address"):
            certificates.make(tmp_path, [name])


class TestFiles:
    def test_the_example_is_what_the_generator_writes(self):
        folder = Path("/etc/mosquitto/shop-hub")
        plugin = Path("/usr/lib/x86_64-linux-gnu/mosquitto_dynamic_security.so")
        layout = Layout(folder, Path("/var/lib/mosquitto"), tls_port=8883, plugin=plugin)

        assert (CONFIG / "mosquitto" / "mosquitto.conf").read_text() == mosquitto_config.config(layout)

    def test_a_list_is_replaced_as_a_whole_and_only_if_it_differs(self, tmp_path):
        files = NatsFiles(tmp_path)
        files.put(accounts())
        first = files.watched.stat()
        files.put(accounts())
        assert files.watched.stat().st_mtime_ns == first.st_mtime_ns

        files.put(accounts()[:-1])

        assert files.watched.stat().st_ino != first.st_ino
        assert files.watched.stat().st_mode & 0o077 == 0
        assert [path.name for path in tmp_path.iterdir()] == ["accounts.conf"]
