"""The published contract: a good document, true to the models, and true to what devices really send."""

import hashlib
import hmac
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from devices.broker import accounts
from devices.protocol import contract, topics
from devices.protocol.bus import Incoming
from devices.protocol.channels import CHANNELS, Sender, channel_of
from devices.protocol.kinds import KINDS
from devices.protocol.messages import Command, MessageError, Query
from devices.protocol.topics import TopicKind
from tests.contract import first_error, problems, validator
from tests.devices.kit import KINDS as NAMES
from tests.devices.kit import SITE, eventually

DOCUMENT = contract.asyncapi("1.2.3")
VALUES = {"site": SITE, "device": "station", "node": "box-03", "property": "door", "alert": "refused-command"}


def test_the_document_has_the_shape_of_asyncapi_3():
    assert DOCUMENT["asyncapi"] == "3.0.0"
    assert DOCUMENT["info"]["version"] == "1.2.3"
    for name, channel in DOCUMENT["channels"].items():
        assert set(re.findall(r"{(\w+)}", channel["address"])) == set(channel["parameters"])
        assert list(channel["messages"]) == [name]
    for operation in DOCUMENT["operations"].values():
        assert operation["action"] in ("send", "receive")
        mqtt = operation["bindings"]["mqtt"]
        assert (mqtt["qos"] in (0, 1), type(mqtt["retain"])) == (True, bool)
    assert sorted(o["channel"]["$ref"] for o in DOCUMENT["operations"].values()) == sorted(
        f"#/channels/{name}" for name in DOCUMENT["channels"]
    )


def test_every_reference_of_the_document_leads_somewhere():
    references = re.findall(r'"\$ref": "#/([^"]+)"', json.dumps(DOCUMENT))
    assert len(references) > 20
    for reference in references:
        found = DOCUMENT
        for part in reference.split("/"):
            found = found[part]


def test_the_schemas_are_json_schema_2020_12():
    Draft202012Validator.check_schema(contract.schemas())
    for kind in contract.schemas()["x-device-kinds"].values():
        for node in kind["nodes"].values():
            for schema in node["properties"].values():
                Draft202012Validator.check_schema(schema)


@pytest.mark.parametrize("channel", CHANNELS, ids=lambda channel: channel.name)
def test_the_example_of_a_channel_is_a_message_of_it(channel):
    topic = topics.parse(channel.address.format(**VALUES))
    assert topic is not None
    assert channel_of(topic) is channel
    message = Incoming(channel.address.format(**VALUES), contract.example_of(channel), channel.qos, False, False, 0, 0)
    assert problems([message], sender=channel.sender) == []


def test_each_kind_of_topic_has_its_channel_and_its_only_sender():
    assert {channel.kind for channel in CHANNELS} == set(TopicKind)
    device = accounts.rights(accounts.Account.for_device(SITE, "station", "x"))
    for channel in CHANNELS:
        address = channel.address.format(**VALUES)
        assert any(fits(filter_, address) for filter_ in device.write) == (channel.sender is Sender.DEVICE), address
        if channel.sender is Sender.HUB and channel.name != "hub":
            assert any(fits(filter_, address) for filter_ in device.read), address


def fits(filter_, topic):
    return re.fullmatch(re.escape(filter_).replace(r"\+", "[^/]+"), topic) is not None


def test_the_golden_example_holds_whoever_computes_it():
    signed, command = contract.golden()
    fields = (
        b'{"args":{},"by":"grant:8c1f","gen":4,"id":"01JD9Z0Q6J3M7M2YB4C1T8K5XE","lease":"q7ZkX0c2mB4rT9vYwL1dHg",'
        b'"map":17,"op":"open","ttl_ms":2000,"v":1}'
    )
    assert signed == b"dorf/5/station/box-03/command/set\0" + fields
    assert command.mac == "5e829441296bf385cfc040a75883b04591daed0e5e5965b18484a034198d1fe1"
    key = bytes.fromhex("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f")
    assert hmac.new(key, signed, hashlib.sha256).hexdigest() == command.mac


LEAVES = st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text(max_size=5) | st.just(0.5)
JSON = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner))


@given(st.sampled_from([*Command.model_fields, "more"]), JSON)
def test_schema_and_model_refuse_the_same_commands(name, value):
    fields = json.loads(contract.golden()[1].encode()) | {name: value}
    assert bool(first_error(validator("Command"), fields)) == is_refused(Command, fields)


