"""What the messages of villages do to the database of their region. All of it is harmless when repeated.

A region cannot ask a device to say something again, so it never waits either: each number of a device's history is
stored once, in whatever order it comes, and a number that is missing stands in the history as missing until it comes.
"""

from collections.abc import Mapping
from typing import ClassVar

from pydantic import JsonValue
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from devices.protocol.description import Description
from devices.protocol.kinds import KINDS
from devices.protocol.messages import Event, Numbered, PropertyValue, Result
from devices.protocol.topics import TopicKind
from shop_hub.core import clock
from shop_hub.core.errors import ShopError
from shop_hub.fleet import changes, provisioning, scans
from shop_hub.fleet.apply import HANDLERS, Handler, UnusableError, event_row, store_state
from shop_hub.fleet.batch import Batch
from shop_hub.fleet.inbox import Item, Received
from shop_hub.fleet.ingest import Ingest
from shop_hub.fleet.models import ANSWER, MISSING, Device, DeviceEvent, DeviceKind
from shop_hub.fleet.provisioning import NewDevice

MOST_DEVICES = 200
"""So many of a site register themselves at most."""
_ACTOR = "region"
_REMEMBERED_EPOCHS = 20
_LONGEST_NAME = 60


def take_property(batch: Batch, device: Device, item: Received) -> None:
    """Store a state unless a newer one is stored.

    The broker keeps the order of one topic, so a life of which nothing was known is a later one.
    """
    topic = item.topic
    if topic is None or not item.message.payload:
        return
    value = PropertyValue.decode(item.message.payload)
    before = batch.place_of(device.id, topic.node, topic.name)
    if before is not None:
        is_same = before[0] == value.epoch
        is_older = before[1:] >= (value.boot, value.seq) if is_same else _is_earlier(device, value.epoch, before[0])
        if is_older:
            return
    store_state(batch, device, topic, value)
    batch.tell(device)


def take_event(batch: Batch, device: Device, item: Received) -> None:
    """Store an event once. Cards and codes that a scanner has read stay in the village."""
    if item.message.retained:
        raise UnusableError("retained event")
    event = Event.decode(item.message.payload)
    place = Numbered(epoch=event.epoch, boot=event.boot, seq=event.seq)
    if not _is_news(batch, device, place, may_begin=True):
        return
    if device.kind is DeviceKind.SCANNER:
        event = scans.without_content(event)
    # its age is that of the moment when it was sent; how long it waited for the link is not known
    batch.session.add(event_row(device, event.model_copy(update={"age_ms": None})))
    batch.tell(device)


def take_result(batch: Batch, device: Device, item: Received) -> None:
    """Store the answer to an order of the village's hub as an event.

    It is retained and may be of a life that ended long ago, so it begins none where events can.
    """
    if item.topic is None or not item.message.payload:
        return
    result = Result.decode(item.message.payload)
    if not _is_news(batch, device, result, may_begin=not _tells_events(device.kind)):
        return
    data: dict[str, JsonValue] = {"state": result.state.value, "code": result.code}
    batch.session.add(_row(device, result, item.topic.node, ANSWER, data, cause=result.id))
    batch.tell(device)


COLLECTING: Mapping[TopicKind, Handler] = {
    **HANDLERS,
    TopicKind.PROPERTY: take_property,
    TopicKind.EVENT: take_event,
    TopicKind.RESULT: take_result,
}


class CollectingIngest(Ingest):
    """Registers devices by what they say of themselves, and acknowledges nothing to them: that is their hub's part."""

    handlers: ClassVar[Mapping[TopicKind, Handler]] = COLLECTING

    def apply(self, items: list[Item]) -> None:
        """Commit a batch, as a hub does; first enter the devices that are new.

        Raises:
            OperationalError, InterfaceError: the database is away; call again with the same.
        """
        newcomers = {
            (item.topic.site, item.topic.device): item.message.payload
            for item in items
            if isinstance(item, Received)
            and item.topic is not None
            and item.topic.kind is TopicKind.DESCRIPTION
            and item.topic.site in self._means.registry.sites
            and self._info(item) is None
        }
        entered = [place for place, payload in newcomers.items() if self._enter(*place, payload)]
        if entered:
            self._means.registry.refresh()
            self._means.links.know(self._means.registry.all())
            self._on_new_life()  # what was told before it was known is retained
        super().apply(items)

    def _enter(self, site: str, slug: str, payload: bytes) -> bool:
        with self._database.transaction() as session:
            return enter(session, self._means.registry.sites[site], slug, payload)

    def _receive(self, batch: Batch, item: Received) -> None:
        """Pass over retained words of a device that has not said yet what it is: they come again once it has."""
        if not item.message.retained or item.topic is None or self._info(item) is not None:
            super()._receive(batch, item)

    def _acknowledge(self, _batch: Batch) -> None:
        """Say nothing."""


