"""Home Assistant's side, and the hub's without a broker."""

import json
import time
from dataclasses import dataclass, field

from jinja2 import Environment

from devices.protocol import topics
from devices.protocol.description import Description, NodeDescription, PropertyDescription
from shop_hub.core import clock
from shop_hub.core.settings import HomeAssistant, Settings
from shop_hub.fleet import home as fleet_home
from shop_hub.fleet import partitions
from shop_hub.fleet.models import Link
from shop_hub.fleet.worker import Worker
from tests.fleet.kit import (
    PRINTER,
    SITE,
    STATION,
    TestHub,
    eventually,
    hub_settings,
)

ENVIRONMENT = Environment()  # noqa: S701 - no page is made of it
CONFIG = f"homeassistant/device/{SITE}_{STATION}/config"


WISH = f"{SITE}/5/hub/remote/command/set"


SENSOR_KEYS = {"platform", "name", "unique_id", "state_topic", "value_template", "device_class"}


@dataclass
class HomeSide:
    """Home Assistant, as far as it matters: it keeps what it hears, and says that it has started."""

    bus: object
    heard: list = field(default_factory=list)

    def start(self, *filters: str) -> "HomeSide":
        for one in filters:
            self.bus.subscribe(one, self.heard.append)
        self.bus.start()
        assert self.bus.wait_connected(5)
        return self

    def last(self, topic: str) -> bytes | None:
        found = [message.payload for message in self.heard if message.topic == topic]
        return found[-1] if found else None

    def config(self, topic: str = CONFIG) -> dict:
        return json.loads(self.last(topic) or b"{}")

    def wish(self, *, retain: bool = False, **changes) -> None:
        fields = {"v": 1, "nonce": f"nonce-{time.monotonic_ns()}", "at_ms": now_ms(), "device": PRINTER}
        self.raw(json.dumps({**fields, "op": "test-page", **changes}).encode(), retain=retain)

    def raw(self, payload: bytes, *, retain: bool = False) -> None:
        self.bus.publish(WISH, payload, retain=retain)


def now_ms() -> int:
    return int(clock.now().timestamp() * 1000)


def begin(village, **settings) -> Worker:
    """Start a worker that knows Home Assistant, and the station."""
    known = hub_settings(village.broker, village.folder)
    with_home = Settings(data=known.data, mqtt=known.mqtt, home_assistant=HomeAssistant(**settings))
    worker = Worker(TestHub(with_home, village.database), village.dispatcher)
    village.workers.append(worker)
    worker.start()
    village.device.start()
    eventually(lambda: village.link() is Link.READY)
    return worker


def describe(village, nodes) -> None:
    """Have the station tell what it consists of."""
    description = Description(name="Station", kind="locker", maker="kerong", firmware="shop-hub 1", nodes=nodes)
    topic = topics.description_topic(SITE, STATION)
    village.device.bus.publish(topic, description.stamped().encode(), qos=1, retain=True)


def compartment() -> NodeDescription:
    words = PropertyDescription(datatype="enum")
    return NodeDescription(name="1", type="compartment", properties={"door": words, "lock": words, "occupied": words})


@dataclass
class Ears:
    """A broker's connection that keeps what is published."""

    connected: bool = True
    told: list = field(default_factory=list)
    handlers: dict = field(default_factory=dict)

    def subscribe(self, topic, handler, **_more) -> None:
        self.handlers[topic] = handler

    def publish(self, topic, payload, **_more) -> None:
        self.told.append((topic, payload))

    def ack(self, _message) -> None:
        pass


def alone(database, partition=partitions.ALL, **settings) -> tuple[fleet_home.Home, Ears]:
    """Return the hub's side without a broker; it looks at each turn."""
    bus = Ears()
    return fleet_home.Home(database, partition, bus, HomeAssistant(**settings)), bus
