"""What a rogue device, or somebody with its password, can do to the others at each broker: nothing."""

import contextlib
import json
import time
from dataclasses import replace

from devices.agent.agent import Agent, AgentConfig
from devices.agent.device import Device
from devices.agent.host import Host
from devices.protocol.bus import Bus, BusConfig, NotConnectedError
from tests.devices.kit import OTHER, OWN, SITE, connect, eventually, hub_tree, settle, station


class Quiet(Device):
    """A machine that has nothing to say."""

    kind = "locker"

    def describe(self):
        return {}

    def start(self, agent):
        pass


def test_nobody_hears_what_nats_delivers_to_others(listen):
    """A QoS 1 message travels inside nats-server on a subject that every user may hear as far as its own goes."""
    witness = hub_tree(listen)
    nosy = station(listen, "$MQTT/sub/# $MQTT/sub/+ $MQTT/# $JS/# $JSC/# $SYS/#")
    speaker = listen("speaker", "speaker-secret", "nothing")
    for number in range(20):
        speaker.bus.publish(f"{OTHER}/log/event", b"secret-%d" % number, qos=1)
    eventually(lambda: f"{OTHER}/log/event" in witness.topics())
    time.sleep(0.3)
    assert [message.topic for message in nosy.heard] == []


FRIDGE = f"{SITE}/5/fridge-1"


def die(broker, will_topic) -> None:
    """Connect as the fridge with a last will, and die."""
    config = BusConfig(broker.host, broker.port, "x", "dorf_fridge-1", "fridge-1-secret", will_topic=will_topic)
    rogue = Bus(replace(config, will_payload=b"lost"))
    rogue.start()
    if rogue.wait_connected(2):
        rogue.drop()
        eventually(lambda: not rogue.connected)
    rogue.stop()


def test_a_last_will_reaches_no_further_than_its_owner(any_broker, listen):
    witness = hub_tree(listen)
    for topic in (f"{OTHER}/$state", f"{SITE}/5/hub/$state", f"{OTHER}/unit/command/set", "elsewhere"):
        die(any_broker, topic)
    die(any_broker, f"{FRIDGE}/$state")
    eventually(lambda: f"{FRIDGE}/$state" in witness.topics())
    assert {message.topic for message in witness.heard if message.payload == b"lost"} == {f"{FRIDGE}/$state"}
    witness.bus.publish(f"{FRIDGE}/$state", b"", qos=1, retain=True)
    eventually(lambda: witness.heard[-1].payload == b"")


def test_a_forgery_is_not_kept_for_later(listen):
    rogue = station(listen)
    for topic in (f"{OTHER}/$state", f"{OTHER}/unit/command/set", f"{OWN}/box-01/command/set", f"{SITE}/5/hub/$state"):
        with contextlib.suppress(NotConnectedError):
            rogue.bus.publish(topic, b"forged", qos=0, retain=True)
            time.sleep(0.02)
    settle(rogue, hub_tree(listen))
    rogue.bus.stop()
    late = listen("hearer", "hearer-secret", f"{SITE}/5/#")
    settle(listen("speaker", "speaker-secret", "nothing"), late)
    assert [message.topic for message in late.heard if message.payload == b"forged"] == []


def test_orders_to_the_broker_itself_are_refused(any_broker, listen):
    """A device cannot delete nats-server's streams, nor give itself an account at mosquitto's plugin."""
    witness = hub_tree(listen)
    keeper = listen("speaker", "speaker-secret", "nothing")
    keeper.bus.publish(f"{OTHER}/$state", b"ready", qos=1, retain=True)
    eventually(lambda: f"{OTHER}/$state" in witness.topics())
    grab = {"command": "createClient", "username": "intruder", "password": "x", "roles": [{"rolename": "hub"}]}
    orders = {
        "$JS/API/STREAM/PURGE/$MQTT_rmsgs": b"{}",
        "$JS/API/STREAM/DELETE/$MQTT_msgs": b"{}",
        "$CONTROL/dynamic-security/v1": json.dumps({"commands": [grab]}).encode(),
    }
    for user, password in (("dorf_station", "station-secret"), ("monitor", "monitor-secret"), ("hub", "hub-secret")):
        rogue = connect(any_broker, user, password)
        rogue.start()
        assert rogue.wait_connected(5)
        for topic, payload in orders.items():
            with contextlib.suppress(NotConnectedError):
                rogue.publish(topic, payload, qos=0)
                time.sleep(0.05)
        rogue.stop()
    late = listen("hearer", "hearer-secret", f"{SITE}/5/#")
    eventually(lambda: f"{OTHER}/$state" in late.topics())
    intruder = connect(any_broker, "intruder", "x")
    intruder.start()
    assert not intruder.wait_connected(1)
    intruder.stop()
    keeper.bus.publish(f"{OTHER}/$state", b"", qos=1, retain=True)


def test_nobody_throws_another_out_by_its_client_id(any_broker, tmp_path):
    """mosquitto takes the user's name for the id; for nats-server the ids of agents and hub cannot be guessed."""
    host = Host()
    agent = Agent(agent_config(any_broker, tmp_path), Quiet(), host)
    agent.start()
    try:
        eventually(lambda: agent.connected)
        number = agent._bus._connection
        rogue = connect(any_broker, "dorf_fridge-1", "fridge-1-secret", client_id="dorf_station")
        rogue.start()
        assert rogue.wait_connected(5)
        time.sleep(0.3)
        rogue.stop()
        assert agent.connected
        assert agent._bus._connection == number
        assert agent._bus.config.client_id != "dorf_station"
    finally:
        agent.stop()
        host.close()


def agent_config(broker, folder):
    return AgentConfig(
        site=SITE,
        device="station",
        name="x",
        key=b"k" * 32,
        host=broker.host,
        port=broker.port,
        password="station-secret",
        journal=folder / "journal",
    )


def test_a_message_of_a_megabyte_harms_only_its_sender(listen):
    witness, bystander = hub_tree(listen), listen("dorf_vending", "vending-secret", f"{OTHER}/+/command/set")
    number = bystander.bus._connection
    device = station(listen)
    for _ in range(3):
        eventually(lambda: device.bus.connected)
        with contextlib.suppress(NotConnectedError):
            device.bus.publish(f"{OWN}/log/event", b"x" * 1_000_000, qos=1)
        eventually(lambda: not device.bus.connected)
    device.bus.stop()
    settle(listen("speaker", "speaker-secret", "nothing"), witness)
    assert f"{OWN}/log/event" not in witness.topics()
    assert bystander.bus._connection == number
