"""The contract as documents: AsyncAPI 3.0 and JSON Schema (2020-12), made from the table of topics and the models.

The AsyncAPI document is written from the device's side: it sends what devices send.
"""

import json
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from devices.protocol import mac
from devices.protocol.channels import CHANNELS, Channel, Sender
from devices.protocol.kinds import KINDS, Kind, NodeKind
from devices.protocol.limits import MAX_PAYLOAD_BYTES, PROTOCOL_VERSION
from devices.protocol.messages import Command

JSON_SCHEMA = "https://json-schema.org/draft/2020-12/schema"
_RULES = """
Refuse, with an alert: a retained command, a wrong `mac`, a `gen` lower than the highest you have seen (keep it on
disk), another `map` than yours.

Keep every command id on disk with your verdict, refusals too: it is final. An id you know is answered again (`accepted`
while you are at it, else the stored result); it never moves anything. Forget ids by count, never by date.

The `lease` must be your current or your previous one and at most 4 s old. Stamp leases with a clock that also runs in
suspend and never jumps. Look at the age and at `ttl_ms` again right before the pulse.

One command per node at a time (else `busy`), one lock pulse per station at a time. If two doors open on one pulse, stop
the station.

Write the id to disk as being carried out before anything moves. Move once. Store the verdict, then send it.

After a reboot an id that was being carried out is `unknown`. It is never tried a second time.

What the sensor says is true, not what was commanded.

A machine that does not answer is `unknown`, not `failed`.

Events and results have numbers that grow by one. Keep them until the hub's ack; a PUBACK is the broker's word only.
Send what is not acknowledged again after every connection.

Asked about an id you do not know, first write it down as refused (`unknown_id`), then answer: a late copy must not act
any more.

If you see your own `$state` become `lost`, say `ready` again.

If you lose your memory, begin a new `epoch`: the hub then knows that what was open is unknown.

Your wall clock may be wrong or missing. Nothing but `at_ms` may come from it; send `age_ms` by a clock that never
jumps.
"""
RULES = tuple(" ".join(rule.split()) for rule in _RULES.strip().split("\n\n"))
"""What a device must do; section 4 of the contract in short."""

GOLDEN_KEY = bytes(range(32))
GOLDEN_TOPIC = "dorf/5/station/box-03/command/set"
_VALUE = {
    "description": "Any JSON, but whole numbers only: ms, cents, thousandths.",
    "anyOf": [
        {"type": ["null", "boolean", "integer", "string"]},
        {"type": "array", "items": {"$ref": "#/$defs/JsonValue"}},
        {"type": "object", "additionalProperties": {"$ref": "#/$defs/JsonValue"}},
    ],
}
_QUERY_FORMS = [
    {"required": ["id"], "not": {"anyOf": [{"required": [name]} for name in ("epoch", "boot", "since_seq")]}},
    {"required": ["epoch", "boot", "since_seq"], "not": {"required": ["id"]}},
]
_PARAMETERS = {
    "site": "Short name of the shop.",
    "device": "Short name of the device; never `hub`.",
    "node": "A part of the device: a compartment, a slot, a probe.",
    "property": "One state of a node; never `command`, `result` or `set`.",
    "alert": "Name of the alert.",
}


def golden() -> tuple[bytes, Command]:
    """Return an example of the proof of origin: the bytes that are signed, and the signed command."""
    example = next(channel.example for channel in CHANNELS if channel.message is Command)
    if not isinstance(example, Command):
        raise TypeError("the example of a command is a command")
    return mac.signed_bytes(GOLDEN_TOPIC, example), mac.sign(GOLDEN_KEY, GOLDEN_TOPIC, example)


def schemas() -> dict[str, Any]:
    """Return one JSON Schema document: `$defs` holds a schema for each message, `x-device-kinds` says where they apply.

    In `x-device-kinds` each kind of device has its nodes with properties, commands and events.
    """
    return {
        "$schema": JSON_SCHEMA,
        "title": f"shop_hub device protocol, version {PROTOCOL_VERSION}",
        "$defs": dict(sorted(_definitions().items())),
        "x-device-kinds": {name: _kind(kind) for name, kind in KINDS.items()},
    }


