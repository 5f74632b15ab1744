"""The contract with devices as makers of hardware read it: its words are English in every language of the office."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from devices.protocol import contract
from devices.protocol.channels import CHANNELS, Sender
from devices.protocol.kinds import KINDS, Arguments, NodeKind


@dataclass(frozen=True)
class TopicRow:
    """One line of the table of topics."""

    address: str
    from_device: bool
    qos: int
    retained: bool
    summary: str
    example: str


@dataclass(frozen=True)
class NodeRow:
    """One type of node with what it tells and does, each as short text."""

    type: str
    usual_id: str
    properties: list[str]
    commands: list[str]
    events: list[str]


@dataclass(frozen=True)
class Golden:
    """The proof of origin, step by step."""

    key: str
    topic: str
    signed: str
    mac: str
    message: str


def topics() -> list[TopicRow]:
    """Return the table of topics, each with an example."""
    return [
        TopicRow(
            channel.address,
            channel.sender is Sender.DEVICE,
            channel.qos,
            channel.retained,
            channel.summary,
            _pretty(contract.example_of(channel)),
        )
        for channel in CHANNELS
    ]


def kinds() -> dict[str, list[NodeRow]]:
    """Return the nodes of each kind of device."""
    return {name: [_node(node) for node in kind.nodes] for name, kind in KINDS.items()}


def golden() -> Golden:
    """Return the example by which a maker tests the proof of origin."""
    signed, command = contract.golden()
    return Golden(
        key=contract.GOLDEN_KEY.hex(),
        topic=contract.GOLDEN_TOPIC,
        signed=signed.replace(b"\0", b"\\0").decode(),
        mac=command.mac,
        message=command.encode().decode(),
    )


def _pretty(payload: bytes) -> str:
    text = payload.decode()
    return json.dumps(json.loads(text), indent=2, ensure_ascii=False) if text.startswith("{") else text


def _node(node: NodeKind) -> NodeRow:
    return NodeRow(
        type=node.name,
        usual_id=node.usual_id,
        properties=[f"{name}: {_values(schema)}" for name, schema in node.properties.items()],
        commands=[f"{name}{_fields(model)}" for name, model in node.operations.items()],
        events=[f"{name}{_fields(model)}" for name, model in node.events.items()],
    )


def _values(schema: Mapping[str, object]) -> str:
    words = schema.get("enum")
    if isinstance(words, Iterable):
        return ", ".join(str(word) for word in words)
    return str(schema.get("description") or schema["type"])


def _fields(model: type) -> str:
    names = list(getattr(model, "model_fields", {}))
    opening, closing = ("{", "}") if issubclass(model, Arguments) else ("(", ")")
    return f" {opening}{', '.join(names)}{closing}" if names else ""
