"""The MQTT client under stress: breaks, failing handlers, late acknowledgements, many clients on one thread."""

import socket
import threading

import pytest

from devices.broker.dynsec_broker import DynsecBroker
from devices.broker.mosquitto import MosquittoBroker
from devices.broker.nats import NatsBroker
from devices.protocol import subscriptions
from devices.protocol.bus import Bus, BusConfig, NotConnectedError
from devices.protocol.loop import NetworkLoop
from devices.protocol.messages import MessageError, PropertyValue
from tests.devices.kit import OTHER, OWN, SITE, accounts, connect, eventually

TOPIC = f"{SITE}/5/hub/note/text"


def settle(speaker, hearer):
    """Wait until the subscriptions of the one who hears are in force."""
    arrived = []
    hearer.subscribe(f"{SITE}/5/hub/settle/#", arrived.append)
    eventually(lambda: speaker.publish(f"{SITE}/5/hub/settle/x", b"1", qos=1) or arrived)


@pytest.fixture
def pair(broker):
    """Two connections of the hub: one that speaks and one that hears."""
    speaker, hearer = (connect(broker, name, f"{name}-secret") for name in ("speaker", "hearer"))
    heard = []
    hearer.subscribe(f"{SITE}/5/hub/note/#", heard.append)
    for bus in (speaker, hearer):
        bus.start()
        assert bus.wait_connected(5)
    settle(speaker, hearer)
    heard.clear()
    yield speaker, hearer, heard
    speaker.publish(TOPIC, b"", qos=1, retain=True)
    for bus in (speaker, hearer):
        bus.stop()


def test_without_a_connection_nothing_is_sent_now_or_later(broker):
    bus = connect(broker, "hub", "hub-secret")
    for qos in (0, 1):
        with pytest.raises(NotConnectedError):
            bus.publish(TOPIC, b"x", qos=qos)
    bus.start()
    assert bus.wait_connected(5)
    bus.stop()
    with pytest.raises(NotConnectedError):
        bus.publish(TOPIC, b"x")


def test_a_failing_handler_stops_nothing(pair, caplog):
    speaker, hearer, heard = pair

    def fail(_message):
        raise RuntimeError("a bug in a handler")

    hearer.subscribe(f"{SITE}/5/hub/bad/#", fail)
    eventually(lambda: speaker.publish(f"{SITE}/5/hub/bad/x", b"1") or "an MQTT handler failed" in caplog.text)
    speaker.publish(TOPIC, b"2", qos=1)
    eventually(lambda: [m.payload for m in heard] == [b"2"])
    assert hearer.connected
    assert hearer.alive


def test_after_a_break_it_is_back_with_its_subscriptions(pair):
    speaker, hearer, heard = pair
    hearer.drop()
    eventually(lambda: not hearer.connected)
    assert hearer.wait_connected(10)
    eventually(lambda: _heard_after(speaker, heard))


def _heard_after(speaker, heard):
    speaker.publish(TOPIC, b"again")
    return heard


def test_a_subscription_made_while_connected_holds(pair):
    speaker, hearer, _ = pair
    later = []
    hearer.subscribe(f"{SITE}/5/hub/later/#", later.append)
    eventually(lambda: speaker.publish(f"{SITE}/5/hub/later/x", b"1") or later)


def test_retained_and_live_messages_are_told_apart(broker, pair):
    speaker, _, heard = pair
    speaker.publish(TOPIC, b"kept", qos=1, retain=True)
    eventually(lambda: heard)
    newcomer, late = connect(broker, "newcomer", "newcomer-secret"), []
    newcomer.subscribe(TOPIC, late.append)
    newcomer.start()
    eventually(lambda: late)
    newcomer.stop()
    assert (heard[0].retained, late[0].retained) == (False, True)


def test_the_last_will_is_published_when_the_link_breaks_and_not_after_a_goodbye(broker, pair):
    _, _, heard = pair
    polite, rude = (
        Bus(BusConfig(broker.host, broker.port, name, name, f"{name}-secret", will_topic=TOPIC, will_payload=b"gone"))
        for name in ("polite", "rude")
    )
    polite.start()
    assert polite.wait_connected(5)
    polite.stop()
    rude.start()
    assert rude.wait_connected(5)
    assert heard == []
    rude.drop()
    eventually(lambda: [m.payload for m in heard] == [b"gone"])
    rude.stop()


def test_the_last_word_arrives_however_much_was_said_before(broker, pair):
    _, _, heard = pair
    newcomer = connect(broker, "newcomer", "newcomer-secret")
    newcomer.start()
    assert newcomer.wait_connected(5)
    for number in range(400):  # paho hands over a hundred at a time
        newcomer.publish(f"{SITE}/5/hub/note/{number % 7}", b"x", qos=1)
    newcomer.publish(TOPIC, b"goodbye", qos=1)
    newcomer.stop()
    eventually(lambda: [m.payload for m in heard][-1:] == [b"goodbye"])
    assert len(heard) == 401


