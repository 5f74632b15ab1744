"""The queue between network and database does not stay full of what can no longer be acknowledged."""

from devices.protocol import topics
from devices.protocol.bus import Incoming
from shop_hub.fleet import inbox
from shop_hub.fleet.inbox import Inbox, LinkNote, Received
from shop_hub.fleet.models import Link

TOPIC = "lindenau/5/station/log/event"


def received(number: int, connection: int, qos: int = 1) -> Received:
    return Received(Incoming(TOPIC, b"%d" % number, qos, False, False, number, connection), topics.parse(TOPIC))


def test_a_full_queue_makes_room_for_what_the_broker_sends_again(monkeypatch):
    monkeypatch.setattr(inbox, "_MOST_UNACKNOWLEDGED", 3)
    queue, note = Inbox(), LinkNote(1, Link.READY)
    assert queue.put(received(1, connection=1))
    assert queue.put(note)
    assert queue.put(received(2, connection=1))
    assert not queue.put(received(3, connection=1))

    assert queue.put(received(1, connection=2))
    assert queue.put(received(2, connection=2))
    assert not queue.put(received(3, connection=2))

    assert queue.take(10, 0) == [note, received(1, connection=2), received(2, connection=2)]
    assert queue.dropped == 2


def test_what_needs_no_acknowledgement_is_kept(monkeypatch):
    monkeypatch.setattr(inbox, "_MOST_UNACKNOWLEDGED", 1)
    queue = Inbox()
    queue.put(received(1, connection=1, qos=0))

    assert not queue.put(received(2, connection=2))
    assert queue.take(10, 0) == [received(1, connection=1, qos=0)]
