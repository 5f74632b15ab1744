"""Makers for tests of machines: a running hub, connected devices, and the answers that devices give."""

from datetime import timedelta

from sqlalchemy import select

from shop_hub.core import clock
from shop_hub.fleet.models import (
    UNRESOLVED,
    CommandState,
    Device,
    DeviceCommand,
    DeviceEvent,
    DeviceProperty,
    HubLease,
    Link,
)


def start_hub(session):
    """Let a worker hold the hub's lease, as in a running village."""
    until = clock.now() + timedelta(days=365)
    session.add(HubLease(name="hub", owner="test", boot=1, generation=1, until=until))
    session.flush()


def connect_device(session, site_id, kind, slug, **more):
    """Enter a device that is connected and ready."""
    device = Device(site_id=site_id, slug=slug, kind=kind, name=slug, link=Link.READY, **more)
    session.add(device)
    session.flush()
    return device


def set_property(session, dispatcher, device, path, value):
    """Let a device publish a state, as fleet takes it in; `path` is node/property."""
    node, name = path.split("/")
    row = session.get(DeviceProperty, (device.id, node, name))
    if row is None:
        row = DeviceProperty(device_id=device.id, node=node, name=name, site_id=device.site_id, epoch="0" * 16, boot=1)
        row.seq = 0
        session.add(row)
    row.value, row.seq, row.at = value, row.seq + 1, clock.now()
    session.flush()
    dispatcher.property(session, device, node, name, value)


def send_event(session, dispatcher, device, node, word, *, cause="", **data):
    """Let a device tell an event, as fleet takes it in."""
    device.seq += 1
    event = DeviceEvent(
        site_id=device.site_id,
        device_id=device.id,
        epoch="0" * 16,
        boot=1,
        seq=device.seq,
        node=node,
        type=word,
        cause=cause,
        data=data,
        at=clock.now(),
        happened_at=clock.now(),
    )
    session.add(event)
    session.flush()
    dispatcher.event(session, event, device)
    return event


def open_commands(session):
    """Return the commands without final answer."""
    wanted = select(DeviceCommand).where(DeviceCommand.state.in_(UNRESOLVED)).order_by(DeviceCommand.id)
    return list(session.scalars(wanted))


def answer(session, dispatcher, command, state=CommandState.DONE, code="", **result):
    """Give a command its final outcome, as fleet records it."""
    command.state, command.code, command.result, command.finished_at = state, code, result, clock.now()
    session.flush()
    dispatcher.result(session, command)
