"""Sends fresh commands, each within two seconds of the touch or never (devices.md section 5).

A command goes out before its row says so: the touch is committed, a second commit would only delay the door. If this
process dies in between, the next one finds the row unresolved, does not send it and asks the device.
"""

import logging
import time
from collections import OrderedDict
from dataclasses import fields
from datetime import timedelta

from sqlalchemy import bindparam, select

from devices.protocol import mac, topics
from devices.protocol.bus import NotConnectedError
from devices.protocol.messages import Code, Command, Query
from shop_hub.fleet.flights import Due, Flight
from shop_hub.fleet.hublease import Reign
from shop_hub.fleet.inbox import CommandNote
from shop_hub.fleet.links import BoundLease
from shop_hub.fleet.means import Means
from shop_hub.fleet.models import IS_NEW, IS_UNRESOLVED, CommandState, DeviceCommand, Link
from shop_hub.fleet.registry import DeviceInfo
from shop_hub.fleet.settle import STALE
from shop_hub.fleet.wake import Fresh, Mailbox

log = logging.getLogger(__name__)

FRESH = timedelta(seconds=2)
LOOK_S = 0.25
_JITTER = timedelta(seconds=0.5)
"""So much may the clock of the machine that took the touch be ahead of the one by which leases are judged."""
_REMEMBERED = 1000


class Sender:
    """Owned by one thread."""

    def __init__(self, means: Means, reign: Reign, mailbox: Mailbox) -> None:
        self._means = means
        self._reign = reign
        self._done: OrderedDict[int, None] = OrderedDict()
        self._mailbox = mailbox
        self._look_at = 0.0

    def remember_open(self) -> None:
        """Take over what earlier processes left open: it is asked about, never sent."""
        with self._means.setup.database.reading() as session:
            mine = _LEFT_OPEN.where(self._reign.partition.holds(DeviceCommand.site_id))
            rows = session.execute(mine, {"boot": self._reign.boot}).all()
        for row in rows:
            info = self._means.registry.by_id(row.device_id)
            if info is not None:
                flight = Flight(row.id, row.ulid, row.device_id, (info.site, info.slug), row.node)
                flight.is_unconfirmed = True
                self._means.flights.add(flight)

    def turn(self) -> None:
        """Send what is fresh, then again or ask what is due."""
        if self._mailbox.is_changed:
            self._mailbox.is_changed = False
            self._means.registry.refresh()
        for fresh in self._mailbox.take():
            self._send_once(fresh)
        if self._must_look():
            for fresh in self._fresh_rows():
                self._send_once(fresh)
        for flight, due in self._means.flights.due():
            self._follow_up(flight, due)

    def _must_look(self) -> bool:
        """Tell whether to look into the database: touches of other processes are found only there."""
        now = time.monotonic()
        if self._means.setup.database.is_sqlite and now < self._look_at:
            return False
        self._look_at = now + LOOK_S
        return True

    def _fresh_rows(self) -> list[Fresh]:
        with self._means.setup.database.reading() as session:
            mine = _FRESH.where(self._reign.partition.holds(DeviceCommand.site_id))
            return [Fresh(**row) for row in session.execute(mine, {"boot": self._reign.boot}).mappings()]

    def _send_once(self, fresh: Fresh) -> None:
        if fresh.id not in self._done and fresh.hub_boot == self._reign.boot:
            self._send(fresh)

    def _is_done(self, fresh: Fresh) -> None:
        """Remember that this command was sent or refused; the newest thousand are enough."""
        self._done[fresh.id] = None
        while len(self._done) > _REMEMBERED:
            self._done.popitem(last=False)

    def _send(self, fresh: Fresh) -> None:
        age = self._means.keeper.now() - fresh.touched_at
        if not -_JITTER <= age <= FRESH or not self._means.keeper.is_safe():
            self._expire(fresh, STALE)
            return
        bound = self._means.links.bind(fresh.device_id)
        if bound is Link.BEHIND:
            return  # events are on their way; another look in a moment, until the touch is stale
        info = self._means.registry.by_id(fresh.device_id)
        if info is None or not isinstance(bound, BoundLease) or bound.epoch != fresh.epoch:
            self._expire(fresh, Code.OFFLINE)
            return
        self._is_done(fresh)
        flight = self._flight(fresh, info, bound)
        self._means.flights.add(flight)
        if not self._publish(flight):
            self._means.flights.over(fresh.ulid, fresh.device_id)
            self._expire(fresh, Code.OFFLINE)

    def _flight(self, fresh: Fresh, info: DeviceInfo, bound: BoundLease) -> Flight:
        topic = topics.command_set_topic(info.site, info.slug, fresh.node)
        command = Command(
            id=fresh.ulid,
            op=fresh.op,
            lease=bound.lease,
            ttl_ms=fresh.ttl_ms,
            map=info.map_revision,
            gen=self._reign.generation,
            by=fresh.by,
            args=fresh.args,
        )
        key = self._means.setup.key(info.site, info.slug, info.key_generation)
        flight = Flight(fresh.id, fresh.ulid, fresh.device_id, (info.site, info.slug), fresh.node)
        flight.topic, flight.payload = topic, mac.sign(key, topic, command).encode()
        flight.dies_at = bound.dies_at
        return flight

    def _expire(self, fresh: Fresh, code: str) -> None:
        self._is_done(fresh)
        self._means.inbox.put(CommandNote(fresh.id, CommandState.EXPIRED, code), is_urgent=True)

    def _follow_up(self, flight: Flight, due: Due) -> None:
        match due:
            case Due.RESEND:
                flight.resent += 1
                self._publish(flight)
            case Due.NOTE_SENT:
                flight.is_noted = True
                self._means.inbox.put(CommandNote(flight.command_id, CommandState.SENT))
            case Due.UNCONFIRMED:
                flight.is_unconfirmed = True
                self._means.inbox.put(CommandNote(flight.command_id, CommandState.UNCONFIRMED), is_urgent=True)
                self._ask(flight)
            case Due.ASK:
                self._ask(flight)

    def _ask(self, flight: Flight) -> None:
        flight.asked(time.monotonic())
        if not self._means.links.speaks(flight.device_id):
            return
        try:
            query = Query(id=flight.ulid, node=flight.node)
            self._means.bus.publish(topics.query_set_topic(*flight.place), query)
        except NotConnectedError:
            log.info("a question must wait for the broker")

    def _publish(self, flight: Flight) -> bool:
        if flight.payload is None:
            return False
        try:
            self._means.bus.publish(flight.topic, flight.payload)
        except NotConnectedError:
            return False
        return True


_LEFT_OPEN = select(DeviceCommand.id, DeviceCommand.ulid, DeviceCommand.device_id, DeviceCommand.node).where(
    IS_UNRESOLVED, DeviceCommand.hub_boot < bindparam("boot")
)
_FRESH = (
    select(*(getattr(DeviceCommand, field.name) for field in fields(Fresh)))
    .where(IS_NEW, DeviceCommand.hub_boot == bindparam("boot"))
    .order_by(DeviceCommand.id)
)
