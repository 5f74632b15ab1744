"""What the threads of one term share."""

from collections.abc import Callable
from dataclasses import dataclass, field

from devices.protocol.bus import Bus
from shop_hub.core.db import Database
from shop_hub.core.settings import HomeAssistant, Mqtt
from shop_hub.fleet.dispatch import Dispatcher
from shop_hub.fleet.flights import Flights
from shop_hub.fleet.hublease import LeaseKeeper
from shop_hub.fleet.inbox import Inbox
from shop_hub.fleet.links import Links
from shop_hub.fleet.partitions import Partition
from shop_hub.fleet.registry import Registry
from shop_hub.fleet.signins import SignIns

DeviceKey = Callable[[str, str, int], bytes]
"""Returns the key of a device by site, short name and key generation."""


@dataclass(frozen=True, slots=True)
class Setup:
    """What stays the same from term to term."""

    database: Database
    dispatcher: Dispatcher
    mqtt: Mqtt
    client_id: str
    """Stable, because the broker keeps our messages under it, and unguessable: nats-server lets any account take it."""
    key: DeviceKey
    sign_ins: Callable[[Partition], SignIns]
    """Makes what tells the broker its accounts."""
    home: HomeAssistant = field(default_factory=HomeAssistant)


@dataclass(frozen=True, slots=True)
class Means:
    """The connection and the memory of one term."""

    setup: Setup
    keeper: LeaseKeeper
    bus: Bus
    registry: Registry
    links: Links
    flights: Flights
    inbox: Inbox
