"""One term of being the hub: from taking the lease to losing it. Owns the MQTT connection and the two work threads."""

import logging
import threading
import time

from devices.protocol import topics
from devices.protocol.bus import Bus, BusConfig, Incoming, NotConnectedError
from devices.protocol.limits import CLOCK_INTERVAL_S
from devices.protocol.messages import Accepted, ClockHint, DeviceState, Event, Lease, MessageError, PropertyValue
from devices.protocol.topics import Topic, TopicKind
from shop_hub.core import clock
from shop_hub.fleet import settle
from shop_hub.fleet.errors import AWAY
from shop_hub.fleet.flights import Flights
from shop_hub.fleet.home import Home
from shop_hub.fleet.hublease import LeaseKeeper, Reign
from shop_hub.fleet.inbox import Inbox, Item, LifeNote, LinkNote, Received, SkipNote, WriteOffNote
from shop_hub.fleet.ingest import Ingest
from shop_hub.fleet.links import Links
from shop_hub.fleet.means import Means, Setup
from shop_hub.fleet.presence import forget_links
from shop_hub.fleet.registry import DeviceInfo, Registry
from shop_hub.fleet.sender import LOOK_S, Sender
from shop_hub.fleet.wake import counter

log = logging.getLogger(__name__)

MOST_PER_BATCH = 500
_LOOK_S = 0.25
_OWN_KINDS = frozenset({TopicKind.COMMAND_SET, TopicKind.QUERY_SET, TopicKind.ACK_SET, TopicKind.CLOCK})
_SIGNS_OF_LIFE = frozenset({TopicKind.PROPERTY, TopicKind.EVENT, TopicKind.RESULT, TopicKind.COMMAND})
_FETCH_EVERY_S = 2.0
_FEW = 50
_LATE_S = 5.0
"""So long after a connection, what the broker had kept for us may still come as if it were fresh."""


