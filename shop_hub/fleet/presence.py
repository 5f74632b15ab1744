"""Whether a device is there: its `$state` word, its link, its alerts, its description of itself."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from devices.protocol.description import Description
from devices.protocol.messages import DeviceState, MessageError
from shop_hub.core import clock
from shop_hub.fleet import changes
from shop_hub.fleet.batch import Batch
from shop_hub.fleet.dispatch import Dispatcher
from shop_hub.fleet.inbox import Received
from shop_hub.fleet.models import Device, DeviceAlert, DeviceHealth, Link
from shop_hub.fleet.partitions import Partition

_LARGEST_DESCRIPTION = 65_536
_LONGEST_ALERT = 500
_MOST_ALERTS = 50


def take_state(batch: Batch, device: Device, item: Received) -> None:
    """Store the presence that a device tells, or its last will."""
    word = item.message.payload.decode("ascii", errors="replace")
    if word and word not in list(DeviceState):
        raise MessageError("no presence word")
    if word != device.presence:
        device.presence = word
        batch.tell(device)


def take_description(batch: Batch, device: Device, item: Received) -> None:
    """Store what a device says of itself; one that is of another kind than registered is refused."""
    payload = item.message.payload
    if not payload:
        return
    if len(payload) > _LARGEST_DESCRIPTION:
        raise MessageError("description too large")
    description = Description.decode(payload)
    if description.kind != device.kind:
        raise MessageError("description of another kind of device")
    fields = description.model_dump(mode="json")
    if fields != device.description:
        changes.note_versions(batch.session, device, fields)
        device.description = fields
        batch.tell(device)


def take_alert(batch: Batch, device: Device, item: Received) -> None:
    """Open, change or clear an alert."""
    name = item.topic.name if item.topic is not None else ""
    text = item.message.payload[:_LONGEST_ALERT].decode(errors="replace").replace("\0", "")
    open_alerts = {
        alert.name: alert
        for alert in batch.session.scalars(
            select(DeviceAlert).where(DeviceAlert.device_id == device.id, DeviceAlert.cleared_at.is_(None))
        )
    }
    found = open_alerts.get(name)
    if not text:
        if found is not None:
            found.cleared_at = clock.now()
    elif found is not None:
        found.text = text
    elif len(open_alerts) < _MOST_ALERTS:
        alert = DeviceAlert(site_id=device.site_id, device_id=device.id, name=name, text=text, since=clock.now())
        batch.session.add(alert)
    batch.session.flush()
    batch.tell(device)


def forget_links(session: Session, dispatcher: Dispatcher, partition: Partition) -> None:
    """After a start: no device counts as connected before it is heard again."""
    is_known = Device.link.in_((Link.READY, Link.BEHIND))
    known = session.scalars(select(Device).where(is_known, partition.holds(Device.site_id))).all()
    for device in known:
        _set_link(session, device, Link.SILENT)
    session.flush()
    for device in known:
        dispatcher.link(session, device)


def change_link(batch: Batch, device_id: int, link: Link) -> None:
    """Store a changed link, write it into the device's history of health, and tell the feature."""
    device = batch.devices.get(device_id)
    if device is None:
        return
    batch.link_changes[device_id] = link
    if device.link is link:
        return
    _set_link(batch.session, device, link)
    if batch.dispatcher.wants_link(device.kind):
        batch.session.flush()
        batch.flush()
        batch.dispatcher.link(batch.session, device)
    batch.tell(device)


def _set_link(session: Session, device: Device, link: Link) -> None:
    device.link, device.link_at = link, clock.now()
    session.add(DeviceHealth(site_id=device.site_id, device_id=device.id, link=link, at=device.link_at))