def test_unacknowledged_messages_come_again_on_the_next_connection(broker, pair):
    speaker, _, _ = pair
    config = BusConfig(
        broker.host, broker.port, "durable", "newcomer", "newcomer-secret", clean_session=False, manual_ack=True
    )
    topic, heard = f"{SITE}/5/station/door/state", []
    bus = Bus(config)
    bus.subscribe(f"{SITE}/5/+/+/+", heard.append)
    bus.start()
    assert bus.wait_connected(5)
    eventually(lambda: speaker.publish(topic, b"first", qos=1) or heard)
    bus.ack(heard[0])
    speaker.publish(topic, b"second", qos=1)
    eventually(lambda: heard[-1].payload == b"second")
    bus.stop()
    heard.clear()
    again = Bus(config)
    again.subscribe(f"{SITE}/5/+/+/+", heard.append)
    again.start()
    eventually(lambda: any(m.payload == b"second" for m in heard), 40)
    for message in heard:
        again.ack(message)
    again.stop()


def test_small_packets_are_not_held_back(pair):
    speaker, _, _ = pair
    assert speaker.socket().getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_too_large_a_message_is_refused_before_it_is_sent(pair):
    speaker, _, heard = pair
    with pytest.raises(MessageError):
        speaker.publish(TOPIC, PropertyValue(epoch="0" * 16, boot=1, seq=1, value="x" * 5000))
    assert heard == []


def test_a_wrong_password_is_refused_and_tried_again_quietly(broker):
    bus = connect(broker, "hub", "wrong")
    bus.start()
    assert not bus.wait_connected(1)
    assert bus.alive
    bus.stop()


# A subscription that the broker refuses: mosquitto with accounts in files grants all and delivers what is allowed

FOREIGN = f"{OTHER}/+/command/set"


def as_station(broker, *, needs_all, on_connect=None):
    """Return a bus of the station that wants to hear its own commands and another device's."""
    config = BusConfig(broker.host, broker.port, "dorf_station", "dorf_station", "station-secret", needs_all=needs_all)
    bus, heard = Bus(config, on_connect=on_connect), []
    for topic_filter in (f"{OWN}/+/command/set", FOREIGN):
        bus.subscribe(topic_filter, heard.append)
    return bus, heard


def refuses(broker):
    return not isinstance(broker, MosquittoBroker) or isinstance(broker, DynsecBroker)


def test_a_connection_that_hears_less_than_it_must_is_none_and_is_tried_again(any_broker, caplog):
    greetings = []
    bus, _ = as_station(any_broker, needs_all=True, on_connect=lambda: greetings.append(1))
    bus.start()
    if refuses(any_broker):
        eventually(lambda: bus.subscriptions.refusals >= 3)
        assert (greetings, bus.connected) == ([], False)
        assert f"refuses dorf_station to hear {FOREIGN}" in caplog.text
        with pytest.raises(NotConnectedError):
            bus.publish(f"{OWN}/$state", b"ready", qos=1)
        assert bus._retry_s > 1.0
    else:
        assert bus.wait_connected(5)
        assert greetings == [1]
    bus.stop()


def test_where_it_may_it_serves_on_and_asks_again_for_what_was_refused(any_broker, monkeypatch):
    monkeypatch.setattr(subscriptions, "_ASK_AGAIN_S", 0.1)
    speaker = connect(any_broker, "speaker", "speaker-secret")
    bus, heard = as_station(any_broker, needs_all=False)
    for one in (bus, speaker):
        one.start()
        assert one.wait_connected(5)
    eventually(lambda: speaker.publish(f"{OWN}/box-01/command/set", b"x") or heard)
    if refuses(any_broker):
        eventually(lambda: bus.subscriptions.refusals >= 3)
        assert bus.subscriptions.refused == {FOREIGN}
    assert bus.connected
    for one in (bus, speaker):
        one.stop()


def test_fifty_clients_share_one_thread(broker, pair):
    _, _, heard = pair
    loop = NetworkLoop("many")
    made = [
        Bus(BusConfig(broker.host, broker.port, f"many-{number}", f"many-{number}", f"many-{number}-secret"), loop=loop)
        for number in range(50)
    ]
    before = threading.active_count()
    for bus in made:
        bus.start()
    for bus in made:
        assert bus.wait_connected(20)
    assert threading.active_count() <= before + 1
    for bus in made:
        bus.publish(TOPIC, b"x", qos=1)
    eventually(lambda: len(heard) == 50)
    for bus in made:
        bus.drop()
    for bus in made:
        assert bus.wait_connected(20)
    for bus in made:
        bus.stop()
    loop.close()


def test_it_survives_a_broker_that_is_killed_and_started_again(tmp_path):
    broker = NatsBroker(tmp_path, accounts())
    broker.start()
    speaker, hearer = (connect(broker, name, f"{name}-secret") for name in ("speaker", "hearer"))
    heard = []
    hearer.subscribe(TOPIC, heard.append)
    for bus in (speaker, hearer):
        bus.start()
        assert bus.wait_connected(5)
    settle(speaker, hearer)
    speaker.publish(TOPIC, b"kept", qos=1, retain=True)
    eventually(lambda: heard)
    newcomer, stored = connect(broker, "newcomer", "newcomer-secret"), []
    newcomer.subscribe(TOPIC, stored.append)
    newcomer.start()
    eventually(lambda: stored and heard)
    newcomer.stop()
    broker.kill()
    eventually(lambda: not speaker.connected and not hearer.connected)
    with pytest.raises(NotConnectedError):
        speaker.publish(TOPIC, b"lost")
    heard.clear()
    broker.start()
    assert hearer.wait_connected(15)
    assert speaker.wait_connected(15)
    eventually(lambda: [(m.payload, m.retained) for m in heard] == [(b"kept", True)])
    for bus in (speaker, hearer):
        bus.stop()
    broker.stop()