def enter(session: Session, site_id: int, slug: str, payload: bytes) -> bool:
    """Register a device of a village by its description; False if there is something wrong with it.

    One that was taken out of service stays so.
    """
    try:
        description = Description.decode(payload)
        name = "".join(sign for sign in description.name if sign.isprintable())[:_LONGEST_NAME]
        new = NewDevice(slug=slug, kind=DeviceKind(description.kind), name=name)
        if _devices(session, site_id) >= MOST_DEVICES:
            return False
        provisioning.enter(session, site_id, new, actor=_ACTOR)
    except (ValueError, ShopError):
        return False
    return True


def _devices(session: Session, site_id: int) -> int:
    return session.scalar(select(func.count()).select_from(Device).where(Device.site_id == site_id)) or 0


def _tells_events(kind: DeviceKind) -> bool:
    return any(node.events for node in KINDS[kind.value].nodes)


def _is_earlier(device: Device, epoch: str, other: str) -> bool:
    """Tell whether a life came before another one; one that is not known comes last."""
    lives = [*device.past_epochs, device.epoch]
    return epoch in lives and (other not in lives or lives.index(epoch) < lives.index(other))


def _is_news(batch: Batch, device: Device, place: Numbered, *, may_begin: bool) -> bool:
    """Count a number of a device's history; False if it is there already, or cannot be believed.

    The history begins with the first number that is heard. A life that goes forward is the present one.
    """
    if place.epoch != device.epoch and place.epoch not in device.past_epochs:
        if not may_begin:
            return False
        if device.epoch:
            changes.note_life(batch.session, device, place.epoch, place.boot)
        else:
            device.epoch, device.boot, device.seq = place.epoch, place.boot, max(place.seq - 1, 0)
    is_present = place.epoch == device.epoch
    last = device.seq if is_present else _last_of(batch.session, device, place.epoch)
    if place.seq <= last:
        return _fills(batch.session, device, place)
    if place.seq > last + 1:
        _miss(batch.session, device, place, (last + 1, place.seq - 1))
    if not is_present:
        others = [epoch for epoch in (*device.past_epochs, device.epoch) if epoch != place.epoch]
        device.past_epochs, device.epoch = others[-_REMEMBERED_EPOCHS:], place.epoch
    elif place.boot > device.boot:
        changes.note_boot(batch.session, device, place.epoch, place.boot)
    device.boot, device.seq = place.boot, place.seq
    return True


def _last_of(session: Session, device: Device, epoch: str) -> int:
    last = select(func.max(DeviceEvent.seq)).where(DeviceEvent.device_id == device.id, DeviceEvent.epoch == epoch)
    return int(session.scalar(last) or 0)


def _fills(session: Session, device: Device, place: Numbered) -> bool:
    """Tell whether a number was missing until now; then leave the others of its gap as missing."""
    mine = (DeviceEvent.device_id == device.id) & (DeviceEvent.epoch == place.epoch)
    here = mine & (DeviceEvent.boot == place.boot) & (DeviceEvent.seq == place.seq)
    if session.scalar(select(DeviceEvent.id).where(here, DeviceEvent.type != MISSING)) is not None:
        return False
    gaps = select(DeviceEvent).where(mine, DeviceEvent.type == MISSING, DeviceEvent.seq <= place.seq)
    gap = session.scalar(gaps.order_by(DeviceEvent.seq.desc()).limit(1))
    if gap is None or int(gap.data["last"]) < place.seq:
        return False
    first, last = gap.seq, int(gap.data["last"])
    session.delete(gap)
    session.flush()
    for part in ((first, place.seq - 1), (place.seq + 1, last)):
        if part[0] <= part[1]:
            _miss(session, device, place, part)
    return True


def _miss(session: Session, device: Device, place: Numbered, numbers: tuple[int, int]) -> None:
    """Write into the history that numbers were not received."""
    first = Numbered(epoch=place.epoch, boot=place.boot, seq=numbers[0])
    session.add(_row(device, first, "log", MISSING, {"first": numbers[0], "last": numbers[1]}))


def _row(
    device: Device, place: Numbered, node: str, type_: str, data: dict[str, JsonValue], *, cause: str = ""
) -> DeviceEvent:
    now = clock.now()
    return DeviceEvent(
        site_id=device.site_id,
        device_id=device.id,
        epoch=place.epoch,
        boot=place.boot,
        seq=place.seq,
        node=node,
        type=type_,
        cause=cause,
        data=data,
        at=now,
        happened_at=now,
    )
