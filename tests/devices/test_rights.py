"""Who may read and write what, tried at both brokers."""

import contextlib
import re
import socket
import time

import pytest

from devices.broker.accounts import Account, Role, rights
from devices.broker.mosquitto import MosquittoBroker
from devices.broker.nats import NatsBroker, subjects
from devices.protocol.bus import NotConnectedError
from tests.devices.kit import OTHER, OWN, SITE, Listener, accounts, connect, eventually, hub_tree, settle, station


def say(speaker: Listener, topic: str, hearer: Listener) -> None:
    """Publish until it is heard: that a client is connected does not say that its subscriptions stand."""
    told = time.monotonic()
    speaker.bus.publish(topic, b"x", qos=1)

    def again() -> bool:
        nonlocal told
        if time.monotonic() - told > 0.5:
            told = time.monotonic()
            speaker.bus.publish(topic, b"x", qos=1)
        return topic in hearer.topics()

    eventually(again, 30)


def test_a_device_writes_its_own_tree_and_nothing_else(listen):
    witness = hub_tree(listen)
    device = station(listen)
    allowed = [f"{OWN}/$state", f"{OWN}/$description", f"{OWN}/$alert/x", f"{OWN}/lease", f"{OWN}/box-01/door"]
    allowed += [f"{OWN}/box-01/command", f"{OWN}/box-01/result", f"{OWN}/log/event"]
    forbidden = [f"{OWN}/box-01/command/set", f"{OWN}/log/ack/set", f"{OWN}/log/query/set", f"{OTHER}/$state"]
    forbidden += [
        f"{OTHER}/slot-01/stock",
        f"{OTHER}/unit/command/set",
        f"{SITE}/5/hub/$state",
        f"{SITE}/5/hub/clock/now",
    ]
    forbidden += ["other/5/station/$state", f"{SITE}/5", "elsewhere", f"{SITE}/5/hub/remote/command/set"]
    for topic in allowed + forbidden:
        with contextlib.suppress(NotConnectedError):
            device.bus.publish(topic, b"x")
            time.sleep(0.01)
    settle(device, witness)
    assert witness.topics() - {f"{OWN}/marker/end"} == set(allowed)


@pytest.mark.parametrize(
    "topic_filter",
    ["#", f"{SITE}/5/#", f"{OTHER}/#", f"{SITE}/5/+/+/command/set", f"{OTHER}/unit/command/set", "$SYS/#"],
)
def test_a_device_hears_nothing_of_others(listen, topic_filter):
    nosy = station(listen, f"{topic_filter} {OWN}/+/command/set")
    witness = hub_tree(listen)
    speaker = listen("speaker", "speaker-secret", "nothing")
    say(speaker, f"{OWN}/box-01/command/set", nosy)  # from here on its subscriptions stand
    for topic in (f"{OTHER}/unit/command/set", f"{OTHER}/lease", f"{SITE}/5/hub/$state", f"{OTHER}/log/event"):
        say(speaker, topic, witness)
    say(speaker, f"{OWN}/box-02/command/set", nosy)
    foreign = {topic for topic in nosy.topics() if not topic.startswith((f"{OWN}/", f"{SITE}/5/hub/clock"))}
    assert foreign == set()


def test_a_device_hears_its_commands_and_the_clock(listen):
    device = station(listen, f"{OWN}/+/command/set {SITE}/5/hub/clock/now")
    speaker = listen("speaker", "speaker-secret", "nothing")
    for topic in (f"{OWN}/box-01/command/set", f"{SITE}/5/hub/clock/now"):
        eventually(lambda topic=topic: speaker.bus.publish(topic, b"x") or topic in device.topics())


def test_a_monitor_reads_everything_and_writes_nothing(listen):
    monitor = listen("monitor", "monitor-secret", f"{SITE}/5/#")
    witness = hub_tree(listen)
    device = station(listen)
    settle(device, monitor)
    for topic in (f"{OWN}/box-01/command/set", f"{OWN}/$state", f"{SITE}/5/hub/$state", "x"):
        with contextlib.suppress(NotConnectedError):
            monitor.bus.publish(topic, b"from-monitor", qos=0)
    time.sleep(0.3)
    assert all(message.payload != b"from-monitor" for message in witness.heard)