def asyncapi(version: str) -> dict[str, Any]:
    """Return the AsyncAPI 3.0 document; `version` is that of the hub."""
    everything = _moved(schemas())
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "shop_hub devices",
            "version": version,
            "description": _introduction(),
            "x-protocol-version": PROTOCOL_VERSION,
        },
        "defaultContentType": "application/json",
        "servers": {
            "village": {
                "host": "{host}:{port}",
                "protocol": "mqtt",
                "protocolVersion": "3.1.1",
                "description": "The village's broker. User name and password come from the backoffice.",
                "variables": {"host": {"default": "localhost"}, "port": {"default": "8883"}},
                "security": [{"type": "userPassword"}],
            }
        },
        "channels": {channel.name: _channel(channel) for channel in CHANNELS},
        "operations": {_operation_name(channel): _operation(channel) for channel in CHANNELS},
        "components": {"schemas": everything["$defs"]},
        "x-device-kinds": everything["x-device-kinds"],
    }


def _definitions() -> dict[str, Any]:
    models: set[type[BaseModel]] = {channel.message for channel in CHANNELS if channel.message is not None}
    for node in (node for kind in KINDS.values() for node in kind.nodes):
        models |= {*node.operations.values(), *node.events.values()}
    ordered = sorted(models, key=lambda model: model.__name__)
    _, whole = models_json_schema([(model, "validation") for model in ordered])
    found: dict[str, Any] = whole["$defs"]
    found["JsonValue"] = _VALUE
    found["Query"]["oneOf"] = _QUERY_FORMS
    found["Command"]["properties"]["args"]["additionalProperties"] = False
    return found


def _moved(document: dict[str, Any]) -> dict[str, Any]:
    """Return schemas with references as they must be in an AsyncAPI document."""
    moved: dict[str, Any] = json.loads(json.dumps(document).replace('"#/$defs/', '"#/components/schemas/'))
    return moved


def _channel(channel: Channel) -> dict[str, Any]:
    used = {name: text for name, text in _PARAMETERS.items() if f"{{{name}}}" in channel.address}
    return {
        "address": channel.address,
        "description": channel.summary,
        "parameters": {name: {"description": text} for name, text in used.items()},
        "messages": {channel.name: _message(channel)},
    }


def _message(channel: Channel) -> dict[str, Any]:
    if channel.message is None:
        payload: dict[str, Any] = {"type": "string"} | ({"enum": list(channel.words)} if channel.words else {})
        return {"contentType": "text/plain", "payload": payload, "examples": [{"payload": channel.example}]}
    return {
        "title": channel.message.__name__,
        "payload": {"$ref": f"#/components/schemas/{channel.message.__name__}"},
        "examples": [{"payload": json.loads(example_of(channel))}],
    }


def example_of(channel: Channel) -> bytes:
    """Return a channel's example as it is sent; a command is signed with the golden key."""
    return golden()[1].encode() if channel.message is Command else channel.example_payload


def _operation_name(channel: Channel) -> str:
    return f"{'send' if channel.sender is Sender.DEVICE else 'receive'}-{channel.name}"


def _operation(channel: Channel) -> dict[str, Any]:
    mqtt: dict[str, Any] = {"qos": channel.qos, "retain": channel.retained, "bindingVersion": "0.2.0"}
    return {
        "action": "send" if channel.sender is Sender.DEVICE else "receive",
        "channel": {"$ref": f"#/channels/{channel.name}"},
        "summary": channel.summary,
        "messages": [{"$ref": f"#/channels/{channel.name}/messages/{channel.name}"}],
        "bindings": {"mqtt": mqtt},
    }


def _kind(kind: Kind) -> dict[str, Any]:
    return {
        "takesCommands": kind.actuates,
        "staleWhen": kind.stale,
        "nodes": {node.name: _node(node) for node in kind.nodes},
    }


def _node(node: NodeKind) -> dict[str, Any]:
    return {
        "usualId": node.usual_id,
        "properties": dict(node.properties),
        "commands": {name: {"$ref": f"#/$defs/{model.__name__}"} for name, model in node.operations.items()},
        "events": {name: {"$ref": f"#/$defs/{model.__name__}"} for name, model in node.events.items()},
    }


def _introduction() -> str:
    rules = "\n".join(f"{number}. {rule}" for number, rule in enumerate(RULES, start=1))
    return (
        f"Every message is UTF-8 JSON of at most {MAX_PAYLOAD_BYTES} bytes unless stated otherwise. Ids are"
        " `[a-z0-9-]+`. Unknown fields are refused in commands and ignored everywhere else. (`epoch`, `boot`, `seq`)"
        " order a device's history: `epoch` is made with its memory, `boot` counts its starts, `seq` its events and"
        f" results.\n\nA device must:\n\n{rules}\n"
    )
