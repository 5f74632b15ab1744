"""The topic tree: `<site>/5/<device>/…` with ids of `[a-z0-9-]+` (Homie 5 plus commands, leases and a log).

Building checks every id, so that no wildcard and no dot ever reaches a topic: nats-server maps `/` to `.`.
"""

import re
from dataclasses import dataclass
from enum import StrEnum

VERSION = "5"
HUB = "hub"
LOG_NODE = "log"

_ID = re.compile(r"[a-z0-9-]{1,64}\Z")
_RESERVED_PROPERTIES = frozenset({"command", "result", "set"})


class TopicKind(StrEnum):
    """What a topic carries."""

    STATE = "$state"
    DESCRIPTION = "$description"
    ALERT = "$alert"
    LEASE = "lease"
    PROPERTY = "property"
    COMMAND_SET = "command/set"
    COMMAND = "command"
    RESULT = "result"
    EVENT = "log/event"
    QUERY_SET = "log/query/set"
    ACK_SET = "log/ack/set"
    CLOCK = "clock/now"


@dataclass(frozen=True, slots=True)
class Topic:
    """One parsed topic. `node` and `name` are empty where the kind has none; `name` is a property or an alert."""

    site: str
    device: str
    kind: TopicKind
    node: str = ""
    name: str = ""


def is_id(text: str) -> bool:
    """Tell whether the text may be a site, device, node or property id."""
    return _ID.match(text) is not None


def device_topic(site: str, device: str, *rest: str) -> str:
    """Return `<site>/5/<device>/<rest…>`.

    Raises:
        ValueError: a part is no id (a leading `$` is allowed in `rest`).
    """
    for part in (site, device, *(part.removeprefix("$") for part in rest)):
        if not is_id(part):
            raise ValueError(f"not a topic id: {part!r}")
    return "/".join((site, VERSION, device, *rest))


def site_filter(site: str) -> str:
    """Return the filter for everything of a site: `<site>/5/#`."""
    return f"{device_topic(site, HUB).rsplit('/', 1)[0]}/#"


def state_topic(site: str, device: str) -> str:
    """Return the topic of a device's presence, which is also its last will."""
    return device_topic(site, device, "$state")


def description_topic(site: str, device: str) -> str:
    """Return the topic of a device's retained description."""
    return device_topic(site, device, "$description")


def alert_topic(site: str, device: str, alert: str) -> str:
    """Return the topic of one retained alert; an empty payload clears it."""
    return device_topic(site, device, "$alert", alert)


def property_topic(site: str, device: str, node: str, name: str) -> str:
    """Return the topic of a node's retained property.

    Raises:
        ValueError: the name is reserved for commands and results.
    """
    if name in _RESERVED_PROPERTIES:
        raise ValueError(f"reserved: {name}")
    return device_topic(site, device, node, name)


def lease_topic(site: str, device: str) -> str:
    """Return the topic of a device's leases."""
    return device_topic(site, device, "lease")


def command_set_topic(site: str, device: str, node: str) -> str:
    """Return where the hub sends commands for a node: QoS 0, never retained."""
    return device_topic(site, device, node, "command", "set")


def command_topic(site: str, device: str, node: str) -> str:
    """Return where a device says that it accepted a command."""
    return device_topic(site, device, node, "command")


def result_topic(site: str, device: str, node: str) -> str:
    """Return the topic of a node's results; the newest is retained."""
    return device_topic(site, device, node, "result")


def event_topic(site: str, device: str) -> str:
    """Return the topic of a device's events."""
    return device_topic(site, device, LOG_NODE, "event")


def query_set_topic(site: str, device: str) -> str:
    """Return where the hub asks for an old verdict or old events."""
    return device_topic(site, device, LOG_NODE, "query", "set")


def ack_set_topic(site: str, device: str) -> str:
    """Return where the hub says up to which number it has committed."""
    return device_topic(site, device, LOG_NODE, "ack", "set")


def clock_topic(site: str) -> str:
    """Return where the hub tells the time, a hint and never a guard."""
    return device_topic(site, HUB, "clock", "now")


def wish_topic(site: str) -> str:
    """Return where a home automation says what it wishes; the hub decides."""
    return device_topic(site, HUB, "remote", "command", "set")


def user_name(site: str, device: str) -> str:
    """Return a device's user name at the broker, which is also its client id: `<site>_<device>`.

    Raises:
        ValueError: a part is no id, or `hub` (reserved).
    """
    if device == HUB or not (is_id(site) and is_id(device)):
        raise ValueError(f"no device: {site!r} {device!r}")
    return f"{site}_{device}"


def parse(topic: str) -> Topic | None:
    """Return what a topic means, or None for a foreign or malformed one."""
    parts = topic.split("/")
    if len(parts) < 4 or parts[1] != VERSION or not (is_id(parts[0]) and is_id(parts[2])):  # noqa: PLR2004 - site, version, device, one more
        return None
    site, device, rest = parts[0], parts[2], parts[3:]
    if not all(is_id(part.removeprefix("$")) for part in rest):
        return None
    found = _fixed(rest) or _of_node(rest)
    return Topic(site, device, *found) if found else None


def _fixed(rest: list[str]) -> tuple[TopicKind, str, str] | None:
    match rest:
        case ["$state" | "$description" | "lease" as kind]:
            return TopicKind(kind), "", ""
        case ["$alert", name]:
            return TopicKind.ALERT, "", name
        case ["log", "event"]:
            return TopicKind.EVENT, "", ""
        case ["log", "query" | "ack" as verb, "set"]:
            return TopicKind(f"log/{verb}/set"), "", ""
        case ["clock", "now"]:
            return TopicKind.CLOCK, "", ""
    return None


def _of_node(rest: list[str]) -> tuple[TopicKind, str, str] | None:
    if any(part.startswith("$") for part in rest):
        return None
    match rest:
        case [node, "command", "set"]:
            return TopicKind.COMMAND_SET, node, ""
        case [node, "command" | "result" as kind]:
            return TopicKind(kind), node, ""
        case [node, name] if name not in _RESERVED_PROPERTIES:
            return TopicKind.PROPERTY, node, name
    return None
