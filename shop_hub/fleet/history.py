"""The order of a device's history: lives of its journal (epochs), boots, and numbers that grow by one."""

from enum import Enum, auto

from sqlalchemy import func, select

from shop_hub.fleet import changes, settle
from shop_hub.fleet.batch import Batch, Place
from shop_hub.fleet.models import Device, DeviceEvent
from shop_hub.fleet.registry import DeviceInfo

_REMEMBERED_EPOCHS = 20


class Order(Enum):
    """How a numbered message stands to what is committed."""

    NEXT = auto()
    REPEAT = auto()
    GAP = auto()
    """Something before it is missing: it will be sent again after that."""
    PAST = auto()
    """From a life of the journal that has ended."""


def is_of_this_life(batch: Batch, device: Device, epoch: str, boot: int, *, retained: bool) -> bool:
    """Tell whether a message belongs to the device's present life; a fresh message may begin a new one.

    A retained message cannot: the broker may have kept it since long ago.
    """
    if epoch == device.epoch:
        if boot > device.boot:
            changes.note_boot(batch.session, device, epoch, boot)
            device.boot = boot
        return True
    if epoch in device.past_epochs or (retained and device.epoch):
        return False
    start_life(batch, device.id, epoch, boot)
    return True


def order_of(batch: Batch, device: Device, place: Place, *, retained: bool) -> Order:
    """Compare (epoch, boot, seq) of an event or result with what is committed."""
    epoch, boot, seq = place
    if not is_of_this_life(batch, device, epoch, boot, retained=retained):
        return Order.PAST
    batch.numbered.add(device.id)
    if seq <= device.seq:
        return Order.REPEAT
    if seq == device.seq + 1:
        return Order.NEXT
    if batch.links.found_gap(device.id):
        _note_loss(batch, device, seq - 1)
        return Order.NEXT
    return Order.GAP


def start_life(batch: Batch, device_id: int, epoch: str, boot: int) -> None:
    """Begin a new life of a device's journal: what was open is unknown from now on, not "not done"."""
    device = batch.devices.get(device_id)
    if device is None or device.epoch == epoch:
        return
    batch.flush()
    had_one = bool(device.epoch)
    if had_one:
        device.past_epochs = [*device.past_epochs, device.epoch][-_REMEMBERED_EPOCHS:]
    is_known = epoch in device.past_epochs
    device.past_epochs = [past for past in device.past_epochs if past != epoch]
    device.epoch, device.boot, device.seq = epoch, boot, _last_of(batch, device, epoch) if is_known else 0
    if had_one or not device.presence:  # else nothing was passed over
        batch.new_lives.add(device.id)
    if had_one:
        changes.note_life(batch.session, device, epoch, boot)
        settle.end_life(batch.session, batch.dispatcher, device)
        batch.dispatcher.suspect(batch.session, device, "")
    batch.tell(device)


def skip_to(batch: Batch, info: DeviceInfo | None, epoch: str, seq: int) -> None:
    """Go on without numbers that a device has given but cannot send any more."""
    device = batch.devices.get(info.id) if info is not None else None
    if device is not None and device.epoch == epoch and seq > device.seq:
        _note_loss(batch, device, seq)
        device.seq = seq
        batch.numbered.add(device.id)


def _last_of(batch: Batch, device: Device, epoch: str) -> int:
    """Return up to where a life was committed before: a device may come back with an old memory card."""
    last = select(func.max(DeviceEvent.seq)).where(DeviceEvent.device_id == device.id, DeviceEvent.epoch == epoch)
    return int(batch.session.scalar(last) or 0)


def _note_loss(batch: Batch, device: Device, last: int) -> None:
    """Write down that messages are lost: any node of the device may be in another state than believed."""
    batch.letters.write(
        batch.session,
        (device.site_id, device.id),
        "log/event",
        "lost",
        f"{device.epoch}/{device.seq + 1}-{last}",
    )
    batch.dispatcher.suspect(batch.session, device, "")
