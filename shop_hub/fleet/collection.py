"""A term of listening for a region: like being the hub, but without a voice.

The villages' own hubs run their devices. What they tell comes here by the bridges of their brokers (config/mosquitto),
late perhaps and some of it twice.
"""

import time

from devices.protocol.bus import Bus, BusConfig, Incoming, NotConnectedError
from devices.protocol.messages import Event, Message, PropertyValue
from devices.protocol.topics import Topic, TopicKind
from shop_hub.fleet.collecting import CollectingIngest
from shop_hub.fleet.hublease import LeaseKeeper, Reign
from shop_hub.fleet.ingest import Ingest
from shop_hub.fleet.links import Links, VillageLinks
from shop_hub.fleet.means import Means, Setup
from shop_hub.fleet.term import Term, dated_age_s

_REFETCH_S = 10.0
"""So long after a connection or a repeat the broker may still send an old word of presence after the newer one."""
_DATED: dict[TopicKind, type[PropertyValue | Event]] = {TopicKind.PROPERTY: PropertyValue, TopicKind.EVENT: Event}


class MuteBus(Bus):
    """A connection by which nothing is ever said: a region with a voice could make a device forget or act."""

    def publish(self, topic: str, payload: bytes | str | Message, *, qos: int = 0, retain: bool = False) -> None:
        """Refuse.

        Raises:
            NotConnectedError: always; nothing was sent and nothing will be.
        """
        del payload, qos, retain
        raise NotConnectedError(topic)


class Collection(Term):
    """Stores what villages tell; hands nothing to features, since their goods and parcels are the villages' own."""

    def __init__(self, setup: Setup, keeper: LeaseKeeper, reign: Reign) -> None:
        self._villages = VillageLinks()
        self._refetch_at = 0.0
        super().__init__(setup, keeper, reign)

    def turn(self) -> None:
        """Do what is due, and let the broker repeat what it retains once repeats can have brought an older word."""
        if self._refetch_at and time.monotonic() >= self._refetch_at:
            self._refetch_at = 0.0
            self._want_retained()
        super().turn()

    def _new_links(self) -> Links:
        return self._villages

    def _new_bus(self, config: BusConfig) -> Bus:
        return MuteBus(config, on_connect=self._connected)

    def _new_ingest(self, means: Means) -> Ingest:
        return CollectingIngest(means, self._want_retained)

    def _will_site(self) -> str:
        """Return none: not even the broker may speak for it."""
        return ""

    def _connected(self) -> None:
        self._refetch_at = time.monotonic() + _REFETCH_S
        super()._connected()

    def _received(self, message: Incoming) -> None:
        if message.duplicate:
            self._refetch_at = time.monotonic() + _REFETCH_S
        super()._received(message)

    def _from_device(self, message: Incoming, topic: Topic) -> None:
        """Note first how late it comes; what the region's own broker retained says nothing about that."""
        dated = None if message.retained else _DATED.get(topic.kind)
        age_s = dated_age_s(message.payload, dated) if dated is not None else None
        if age_s is not None:
            self._villages.heard_dated(topic.site, age_s)
        super()._from_device(message, topic)

    def _own(self, message: Incoming, topic: Topic) -> None:
        """Take the clock of a village's hub as a sign that the village is heard."""
        self._bus.ack(message)
        if topic.kind is TopicKind.CLOCK and not message.retained:
            self._villages.heard_village(topic.site)

    def _lease(self, message: Incoming, _topic: Topic) -> None:
        """Pass it over: it is a matter between a device and its hub."""
        self._bus.ack(message)

    def _age_s(self, message: Incoming, topic: Topic) -> float | None:
        """Return the age that a state carries: it may have waited for the link for days."""
        return (dated_age_s(message.payload) or 0.0) if topic.kind is TopicKind.PROPERTY else None
