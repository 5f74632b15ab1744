"""What Home Assistant is told of a device, so that it shows it by itself: discovery of a device with its components.

Format: home-assistant.io/integrations/mqtt, "Device discovery payload" (one message for each device with `device`,
`origin` and `components`). Home Assistant reads the states straight from the devices' own topics. Everything is
read-only, and nothing tells what is in a compartment or how much money is in a machine.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from devices.protocol import topics
from devices.protocol.description import LONGEST_TEXT
from shop_hub.fleet.models import Device, DeviceKind

PREFIX = "homeassistant"
MOST_BYTES = 60_000
REFUSED_BYTES = 65_000
"""Brokers take 64 kB in one packet, its topic included, and cut off whoever sends more."""
MOST_GONE = 50
"""So many lost components are taken back, the newest: a device may change the names of its nodes for ever."""
_GONE_BYTES = MOST_GONE * 128
SERVICES = ("inService", "outOfService", "maintenance", "unknown")
"""States of a cash machine as anybody may know them (money-and-machines.md section 4)."""
REPEAT_S = 30
"""A cash machine's state is told again so often."""
_EXPIRE_S = 3 * REPEAT_S
"""Home Assistant shows a state as unavailable when it was not told again: the hub that told it may be dead."""
TEST_PAGE = "test-page"

_VALUE = "(value_json | default({})).get('value')"
_AVAILABLE = "{{ 'online' if value == 'ready' else 'offline' }}"
_MILLI = f"{{% set v = {_VALUE} %}}{{{{ v / 1000 if v is number else 'None' }}}}"
_PRESS = (
    '{"v": 1, "nonce": "{{ range(100000) | random }}-{{ (now().timestamp() * 1000000) | int }}",'
    ' "at_ms": {{ (now().timestamp() * 1000) | int }}, "device": "%s", "op": "%s"}'
)


@dataclass(frozen=True, slots=True)
class Entity:
    """How one property appears: Home Assistant's platform, how its value is read, and what kind of value it is."""

    platform: str
    template: str
    more: Mapping[str, Any] = field(default_factory=dict)


def _binary(device_class: str, **words: str) -> Entity:
    """Return an entity that is on or off by words; any other word, or none, is unknown."""
    template = f"{{{{ {words!r}.get({_VALUE}, 'None') }}}}"
    return Entity("binary_sensor", template, {"device_class": device_class})


def _temperature() -> Entity:
    more = {"device_class": "temperature", "unit_of_measurement": "°C", "state_class": "measurement"}
    return Entity("sensor", _MILLI, more)


ENTITIES: Mapping[tuple[str, str], Entity] = {
    ("compartment", "door"): _binary("door", open="ON", closed="OFF"),
    ("compartment", "lock"): _binary("problem", jam="ON", locked="OFF", unlocked="OFF"),
    ("board", "state"): _binary("problem", lost="ON", ok="OFF"),
    ("entrance", "door"): _binary("door", open="ON", closed="OFF"),
    ("entrance", "lock"): _binary("lock", released="ON", free="ON", locked="OFF"),
    ("machine", "door"): _binary("door", open="ON", closed="OFF"),
    ("machine", "temperature"): _temperature(),
    ("climate", "temperature"): _temperature(),
}
"""By type of node and property."""


def config_topic(site: str, slug: str) -> str:
    """Return where a device is described. The underscore keeps `a-b` of `c` and `a` of `b-c` apart."""
    return f"{PREFIX}/device/{site}_{slug}/config"


def service_topic(site: str, slug: str) -> str:
    """Return where the hub tells the public state of a cash machine, whose own words say too much."""
    return f"{PREFIX}/shop_hub/{site}_{slug}/service"


def config(site: str, device: Device, *, may_wish: bool, gone: Mapping[str, str]) -> dict[str, Any]:
    """Return the message about a device.

    It has at most `MOST_BYTES`; components that do not fit in are left out.

    Args:
        site: its short name.
        device: as the hub knows it.
        may_wish: offer what may be wished.
        gone: platforms of components that were told before, by their name, the oldest first; those which are no more
            are taken back, but at most `MOST_GONE`.
    """
    user = topics.user_name(site, device.slug)
    message = {
        "device": _about(user, device),
        "origin": {"name": "shop_hub"},
        "availability": [{"topic": topics.state_topic(site, device.slug), "value_template": _AVAILABLE}],
    }
    found: dict[str, dict[str, Any]] = {}
    room = MOST_BYTES - _GONE_BYTES - _size(message)
    for name, component in _components(site, device, may_wish=may_wish):
        whole = {**component, "unique_id": f"{user}_{name}"}
        room -= _size({name: whole})
        if room > 0:
            found[name] = whole
    lost = [(name, {"platform": platform}) for name, platform in gone.items() if name not in found]
    return {**message, "components": {**dict(lost[-MOST_GONE:]), **found}}


def _size(part: Mapping[str, Any]) -> int:
    return len(json.dumps(part, ensure_ascii=False).encode())


def _about(user: str, device: Device) -> dict[str, Any]:
    """Return who it is. Descriptions that were stored before there was a limit may be longer."""
    told = {
        "manufacturer": device.description.get("maker", "")[:LONGEST_TEXT],
        "sw_version": device.description.get("firmware", "")[:LONGEST_TEXT],
        "model": device.kind.value,
    }
    return {"identifiers": [user], "name": device.name, **{name: word for name, word in told.items() if word}}


def _components(site: str, device: Device, *, may_wish: bool) -> Iterator[tuple[str, dict[str, Any]]]:
    if device.kind is DeviceKind.ATM:
        topic = service_topic(site, device.slug)
        more = {"device_class": "enum", "options": list(SERVICES), "expire_after": _EXPIRE_S}
        yield "service", {"platform": "sensor", "name": "service", "state_topic": topic, **more}
    if device.kind is DeviceKind.PRINTER and may_wish:
        yield (
            TEST_PAGE,
            {
                "platform": "button",
                "name": "test page",
                "command_topic": topics.wish_topic(site),
                "command_template": _PRESS % (device.slug, TEST_PAGE),
            },
        )
    for node, about in device.description.get("nodes", {}).items():
        for name in about.get("properties", {}):
            entity = ENTITIES.get((about.get("type"), name))
            if entity is not None:
                topic = topics.property_topic(site, device.slug, node, name)
                yield (
                    f"{node}_{name}",
                    {
                        "platform": entity.platform,
                        "name": f"{node} {name}",
                        "state_topic": topic,
                        "value_template": entity.template,
                        **entity.more,
                    },
                )
