"""What each kind of message does to the database. All of it is harmless when repeated."""

from collections.abc import Callable
from datetime import datetime, timedelta

from devices.protocol.messages import Accepted, Event, PropertyValue, Result
from devices.protocol.topics import Topic, TopicKind
from shop_hub.core import clock
from shop_hub.fleet import scans, settle
from shop_hub.fleet.batch import Batch
from shop_hub.fleet.history import Order, is_of_this_life, order_of
from shop_hub.fleet.inbox import Received
from shop_hub.fleet.models import Device, DeviceEvent, DeviceKind
from shop_hub.fleet.presence import take_alert, take_description, take_state

_CREDIBLE = timedelta(days=30)


class UnusableError(ValueError):
    """A well-formed message in a place where it must not be believed."""


def take_property(batch: Batch, device: Device, item: Received) -> None:
    """Store a state if it is newer than the stored one; an empty message only clears what the broker retains."""
    if not item.message.payload:
        return
    value = PropertyValue.decode(item.message.payload)
    topic = item.topic
    retained = item.message.retained
    if topic is None or not is_of_this_life(batch, device, value.epoch, value.boot, retained=retained):
        return
    before = batch.place_of(device.id, topic.node, topic.name)
    place = (value.epoch, value.boot, value.seq)
    if before is not None and before[0] == value.epoch and before[1:] >= place[1:]:
        if value.boot < before[1] and not retained:  # a copy that comes late, or a memory set back: the ack tells it
            device.boot = max(device.boot, before[1])
            batch.numbered.add(device.id)
        return
    store_state(batch, device, topic, value)
    if batch.dispatcher.wants_properties(device.kind):
        batch.flush()
        batch.dispatcher.property(batch.session, device, topic.node, topic.name, value.value)
    batch.tell(device)


def store_state(batch: Batch, device: Device, topic: Topic, value: PropertyValue) -> None:
    """Store a state, whatever was stored before."""
    row = {
        "device_id": device.id,
        "node": topic.node,
        "name": topic.name,
        "site_id": device.site_id,
        "value": value.value,
        "epoch": value.epoch,
        "boot": value.boot,
        "seq": value.seq,
        "at": clock.now(),
    }
    batch.write_state(device, row)


def take_event(batch: Batch, device: Device, item: Received) -> None:
    """Store an event once, in order, and hand it to its feature."""
    if item.message.retained:
        raise UnusableError("retained event")
    event = Event.decode(item.message.payload)
    place = (event.epoch, event.boot, event.seq)
    if order_of(batch, device, place, retained=False) is not Order.NEXT:
        return
    device.seq = event.seq
    if device.kind is DeviceKind.SCANNER:
        batch.flush()
        scans.pass_on(batch.session, batch.dispatcher, device, event)
        event = scans.without_content(event)
    row = event_row(device, event)
    batch.session.add(row)
    if event.cause:
        settle.accept(batch.session, device.id, event.cause)
    if batch.dispatcher.wants_event(device.kind, event.type):
        batch.flush()
        batch.session.flush()
        batch.dispatcher.event(batch.session, row, device)
    batch.tell(device)


def take_result(batch: Batch, device: Device, item: Received) -> None:
    """Settle a command; a repeated or older answer still settles one that is open."""
    if not item.message.payload:
        return
    result = Result.decode(item.message.payload)
    place = (result.epoch, result.boot, result.seq)
    order = order_of(batch, device, place, retained=item.message.retained)
    if order is Order.GAP:
        return
    if order is Order.NEXT:
        device.seq = result.seq
    batch.flush()
    batch.over.add((result.id, device.id))
    if settle.finish(batch.session, batch.dispatcher, device, result) is not None:
        batch.tell(device)


def take_accepted(batch: Batch, device_id: int, item: Received) -> None:
    """Note that a command is being carried out."""
    if item.message.retained:
        raise UnusableError("retained accept")
    settle.accept(batch.session, device_id, Accepted.decode(item.message.payload).id)


def event_row(device: Device, event: Event) -> DeviceEvent:
    """Return an event as it is stored."""
    now = clock.now()
    return DeviceEvent(
        site_id=device.site_id,
        device_id=device.id,
        epoch=event.epoch,
        boot=event.boot,
        seq=event.seq,
        node=event.node,
        type=event.type,
        cause=event.cause,
        data=event.data,
        at=now,
        happened_at=_happened_at(event, now),
    )


def _happened_at(event: Event, now: datetime) -> datetime:
    """Return the best guess: the age by a clock that never jumps, else the device's wall clock, else now."""
    if event.age_ms is not None and timedelta(milliseconds=event.age_ms) < _CREDIBLE:
        return now - timedelta(milliseconds=event.age_ms)
    if event.at_ms is not None and abs(event.at_ms - now.timestamp() * 1000) < _CREDIBLE.total_seconds() * 1000:
        return min(now, now + timedelta(milliseconds=event.at_ms - now.timestamp() * 1000))
    return now


Handler = Callable[[Batch, Device, Received], None]
HANDLERS: dict[TopicKind, Handler] = {
    TopicKind.STATE: take_state,
    TopicKind.DESCRIPTION: take_description,
    TopicKind.ALERT: take_alert,
    TopicKind.PROPERTY: take_property,
    TopicKind.EVENT: take_event,
    TopicKind.RESULT: take_result,
}
