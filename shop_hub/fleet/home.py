"""The hub's side of Home Assistant: tells it which devices there are, and hears what it wishes. Off by default."""

import json
import logging
import time
from collections import deque
from typing import Any

from sqlalchemy import select

from devices.protocol import topics
from devices.protocol.bus import Bus, Incoming, NotConnectedError
from devices.protocol.topics import TopicKind
from shop_hub.core import clock
from shop_hub.core.db import Database
from shop_hub.core.settings import HomeAssistant
from shop_hub.core.sites import Site
from shop_hub.fleet import discovery
from shop_hub.fleet.errors import AWAY
from shop_hub.fleet.models import Device, DeviceKind, DeviceProperty, Link
from shop_hub.fleet.partitions import Partition
from shop_hub.fleet.wishes import Heard, Wishes

log = logging.getLogger(__name__)

_LOOK_S = 5.0
_MOST_WAITING = 20
_MOST_PER_TURN = 5
"""Wishes: the thread has the hub's lease to renew, and a flood never ends by itself."""
_STATUS = f"{discovery.PREFIX}/status"
_SERVICES = frozenset(word.encode() for word in discovery.SERVICES)


class Home:
    """Belongs to one term: `turn` is called by its thread, the rest by the network's. A region tells nothing."""

    def __init__(self, database: Database, partition: Partition, bus: Bus, settings: HomeAssistant) -> None:
        self._database, self._partition, self._bus, self._settings = database, partition, bus, settings
        self._is_on = settings.discovery != "off" and not partition.collects
        self._may_wish = settings.wishes and settings.discovery == "on"
        self._told: dict[str, bytes] = {}
        self._components: dict[str, dict[str, str]] = {}
        """Platforms of the components that were told, by topic and name."""
        self._look_at = self._repeat_at = 0.0
        self._is_new = False
        self._sites: dict[str, int] = {}
        self._waiting: deque[Heard] = deque()
        self._wishes = Wishes(_now_ms())
        if self._is_on:
            bus.subscribe(_STATUS, self._on_status)

    def connected(self) -> None:
        """Tell everything again: the broker may be another one."""
        self._is_new, self._look_at = True, 0.0

    def turn(self) -> None:
        """Grant wishes, and tell what has changed; called a few times per second. Doors must not suffer from it."""
        if not self._is_on or not self._bus.connected:
            return
        try:
            for _ in range(min(len(self._waiting), _MOST_PER_TURN)):
                self._judge(self._waiting.popleft())
            if time.monotonic() >= self._look_at:
                self._look_at = time.monotonic() + _LOOK_S
                self._look()
        except AWAY as error:
            log.warning("the database is away", extra={"error": type(error).__name__})
        except Exception:
            log.exception("Home Assistant could not be told or heard")

    def _on_status(self, message: Incoming) -> None:
        """Home Assistant has started: it is told again with the next look."""
        self._bus.ack(message)
        if message.payload == b"online":
            self._is_new = True

    def _look(self) -> None:
        if self._is_new:
            self._is_new = False
            self._told.clear()
        if time.monotonic() >= self._repeat_at:
            self._repeat_at = time.monotonic() + discovery.REPEAT_S
            self._told = {topic: told for topic, told in self._told.items() if told not in _SERVICES}
        try:
            for topic, payload in self._wanted().items():
                if self._told.get(topic) != payload:
                    self._tell(topic, payload)
                    self._told[topic] = payload
        except NotConnectedError:
            log.debug("Home Assistant is told later")

    def _tell(self, topic: str, payload: bytes) -> None:
        """Publish it, unless the broker would cut off the hub for its size: then what stood there before stays."""
        if len(payload) > discovery.REFUSED_BYTES:
            log.error("too large for Home Assistant", extra={"topic": topic, "bytes": len(payload)})
        else:
            self._bus.publish(topic, payload, qos=1, retain=True)

    def _wanted(self) -> dict[str, bytes]:
        """Return what is to stand at the broker; nothing where a device was taken out of service."""
        found: dict[str, bytes] = {}
        is_mine = self._partition.holds(Site.id)
        with self._database.reading() as session:
            for slug, site_id in session.execute(select(Site.slug, Site.id).where(is_mine)):
                self._hear_wishes(slug, site_id)
            query = select(Site.slug, Device).join(Device, Device.site_id == Site.id).where(is_mine)
            for site, device in session.execute(query.order_by(Device.id)):
                topic = discovery.config_topic(site, device.slug)
                is_shown = self._settings.discovery == "on" and not device.is_revoked
                found[topic] = self._config(topic, site, device) if is_shown else b""
            status = (
                select(Site.slug, Device, DeviceProperty.value)
                .join(Device, Device.site_id == Site.id)
                .join(DeviceProperty, (DeviceProperty.device_id == Device.id) & (DeviceProperty.name == "status"))
                .where(is_mine, Device.kind == DeviceKind.ATM)
            )
            for site, device, value in session.execute(status):
                is_shown = self._settings.discovery == "on" and not device.is_revoked
                found[discovery.service_topic(site, device.slug)] = _service(device, value) if is_shown else b""
        return found

    def _config(self, topic: str, site: str, device: Device) -> bytes:
        known = self._components.get(topic, {})
        config = discovery.config(site, device, may_wish=self._may_wish, gone=known)
        self._components[topic] = {name: component["platform"] for name, component in config["components"].items()}
        return json.dumps(config, ensure_ascii=False).encode()

    # Wishes

    def _hear_wishes(self, slug: str, site_id: int) -> None:
        if self._may_wish and slug not in self._sites:
            self._sites[slug] = site_id
            self._bus.subscribe(topics.wish_topic(slug), self._on_wish, qos=0)

    def _on_wish(self, message: Incoming) -> None:
        topic = topics.parse(message.topic)
        if topic is not None and topic.kind is TopicKind.COMMAND_SET and len(self._waiting) < _MOST_WAITING:
            self._waiting.append(Heard(self._sites[topic.site], message))

    def _judge(self, heard: Heard) -> None:
        reason = self._wishes.judge(self._database, heard, _now_ms())
        log.info("a wish was %s", f"refused: {reason}" if reason else "granted")


def _service(device: Device, value: Any) -> bytes:
    """Return a cash machine's public state: what nobody has heard for a minute is unknown."""
    word = value.get("service") if isinstance(value, dict) and device.link is Link.READY else "unknown"
    word = "maintenance" if word == "supervisor" else word
    return (word if word in discovery.SERVICES else "unknown").encode()


def _now_ms() -> int:
    return int(clock.now().timestamp() * 1000)