@given(st.dictionaries(st.sampled_from(["id", "node", "epoch", "boot", "since_seq"]), st.just("x")))
def test_schema_and_model_refuse_the_same_questions(chosen):
    good = {"id": "01JD9Z0Q6J3M7M2YB4C1T8K5XE", "node": "log", "epoch": "0" * 16, "boot": 1, "since_seq": 2}
    fields = {name: good[name] for name in chosen}
    assert bool(first_error(validator("Query"), fields)) == is_refused(Query, fields)


def is_refused(model, fields):
    try:
        model.decode(json.dumps(fields).encode())
    except MessageError:
        return True
    return False


# What devices really send


def test_every_message_of_every_kind_of_device_keeps_the_contract(hub, villages):
    village = villages.start(*NAMES)
    box = {"node": "box-03"}
    hub.result(hub.order("station", "box-03", "open").id)
    village.control("station", "close_door", box)
    village.control("station", "fault", {"node": "box-04", "name": "jam"})
    hub.result(hub.order("station", "box-04", "open").id)
    village.control("station", "board", {"board": "board-3", "dead": True})
    hub.result(hub.order("vending", "unit", "vend", slot="slot-01", order="sale-1").id)
    village.control("vending", "refill", {"node": "slot-01", "stock": 6})
    hub.result(hub.order("entrance", "door", "unlock", hold_s=5).id)
    village.control("entrance", "enter", {})
    village.control("entrance", "leave", {})
    hub.result(hub.order("entrance", "door", "mode", mode="locked").id)
    hub.result(hub.order("terminal", "terminal", "charge", cents=250, reference="sale-2").id)
    hub.result(hub.order("printer", "printer", "print", document={"title": "Bon", "lines": ["1"]}).id)
    village.control("atm", "device", {"status": "hardwareError"})
    village.control("fridge-1", "temperature", {"milli": 20_000})
    eventually(lambda: village.control("scanner", "look", {})["connected"])
    village.control("scanner", "scan", {"data": "4006381333931", "prefix": "]E0"})
    hub.send("station", "box-05", hub.command("station", "open"), key="00" * 32)
    told = {"station": "board-lost", "vending": "audit", "entrance": "exit", "scanner": "scanned"}
    told |= {"atm": "status-changed", "fridge-1": "limit-exceeded"}
    for device, event in told.items():
        eventually(lambda device=device, event=event: event in hub.types(device))
    eventually(lambda: any("/$alert/" in message.topic for message in hub.seen))

    assert problems(list(hub.seen), sender=Sender.DEVICE) == []
    told = {topics.parse(message.topic).kind for message in hub.seen}
    assert {channel.kind for channel in CHANNELS if channel.sender is Sender.DEVICE} <= told


def test_the_broker_keeps_exactly_what_the_contract_calls_retained(hub, villages):
    villages.start("station")
    hub.result(hub.order("station", "box-03", "open").id)
    eventually(lambda: hub.types("station") == ["opened"])
    hub.seen.clear()
    hub.bus.subscribe(f"{SITE}/5/station/+", hub.hear)
    hub.bus.subscribe(f"{SITE}/5/station/+/+", hub.hear)
    eventually(lambda: any(m.retained and m.topic.endswith("/result") for m in list(hub.seen)))

    kept = {channel_of(topics.parse(m.topic)).name for m in list(hub.seen) if m.retained and m.payload}
    assert kept == {"state", "description", "property", "result"}


def test_what_a_device_says_of_itself_fits_its_kind(hub, villages):
    villages.start(*NAMES)
    eventually(lambda: all(hub.state(name) == "ready" for name in NAMES))
    for name, kind in NAMES.items():
        description = json.loads(hub.payloads(topics.description_topic(SITE, name))[-1])
        assert description["kind"] == kind
        assert description["protocol"] == 1
        for node in description["nodes"].values():
            known = KINDS[kind].node(node["type"])
            assert known is not None
            assert set(node["properties"]) <= set(known.properties)
    assert set(NAMES.values()) == set(KINDS)


def test_the_checker_finds_what_is_wrong():
    good = contract.example_of(next(c for c in CHANNELS if c.name == "event"))
    event = topics.event_topic(SITE, "station")
    wrong = [
        Incoming(event, good, 0, False, False, 0, 0),
        Incoming(event, good, 1, True, False, 0, 0),
        Incoming(event, good.replace(b'"opened"', b'"Opened!"'), 1, False, False, 0, 0),
        Incoming(f"{SITE}/5/station/no/such/topic", good, 1, False, False, 0, 0),
        Incoming(topics.state_topic(SITE, "station"), b"asleep", 1, True, False, 0, 0),
    ]
    assert [bool(problems([message], sender=Sender.DEVICE)) for message in wrong] == [True] * 5