class Term:
    """Runs until `close`; `turns` grows while both threads work."""

    def __init__(self, setup: Setup, keeper: LeaseKeeper, reign: Reign) -> None:
        self._database, self._dispatcher, self._reign = setup.database, setup.dispatcher, reign
        self._registry = Registry(setup.database, reign.partition)
        self._registry.refresh()
        self._links, self._flights, self._inbox = self._new_links(), Flights(), Inbox()
        self._stopping = threading.Event()
        mailbox = counter(setup.database).join()
        self._wake = mailbox.signal
        self._connected_at = 0.0
        self._clock_told = 0.0
        self._subscribed: set[str] = set()
        self._resubscribe = False
        self._fetched_at = -_FETCH_EVERY_S
        self._known_version = 0
        self._bus = self._new_bus(_bus_config(setup, reign, self._will_site()))
        self._home = Home(setup.database, reign.partition, self._bus, setup.home)
        means = Means(setup, keeper, self._bus, self._registry, self._links, self._flights, self._inbox)
        self._ingest = self._new_ingest(means)
        self._sender = Sender(means, reign, mailbox)
        self._sign_ins = setup.sign_ins(reign.partition)
        self._threads = [
            threading.Thread(target=self._run_ingest, name="fleet-ingest", daemon=True),
            threading.Thread(target=self._run_sender, name="fleet-sender", daemon=True),
        ]
        self._turns = {"ingest": 0, "sender": 0}

    @property
    def turns(self) -> int:
        """Return the turns of the slower thread, for the watchdog."""
        return min(self._turns.values())

    @property
    def is_alive(self) -> bool:
        """Tell whether all threads run."""
        threads_live = all(thread.is_alive() for thread in self._threads)
        return self._bus.alive and threads_live and self._sign_ins.is_alive

    @property
    def is_connected(self) -> bool:
        """Tell whether the broker has accepted the hub and lets it hear all its villages."""
        return self._bus.connected and not self._bus.subscriptions.refused

    @property
    def committed(self) -> int:
        """Return how many messages were committed in this term."""
        return self._ingest.committed

    def start(self) -> None:
        """Recover what was left open, then connect."""
        with self._database.transaction() as session:
            settle.recover(session, self._reign)
            forget_links(session, self._dispatcher, self._reign.partition)
        self._registry.refresh()
        self._links.know(self._registry.all())
        self._sender.remember_open()
        self._subscribe()
        self._sign_ins.start()
        self._bus.start()
        for thread in self._threads:
            thread.start()

    def turn(self) -> None:
        """Do what is due besides messages and commands; called a few times per second."""
        self._registry.refresh_when_due()
        if self._registry.version != self._known_version:
            self._known_version = self._registry.version
            self._links.know(self._registry.all())
            self._subscribe()
            self._sign_ins.look()
            self._write_off_hopeless()
        for change in self._links.changes():
            self._inbox.put(LinkNote(change.device_id, change.link))
        self._home.turn()
        if self._bus.connected:
            self._ask_for_missing()
            self._tell_time()
            self._resubscribe |= self._links.has_doubts()
            self._fetch_retained()

    def close(self) -> None:
        """Say goodbye and end the threads; what is in the queue stays unacknowledged at the broker."""
        self._stopping.set()
        self._wake.set()
        self._inbox.close()
        for thread in self._threads:
            thread.join(timeout=5)
        self._sign_ins.close()
        self._publish_state(DeviceState.DISCONNECTED)
        self._bus.stop()

    # Threads

    def _run_ingest(self) -> None:
        pending: list[Item] = []
        while not self._stopping.is_set():
            self._turns["ingest"] += 1
            pending = pending or self._inbox.take(MOST_PER_BATCH, _LOOK_S)
            if not pending:
                continue
            try:
                self._ingest.apply(pending)
                pending = []
            except AWAY as error:
                log.warning("the database is away; messages wait", extra={"error": type(error).__name__})
                self._stopping.wait(0.5)
            except Exception:
                log.exception("a batch of messages failed; it is tried again")
                self._stopping.wait(0.5)

    def _run_sender(self) -> None:
        while not self._stopping.is_set():
            self._turns["sender"] += 1
            self._wake.wait(0.05 if len(self._flights) else LOOK_S)
            self._wake.clear()
            try:
                self._sender.turn()
            except AWAY as error:
                log.warning("the database is away; commands expire", extra={"error": type(error).__name__})
                self._stopping.wait(0.2)
            except Exception:
                log.exception("the command sender failed; it goes on")
                self._stopping.wait(0.2)

    # Network thread

    def _connected(self) -> None:
        self._connected_at = time.monotonic()
        self._publish_state(DeviceState.READY)
        self._clock_told = 0.0
        self._sign_ins.tell_afresh()
        self._home.connected()

    def _received(self, message: Incoming) -> None:
        topic = topics.parse(message.topic)
        if topic is None:
            self._queue(message, None, "unknown topic")
        elif topic.device == topics.HUB:
            self._own(message, topic)
        elif topic.kind in _OWN_KINDS:
            self._bus.ack(message)
        elif topic.kind is TopicKind.LEASE:
            self._lease(message, topic)
        else:
            self._from_device(message, topic)

    def _from_device(self, message: Incoming, topic: Topic) -> None:
        info = self._registry.get(topic.site, topic.device)
        age_s = self._age_s(message, topic)
        if info is not None and age_s is not None:
            self._links.heard(info.id, age_s)
        if topic.kind is TopicKind.COMMAND and info is not None and not message.retained:
            self._stop_sending(message, info.id)
        self._queue(message, topic)

    def _queue(self, message: Incoming, topic: Topic | None, problem: str = "") -> None:
        is_urgent = topic is not None and topic.kind is TopicKind.COMMAND
        if not self._inbox.put(Received(message, topic, problem), is_urgent=is_urgent) and message.qos:
            self._bus.drop()  # the broker keeps what was not acknowledged, and sends it again

    def _lease(self, message: Incoming, topic: Topic) -> None:
        info = self._registry.get(topic.site, topic.device)
        lease = _lease_in(message)
        if info is None or not info.has_lease or lease is None:
            self._queue(message, topic, "a lease that cannot be used")
            return
        self._bus.ack(message)
        if self._links.heard_lease(info.id, lease):
            self._inbox.put(LifeNote(info.id, lease.epoch, lease.boot))
        forgotten = self._links.forgotten(info.id, lease)
        if forgotten is not None:
            self._try_publish(topics.ack_set_topic(*_place(info)), forgotten.encode())

    def _stop_sending(self, message: Incoming, device_id: int) -> None:
        try:
            self._flights.accepted(Accepted.decode(message.payload).id, device_id)
        except MessageError:
            log.info("an unreadable accept")

    def _own(self, message: Incoming, topic: Topic) -> None:
        """Repair the hub's own presence: an old will of ours may come after our greeting."""
        self._bus.ack(message)
        is_mine = topic.kind is TopicKind.STATE and topic.site in self._registry.sites
        if is_mine and message.payload != DeviceState.READY.encode() and not self._stopping.is_set():
            self._publish_state(DeviceState.READY)

    def _age_s(self, message: Incoming, topic: Topic) -> float | None:
        """Return how long ago a message was sent, as a sign of life; None if it is none.

        What the broker had kept for us is as old as its date says; the device's clock is only a hint here.
        """
        if topic.kind not in _SIGNS_OF_LIFE:
            return None
        if not message.retained and self._bus.connected and time.monotonic() - self._connected_at > _LATE_S:
            return 0.0
        return dated_age_s(message.payload) if topic.kind is TopicKind.PROPERTY else None

    # Housekeeping

    def _new_links(self) -> Links:
        return Links()

    def _new_bus(self, config: BusConfig) -> Bus:
        return Bus(config, on_connect=self._connected)

    def _new_ingest(self, means: Means) -> Ingest:
        return Ingest(means, self._want_retained)

    def _will_site(self) -> str:
        """Return the site at which the broker says that this hub is gone; one must do."""
        return min(self._registry.sites, default="")

    def _subscribe(self) -> None:
        """Listen to all devices of all sites, but not to what the hub itself sends."""
        for site in self._registry.sites.keys() - self._subscribed:
            root = topics.site_filter(site).removesuffix("#")
            for topic_filter in (f"{root}+/+", f"{root}+/+/+"):
                self._bus.subscribe(topic_filter, self._received)
            self._subscribed.add(site)

    def _want_retained(self) -> None:
        self._resubscribe = True

    def _fetch_retained(self) -> None:
        """Have the broker send its retained states again: some were passed over as of an unknown life.

        It sends those of all devices, so they are asked for only when most of what came is worked off.
        """
        now = time.monotonic()
        if self._resubscribe and len(self._inbox) < _FEW and now - self._fetched_at >= _FETCH_EVERY_S:
            self._resubscribe, self._fetched_at = False, now
            self._subscribed.clear()
            self._subscribe()

    def _ask_for_missing(self) -> None:
        for missing in self._links.missing():
            if missing.skip_to is not None:
                self._inbox.put(SkipNote(missing.info.id, missing.query.epoch or "", missing.skip_to))
            else:
                self._try_publish(topics.query_set_topic(*_place(missing.info)), missing.query.encode())

    def _tell_time(self) -> None:
        now = time.monotonic()
        if now - self._clock_told < CLOCK_INTERVAL_S:
            return
        self._clock_told = now
        hint = ClockHint(now_ms=int(clock.now().timestamp() * 1000)).encode()
        for site in self._registry.sites:
            self._try_publish(topics.clock_topic(site), hint)

    def _write_off_hopeless(self) -> None:
        with self._database.reading() as session:
            hopeless = settle.hopeless(session, self._reign.partition)
        for command_id in hopeless:
            self._inbox.put(WriteOffNote(command_id))

    def _publish_state(self, state: DeviceState) -> None:
        for site in self._registry.sites:
            self._try_publish(topics.state_topic(site, topics.HUB), state.encode(), qos=1, retain=True)

    def _try_publish(self, topic: str, payload: bytes, *, qos: int = 0, retain: bool = False) -> None:
        try:
            self._bus.publish(topic, payload, qos=qos, retain=retain)
        except NotConnectedError:
            log.debug("not connected: %s is told later", topic)


