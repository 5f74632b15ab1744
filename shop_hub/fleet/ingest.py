"""From messages to rows: batches in one transaction, acknowledged after its commit, each message counted once.

Order and repeats: (epoch, boot, seq) of events and results go forward one by one; a gap is asked for, not jumped. A
message that cannot be used becomes a dead letter and never blocks what comes after it.
"""

import logging
from collections.abc import Callable, Mapping
from typing import ClassVar

from sqlalchemy import select
from sqlalchemy.orm import Session, defer

from devices.protocol import topics
from devices.protocol.bus import NotConnectedError
from devices.protocol.messages import Ack, MessageError
from devices.protocol.topics import Topic, TopicKind
from shop_hub.fleet import settle
from shop_hub.fleet.apply import HANDLERS, Handler, UnusableError, take_accepted
from shop_hub.fleet.batch import Batch, Places
from shop_hub.fleet.errors import AWAY
from shop_hub.fleet.history import skip_to, start_life
from shop_hub.fleet.inbox import CommandNote, Item, LifeNote, LinkNote, Received, SkipNote, WriteOffNote
from shop_hub.fleet.letters import Letters
from shop_hub.fleet.means import Means
from shop_hub.fleet.models import Device
from shop_hub.fleet.presence import change_link
from shop_hub.fleet.registry import DeviceInfo

log = logging.getLogger(__name__)


class Ingest:
    """Owned by one thread."""

    handlers: ClassVar[Mapping[TopicKind, Handler]] = HANDLERS

    def __init__(self, means: Means, on_new_life: Callable[[], None]) -> None:
        self._means = means
        self._database, self._dispatcher = means.setup.database, means.setup.dispatcher
        self._on_new_life = on_new_life
        self._letters = Letters()
        self._places: Places = {}
        self.committed = 0

    def apply(self, items: list[Item]) -> None:
        """Commit a batch; if one of its messages is poison, each by itself and that one as a dead letter.

        Raises:
            OperationalError, InterfaceError: the database is away; nothing was acknowledged, call again with the same.
        """
        try:
            self._commit(items)
        except AWAY:
            raise
        except Exception as error:  # noqa: BLE001 - whatever a feature does wrong, the others get their turn
            if len(items) == 1:
                self._bury(items[0], error)
            else:
                self._one_by_one(items)

    def _one_by_one(self, items: list[Item]) -> None:
        for item in items:
            try:
                self._commit([item])
            except AWAY:
                raise
            except Exception as error:  # noqa: BLE001 - as above
                self._bury(item, error)

    def _commit(self, items: list[Item]) -> None:
        try:
            with self._database.transaction() as session:
                batch = self._open_batch(session, items)
                for item in items:
                    self._apply(batch, item)
                batch.flush()
        except BaseException:
            self._places.clear()
            raise
        self._after_commit(batch, items)

    def _open_batch(self, session: Session, items: list[Item]) -> Batch:
        ids = set()
        for item in items:
            if isinstance(item, Received):
                info = self._info(item)
                if info is not None and not _is_accept(item):
                    ids.add(info.id)
            elif isinstance(item, LinkNote | LifeNote | SkipNote):
                ids.add(item.device_id)
        devices = {}
        if ids:
            wanted = select(Device).where(Device.id.in_(ids), Device.is_revoked.is_(False))
            if not any(_is_description(item) for item in items):
                wanted = wanted.options(defer(Device.description))  # the longest of its columns, and seldom used
            devices = {device.id: device for device in session.scalars(wanted.with_for_update())}
        return Batch(session, self._means, self._letters, devices, self._places)

    def _apply(self, batch: Batch, item: Item) -> None:
        match item:
            case Received():
                self._receive(batch, item)
            case CommandNote():
                settle.note(batch.session, self._dispatcher, item.command_id, item.state, item.code)
            case WriteOffNote():
                settle.write_off(batch.session, self._dispatcher, item.command_id)
            case LinkNote():
                change_link(batch, item.device_id, item.link)
            case LifeNote():
                start_life(batch, item.device_id, item.epoch, item.boot)
            case SkipNote():
                skip_to(batch, self._means.registry.by_id(item.device_id), item.epoch, item.seq)

    def _receive(self, batch: Batch, item: Received) -> None:
        info = self._info(item)
        if info is not None and _is_accept(item):
            self._accept(batch, info, item)
        elif item.topic is None or info is None or info.id not in batch.devices:
            batch.letters.keep(batch.session, item.message, None, item.problem or "unknown device")
        elif item.problem:
            self._refuse(batch, item, info, item.problem)
        else:
            self._handle(batch, item, item.topic, info)

    def _accept(self, batch: Batch, info: DeviceInfo, item: Received) -> None:
        """Take the quick way: somebody stands before the door."""
        try:
            take_accepted(batch, info.id, item)
        except (MessageError, UnusableError) as error:
            batch.letters.keep(batch.session, item.message, info, str(error))

    def _handle(self, batch: Batch, item: Received, topic: Topic, info: DeviceInfo) -> None:
        try:
            self.handlers[topic.kind](batch, batch.devices[info.id], item)
        except (MessageError, UnusableError) as error:
            self._refuse(batch, item, info, str(error))

    def _refuse(self, batch: Batch, item: Received, info: DeviceInfo, reason: str) -> None:
        batch.letters.keep(batch.session, item.message, info, reason)
        if item.topic is not None and item.topic.node:
            batch.flush()
            self._dispatcher.suspect(batch.session, batch.devices[info.id], item.topic.node)

    def _bury(self, item: Item, error: Exception) -> None:
        """Keep a poison message as a dead letter and count it as done, so that the next one gets its turn."""
        log.error("a message could not be used", exc_info=error)
        with self._database.transaction() as session:
            batch = self._open_batch(session, [item])
            if isinstance(item, Received):
                batch.bury(item, self._info(item), f"handler: {type(error).__name__}")
        self._after_commit(batch, [item])

    def _info(self, item: Received) -> DeviceInfo | None:
        return None if item.topic is None else self._means.registry.look_up(item.topic.site, item.topic.device)

    def _after_commit(self, batch: Batch, items: list[Item]) -> None:
        for device in batch.devices.values():
            self._means.links.committed(device.id, device.presence, (device.epoch, device.boot, device.seq))
        for device_id, link in batch.link_changes.items():
            self._means.links.stored(device_id, link)
        for ulid, device_id in batch.over:
            self._means.flights.over(ulid, device_id)
        for item in items:
            if isinstance(item, Received):
                self._means.bus.ack(item.message)
        self.committed += len(items)
        self._acknowledge(batch)
        if batch.new_lives:
            self._on_new_life()

    def _acknowledge(self, batch: Batch) -> None:
        """Tell each device up to where it may forget."""
        for device_id in batch.numbered:
            device, info = batch.devices[device_id], self._means.registry.by_id(device_id)
            if info is None or not device.epoch:
                continue
            try:
                ack = Ack(epoch=device.epoch, boot=device.boot, seq=device.seq)
                self._means.bus.publish(topics.ack_set_topic(info.site, info.slug), ack)
            except NotConnectedError:
                log.info("a device will hear at its next event what is committed")


def _is_description(item: Item) -> bool:
    return isinstance(item, Received) and item.topic is not None and item.topic.kind is TopicKind.DESCRIPTION


def _is_accept(item: Received) -> bool:
    return item.topic is not None and item.topic.kind is TopicKind.COMMAND
