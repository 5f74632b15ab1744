"""Sends fresh commands, each within two seconds of the touch or never (devices.md section 5).

A command goes out before its row says so: the touch is committed, a second commit would only delay the door. If this
process dies in between, the next one finds the row unresolved, does not send it and asks the device.
"""

import logging
import time
from datetime import timedelta
from typing import Any

from sqlalchemy import select

from devices.protocol import mac, topics
from devices.protocol.bus import NotConnectedError
from devices.protocol.messages import Code, Command, Query
from shop_hub.core import clock
from shop_hub.core.sites import Site
from shop_hub.fleet.flights import Due, Flight
from shop_hub.fleet.hublease import Reign
from shop_hub.fleet.inbox import CommandNote
from shop_hub.fleet.links import BoundLease
from shop_hub.fleet.means import Means
from shop_hub.fleet.models import IS_NEW, IS_UNRESOLVED, CommandState, Device, DeviceCommand, Link
from shop_hub.fleet.settle import STALE

log = logging.getLogger(__name__)

FRESH = timedelta(seconds=2)


class Sender:
    """Owned by one thread."""

    def __init__(self, means: Means, reign: Reign) -> None:
        self._means = means
        self._reign = reign
        self._done: set[int] = set()

    def remember_open(self) -> None:
        """Take over what earlier processes left open: it is asked about, never sent."""
        with self._means.setup.database.reading() as session:
            rows = session.execute(
                _with_place(DeviceCommand.id, DeviceCommand.ulid).where(
                    IS_UNRESOLVED, DeviceCommand.hub_boot < self._reign.boot, Device.is_revoked.is_(False)
                )
            ).all()
        for row in rows:
            flight = Flight(row.id, row.ulid, row.device_id, (row.site, row.slug), row.node)
            flight.is_unconfirmed = True
            self._means.flights.add(flight)

    def turn(self) -> None:
        """Send what is fresh, then again or ask what is due."""
        for row in self._fresh_rows():
            if row.id not in self._done:
                self._send(row)
        for flight, due in self._means.flights.due():
            self._follow_up(flight, due)

    def _fresh_rows(self) -> list[Any]:
        with self._means.setup.database.reading() as session:
            rows = session.execute(
                _with_place(
                    DeviceCommand.id,
                    DeviceCommand.ulid,
                    DeviceCommand.op,
                    DeviceCommand.args,
                    DeviceCommand.by,
                    DeviceCommand.ttl_ms,
                    DeviceCommand.epoch,
                    DeviceCommand.touched_at,
                    Device.map_revision,
                    Device.key_generation,
                )
                .where(IS_NEW, DeviceCommand.hub_boot == self._reign.boot)
                .order_by(DeviceCommand.id)
            ).all()
        self._done &= {row.id for row in rows}
        return list(rows)

    def _send(self, row: Any) -> None:
        if not timedelta(0) <= clock.now() - row.touched_at <= FRESH or not self._means.setup.keeper.is_safe():
            self._expire(row, STALE)
            return
        bound = self._means.links.bind(row.device_id)
        if bound is Link.BEHIND:
            return  # events are on their way; another look in a moment, until the touch is stale
        if not isinstance(bound, BoundLease) or bound.epoch != row.epoch:
            self._expire(row, Code.OFFLINE)
            return
        self._done.add(row.id)
        flight = self._flight(row, bound)
        self._means.flights.add(flight)
        if not self._publish(flight):
            self._means.flights.over(row.ulid)
            self._expire(row, Code.OFFLINE)

    def _flight(self, row: Any, bound: BoundLease) -> Flight:
        topic = topics.command_set_topic(row.site, row.slug, row.node)
        command = Command(
            id=row.ulid,
            op=row.op,
            lease=bound.lease,
            ttl_ms=row.ttl_ms,
            map=row.map_revision,
            gen=self._reign.generation,
            by=row.by,
            args=row.args,
        )
        payload = mac.sign(self._means.setup.key(row.site, row.slug, row.key_generation), topic, command).encode()
        return Flight(row.id, row.ulid, row.device_id, (row.site, row.slug), row.node, topic, payload, bound.dies_at)

    def _expire(self, row: Any, code: str) -> None:
        self._done.add(row.id)
        self._means.inbox.put(CommandNote(row.id, CommandState.EXPIRED, code), is_urgent=True)

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


def _with_place(*columns: Any) -> Any:
    """Select columns of commands together with the device's place in the topic tree."""
    return (
        select(DeviceCommand.device_id, DeviceCommand.node, Device.slug, Site.slug.label("site"), *columns)
        .join(Device, Device.id == DeviceCommand.device_id)
        .join(Site, Site.id == Device.site_id)
    )
