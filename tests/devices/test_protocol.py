"""Topics, messages, ids and proof of origin, without any broker."""

import json
import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from devices.protocol import ids, mac, topics
from devices.protocol.description import Description, NodeDescription, PropertyDescription
from devices.protocol.messages import (
    Ack,
    Command,
    Event,
    Lease,
    MessageError,
    PropertyValue,
    Query,
    Result,
    ResultState,
)
from devices.protocol.topics import Topic, TopicKind

ID = st.from_regex(r"[a-z0-9-]{1,20}", fullmatch=True)
COMMAND_ID = "01JD9Z0Q6J3M7M2YB4C1T8K5XE"
COMMAND = Command(
    id=COMMAND_ID, op="open", lease="q7Zk", ttl_ms=2000, map=17, gen=4, by="grant:8c1f", args={"hold_s": 5}
)
TOPIC = "dorf/5/station/box-03/command/set"


def test_ulids_have_the_published_shape_and_carry_the_time():
    made = ids.new_ulid()
    assert re.fullmatch(ids.ULID_PATTERN, made)
    alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
    stamp = 0
    for letter in made[:10]:
        stamp = stamp * 32 + alphabet.index(letter)
    assert abs(stamp - time.time_ns() // 1_000_000) < 60_000
    assert len({ids.new_ulid() for _ in range(1000)}) == 1000


@pytest.mark.parametrize(
    ("built", "expected", "meaning"),
    [
        (topics.state_topic("d", "x"), "d/5/x/$state", Topic("d", "x", TopicKind.STATE)),
        (topics.description_topic("d", "x"), "d/5/x/$description", Topic("d", "x", TopicKind.DESCRIPTION)),
        (topics.alert_topic("d", "x", "a"), "d/5/x/$alert/a", Topic("d", "x", TopicKind.ALERT, name="a")),
        (topics.lease_topic("d", "x"), "d/5/x/lease", Topic("d", "x", TopicKind.LEASE)),
        (
            topics.property_topic("d", "x", "n", "door"),
            "d/5/x/n/door",
            Topic("d", "x", TopicKind.PROPERTY, "n", "door"),
        ),
        (topics.command_set_topic("d", "x", "n"), "d/5/x/n/command/set", Topic("d", "x", TopicKind.COMMAND_SET, "n")),
        (topics.command_topic("d", "x", "n"), "d/5/x/n/command", Topic("d", "x", TopicKind.COMMAND, "n")),
        (topics.result_topic("d", "x", "n"), "d/5/x/n/result", Topic("d", "x", TopicKind.RESULT, "n")),
        (topics.event_topic("d", "x"), "d/5/x/log/event", Topic("d", "x", TopicKind.EVENT)),
        (topics.query_set_topic("d", "x"), "d/5/x/log/query/set", Topic("d", "x", TopicKind.QUERY_SET)),
        (topics.ack_set_topic("d", "x"), "d/5/x/log/ack/set", Topic("d", "x", TopicKind.ACK_SET)),
        (topics.clock_topic("d"), "d/5/hub/clock/now", Topic("d", "hub", TopicKind.CLOCK)),
    ],
)
def test_topics_are_built_and_read_alike(built, expected, meaning):
    assert (built, topics.parse(built)) == (expected, meaning)


FOREIGN = (
    "|d/5/x|d/4/x/lease|d/5/x/n/command/get|d/5/x/a/b/c/d|D/5/x/lease|d/5/x/n/+|d/5/x/$new|d/5/x/$alert|d/5//lease"
    "|d/5/x/n.o/door|$SYS/broker/uptime|d/5/x/n/$name|d/5/x/n/set"
)


@pytest.mark.parametrize("foreign", FOREIGN.split("|"))
def test_foreign_topics_mean_nothing(foreign):
    assert topics.parse(foreign) is None


@pytest.mark.parametrize("bad", ["", "Dorf", "a b", "a/b", "+", "#", "a.b", "ä", "$x", "a\n", "x" * 65])
def test_an_id_with_other_signs_never_reaches_a_topic(bad):
    with pytest.raises(ValueError, match="not a topic id"):
        topics.device_topic("dorf", bad, "lease")


def test_reserved_names_are_refused():
    with pytest.raises(ValueError, match="reserved"):
        topics.property_topic("d", "x", "n", "command")
    with pytest.raises(ValueError, match="no device"):
        topics.user_name("d", "hub")


@given(ID, ID, ID, ID)
def test_every_property_topic_is_read_back(site, device, node, name):
    if name in ("command", "result", "set") or node == "log" or (device, node, name) == (device, "clock", "now"):
        return
    parsed = topics.parse(topics.property_topic(site, device, node, name))
    assert parsed == Topic(site, device, TopicKind.PROPERTY, node, name)


@given(st.text(max_size=60))
def test_no_text_makes_the_topic_reader_fail(text):
    parsed = topics.parse(text)
    assert parsed is None or topics.is_id(parsed.site)


def test_a_command_survives_the_wire_and_refuses_what_it_does_not_know():
    assert Command.decode(COMMAND.encode()) == COMMAND
    with pytest.raises(MessageError, match="extra: extra_forbidden"):
        Command.decode(COMMAND.encode().replace(b'"v":1', b'"v":1,"extra":2'))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b'"ttl_ms":2000', b'"ttl_ms":"2000"'),
        (b'"ttl_ms":2000', b'"ttl_ms":0'),
        (b'"ttl_ms":2000', b'"ttl_ms":2000.5'),
        (b'"hold_s":5', b'"hold_s":5.5'),
        (b'"hold_s":5', b'"hold_s":[{"deep":0.1}]'),
        (b'"v":1', b'"v":2'),
        (b'"v":1', b'"v":true'),
        (b"01JD9Z", b"01jd9z"),
        (b'"map":17', b'"map":-1'),
        (b'"op":"open"', b'"op":"Open!"'),
        (b'"id"', b'"name"'),
    ],
)
def test_a_command_of_another_shape_is_refused(before, after):
    assert before in COMMAND.encode()
    with pytest.raises(MessageError):
        Command.decode(COMMAND.encode().replace(before, after))


