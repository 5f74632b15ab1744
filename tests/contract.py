"""Holds messages against the published contract: topic, direction, QoS, retain flag and JSON Schema.

The schemas are read by `jsonschema`, which knows nothing of our models.
"""

import json
from collections.abc import Iterable

from jsonschema import Draft202012Validator

from devices.protocol import contract, topics
from devices.protocol.bus import Incoming
from devices.protocol.channels import CHANNELS, Channel, Sender, channel_of
from devices.protocol.topics import Topic, TopicKind

_SCHEMAS = contract.schemas()
_KINDS = _SCHEMAS["x-device-kinds"]


def validator(model: str) -> Draft202012Validator:
    return Draft202012Validator({**_SCHEMAS, "$ref": f"#/$defs/{model}"})


_VALIDATORS = {c.message.__name__: validator(c.message.__name__) for c in CHANNELS if c.message is not None}


def problems(messages: Iterable[Incoming], *, sender: Sender) -> list[str]:
    """Return what in the messages of one side the contract does not allow."""
    heard = [(message, topics.parse(message.topic)) for message in messages]
    own = [(message, topic) for message, topic in heard if topic is None or channel_of(topic).sender is sender]
    plans = {topic.device: json.loads(message.payload) for message, topic in own if _describes(message, topic)}
    found = [(message.topic, _problem(message, topic, plans)) for message, topic in own]
    return [f"{name}: {problem}" for name, problem in found if problem]


def _describes(message: Incoming, topic: Topic | None) -> bool:
    return topic is not None and topic.kind is TopicKind.DESCRIPTION and bool(message.payload)


def _problem(message: Incoming, topic: Topic | None, plans: dict[str, dict]) -> str:
    if topic is None:
        return "no channel has this address"
    channel = channel_of(topic)
    if message.retained and not channel.retained:
        return "retained"
    if message.qos != channel.qos:
        return f"QoS {message.qos}"
    if not message.payload and channel.retained:
        return ""  # clears what the broker keeps
    return _misshapen(message.payload, channel) or _foreign(message.payload, topic, plans.get(topic.device))


def _misshapen(payload: bytes, channel: Channel) -> str:
    if channel.message is None:
        return "" if not channel.words or payload.decode() in channel.words else "no such word"
    return first_error(_VALIDATORS[channel.message.__name__], json.loads(payload))


def first_error(check: Draft202012Validator, value: object) -> str:
    return next((error.message for error in check.iter_errors(value)), "")


def _foreign(payload: bytes, topic: Topic, plan: dict | None) -> str:
    """Tell what its own description and the table of kinds do not know of a property or event."""
    if plan is None or topic.kind not in (TopicKind.PROPERTY, TopicKind.EVENT):
        return ""
    body = json.loads(payload)
    node = body["node"] if topic.kind is TopicKind.EVENT else topic.node
    if node not in plan["nodes"]:
        return f"node {node} is not described"
    type_ = plan["nodes"][node]["type"]
    known = _KINDS[plan["kind"]]["nodes"].get(type_, {"properties": {}, "events": {}})
    if topic.kind is TopicKind.EVENT:
        schema, value, name = known["events"].get(body["type"]), body["data"], body["type"]
    else:
        schema, value, name = known["properties"].get(topic.name), body.get("value"), topic.name
        if topic.name not in plan["nodes"][node]["properties"]:
            return f"{name} is not described"
    if value is None:
        return ""  # not known
    if schema is None:
        return f"{type_} has no {name} in devices/protocol/kinds.py"
    return first_error(Draft202012Validator({**_SCHEMAS, **schema}), value)