def _bus_config(setup: Setup, reign: Reign, site: str) -> BusConfig:
    """Return the hub's connection: the broker keeps QoS 1 messages while we are away, until we acknowledge them.

    A new village, of which the broker has not been told yet, must not cut off the others.
    """
    mqtt = setup.mqtt
    return BusConfig(
        host=mqtt.host,
        port=mqtt.port,
        client_id=setup.client_id + reign.partition.suffix,
        user=mqtt.user + reign.partition.suffix,
        password=mqtt.password,
        clean_session=False,
        manual_ack=True,
        will_topic=topics.state_topic(site, topics.HUB) if site else "",
        will_payload=DeviceState.LOST.encode() if site else b"",
        tls=mqtt.tls,
        ca_file=mqtt.ca_file if mqtt.tls else "",
        needs_all=False,
        more=mqtt.more_addresses,
    )


def _place(info: DeviceInfo) -> tuple[str, str]:
    return info.site, info.slug


def _lease_in(message: Incoming) -> Lease | None:
    """Return a fresh lease; a retained one is a forgery, a broken one is none."""
    try:
        return None if message.retained else Lease.decode(message.payload)
    except MessageError:
        return None


def dated_age_s(payload: bytes, kind: type[PropertyValue | Event] = PropertyValue) -> float | None:
    """Return the age of a state or an event by the date it carries, or None if that makes no sense."""
    try:
        at_ms = kind.decode(payload).at_ms
    except MessageError:
        return None
    age_s = clock.now().timestamp() - at_ms / 1000 if at_ms is not None else -_LATE_S - 1
    return max(age_s, 0.0) if age_s >= -_LATE_S else None