@given(st.binary(max_size=200))
def test_no_bytes_make_the_readers_fail_otherwise(payload):
    for model in (Command, Result, Event, Lease, Ack, Query, PropertyValue):
        try:
            model.decode(payload)
        except MessageError:
            continue


def test_the_refusal_names_fields_but_no_values():
    with pytest.raises(MessageError) as caught:
        Command.decode(COMMAND.encode().replace(b'"lease":"q7Zk"', b'"lease":["secret"]'))
    assert "lease" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_results_and_events_ignore_what_is_new():
    result = Result(id=COMMAND_ID, state=ResultState.DONE, epoch="9c51" * 4, boot=12, seq=8812, data={"trace": 7})
    assert Result.decode(result.encode().replace(b'"v":1', b'"v":1,"new":{"a":1}')) == result
    event = Event(event=f"{'9c51' * 4}/12/8813", node="box-03", type="opened", cause=COMMAND_ID)
    assert Event.decode(event.encode().replace(b'"v":1', b'"v":1,"new":[]')) == event
    assert (event.epoch, event.boot, event.seq) == ("9c51" * 4, 12, 8813)


def test_messages_above_4_kb_are_refused_on_both_sides():
    large = COMMAND.model_copy(update={"args": {"text": "x" * 4096}})
    with pytest.raises(MessageError, match="bytes"):
        large.encode()
    with pytest.raises(MessageError, match="bytes"):
        Command.decode(large.model_dump_json().encode())


def test_a_query_has_exactly_one_form():
    assert Query(id=COMMAND_ID).since_seq is None
    assert Query(epoch="0" * 16, boot=1, since_seq=5).id is None
    for fields in ({}, {"epoch": "0" * 16}, {"id": COMMAND_ID, "since_seq": 1, "boot": 1, "epoch": "0" * 16}):
        with pytest.raises(ValidationError):
            Query(**fields)


def test_the_mac_covers_topic_and_every_field():
    key = b"k" * 32
    signed = mac.sign(key, TOPIC, COMMAND)
    assert mac.verify(key, TOPIC, Command.decode(signed.encode()))
    assert not mac.verify(b"other", TOPIC, signed)
    assert not mac.verify(key, TOPIC.replace("03", "04"), signed)
    changes = {"id": ids.new_ulid(), "op": "shut", "lease": "x", "ttl_ms": 1, "map": 1, "gen": 5, "by": "", "args": {}}
    assert set(changes) == set(Command.model_fields) - {"mac", "v"}
    for name, value in changes.items():
        assert not mac.verify(key, TOPIC, signed.model_copy(update={name: value})), name


def test_the_mac_is_the_same_as_made_by_hand():
    import hashlib
    import hmac
    import json

    fields = json.loads(COMMAND.encode())
    del fields["mac"]
    text = json.dumps(fields, sort_keys=True, separators=(",", ":"))
    expected = hmac.new(b"k", TOPIC.encode() + b"\0" + text.encode(), hashlib.sha256).hexdigest()
    assert mac.sign(b"k", TOPIC, COMMAND).mac == expected


def test_a_description_changes_its_version_with_its_content():
    door = PropertyDescription(datatype="enum", format="open,closed")
    first = Description(name="Station", kind="locker", nodes={"box-01": NodeDescription(properties={"door": door})})
    again = first.model_copy(update={"version": 7}).stamped()
    other = first.model_copy(update={"map": 18}).stamped()
    assert first.stamped() == again
    assert other.version != again.version
    assert Description.decode(again.encode()) == again


@pytest.mark.parametrize("field", ["name", "kind", "maker", "firmware"])
def test_a_description_with_a_book_in_it_is_refused(field):
    told = {"name": "Station", "kind": "locker"}
    assert Description.decode(json.dumps(told | {field: "x" * 80}).encode())
    with pytest.raises(MessageError):
        Description.decode(json.dumps(told | {field: "x" * 81}).encode())


def test_an_unknown_value_survives_the_wire():
    for value in (None, False, 0, "", {"since": None}):
        message = PropertyValue(epoch="0" * 16, boot=1, seq=1, value=value)
        assert PropertyValue.decode(message.encode()) == message