STATES = (
    f"{OWN}/$state",
    f"{OWN}/$alert/x",
    f"{OWN}/box-01/door",
    f"{OWN}/box-01/lock",
    f"{SITE}/5/fridge-1/probe/temperature",
    f"{SITE}/5/terminal/terminal/state",
    f"{OTHER}/slot-01/stock",
    f"{SITE}/5/entrance/door/mode",
)
SECRETS = (
    f"{SITE}/5/scanner/log/event",
    f"{OWN}/log/event",
    f"{OWN}/box-01/result",
    f"{OWN}/box-01/command",
    f"{OWN}/box-01/command/set",
    f"{OWN}/lease",
    f"{SITE}/5/scanner/scanner/scanned",
    f"{SITE}/5/atm/atm/status",
    f"{SITE}/5/atm/log/event",
)


@pytest.mark.parametrize("topic_filter", [f"{SITE}/5/+/+/+", f"{SITE}/5/#", " ".join((*STATES, *SECRETS))])
def test_home_assistant_hears_states_but_no_events_results_and_levels_of_cash(listen, topic_filter):
    """What it is refused as a whole, it may have by its literal name."""
    last = f"{OWN}/box-02/door"
    home = listen("ha", "ha-secret", " ".join((topic_filter, *STATES, last)))
    witness = hub_tree(listen)
    speaker = listen("speaker", "speaker-secret", "nothing")
    for topic in STATES:
        say(speaker, topic, home)
    for topic in SECRETS:
        say(speaker, topic, witness)
    say(speaker, last, home)
    assert home.topics() == {*STATES, last}


def test_home_assistant_may_only_wish(listen):
    witness = hub_tree(listen)
    home = listen("ha", "ha-secret", f"{OWN}/$state")
    home.bus.publish(f"{OWN}/box-01/command/set", b"x")
    say(home, f"{SITE}/5/hub/remote/command/set", witness)
    assert f"{OWN}/box-01/command/set" not in witness.topics()


def test_no_inner_subject_of_the_broker_leaks(any_broker):
    """Nobody but the server itself sees `$MQTT…` and `$JS…` of nats-server, or `$SYS` of mosquitto."""
    heard = []
    for user in ("dorf_station", "monitor", "ha"):
        secret = {"dorf_station": "station-secret", "monitor": "monitor-secret", "ha": "ha-secret"}[user]
        bus = connect(any_broker, user, secret)
        for topic_filter in ("$MQTT/#", "$JS/#", "$SYS/#", "_INBOX/#", "#", "+/#"):
            bus.subscribe(topic_filter, heard.append)
        bus.start()
        assert bus.wait_connected(5)
        time.sleep(0.5)
        bus.stop()
    assert [m.topic for m in heard if m.topic.startswith(("$", "_")) and "/5/" not in m.topic] == []


def test_the_accounts_are_for_mqtt_only(tmp_path):
    """nats-server has a door of its own besides MQTT; with it the rights of inner subjects would not hold."""
    broker = NatsBroker(tmp_path, accounts())
    broker.start()
    port = int(re.search(r"client connections on 127\.0\.0\.1:(\d+)", broker.log.read_text())[1])
    with socket.create_connection((broker.host, port), timeout=5) as door:
        assert door.recv(4096).startswith(b"INFO")
        door.sendall(b'CONNECT {"user":"hub","pass":"hub-secret","verbose":false}\r\nPING\r\n')
        assert door.recv(4096).startswith(b"-ERR")
    broker.stop()


@pytest.mark.parametrize("kind", [NatsBroker, MosquittoBroker])
def test_the_files_with_passwords_are_for_this_user_only(tmp_path, kind):
    broker = kind(tmp_path / "broker", accounts())
    broker.prepare()
    for path in broker.folder.iterdir():
        assert path.stat().st_mode & 0o077 == 0, path
    assert "hub-secret" not in (broker.folder / "passwd").read_text() if kind is MosquittoBroker else True


def test_filters_become_subjects_with_the_parent_level():
    assert subjects(["dorf/5/x/#", "dorf/5/x/+/command/set"]) == ["dorf.5.x", "dorf.5.x.>", "dorf.5.x.*.command.set"]


def test_rights_are_literal_and_per_site():
    hub = rights(Account("hub", "x", Role.HUB, ("a", "b")))
    assert hub.read == ("a/5/#", "b/5/#", "homeassistant/status")
    assert not [topic for topic in rights(Account("ha", "x", Role.HOME, ("a",))).read if topic.endswith("+/+")]
    device = rights(Account.for_device("a", "x", "x"))
    assert all(topic.startswith("a/5/x/") for topic in device.write)
