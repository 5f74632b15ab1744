"""Makers for tests of machines: a running hub, connected devices, and the answers that devices give."""

import re
from datetime import timedelta

from sqlalchemy import select

from shop_hub.core import clock
from shop_hub.core.access import STAFF, Principal, Role, staff_roles
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


class Visitor:
    """A browser without script, whose owner the test chooses; pages come in English."""

    def __init__(self, app, client, site_id):
        self.app, self.client, self.site_id = app, client, site_id
        app.select_language = lambda: "en"

    def become(self, role=None, **ids):
        """Be staff of a role, or a kiosk, or (without role) anybody."""
        roles = {Role.ANONYMOUS}
        if role in STAFF:
            roles |= staff_roles(role)
            ids.setdefault("operator_id", 7)
        elif role is not None:
            roles.add(role)
        asking = Principal(roles=frozenset(roles), site_id=self.site_id, **ids)
        self.app.load_principal = lambda: asking
        return self

    def get(self, path, status=200):
        answer = self.client.get(path)
        assert answer.status_code == status, answer.text
        return answer.text

    def post(self, path, page, status=303, **fields):
        """Send a form with the hidden fields of `page`; return the text of the answer or of the page it leads to."""
        text = self.get(page)
        hidden = {name: _hidden(text, name) for name in ("csrf_token", "idempotency_key")}
        answer = self.client.post(path, data=hidden | fields)
        assert answer.status_code == status, answer.text
        return self.get(answer.location) if status == 303 else answer.text


def _hidden(page, name):
    found = re.search(rf'name="{name}" value="([^"]*)"', page)
    return found[1] if found else "no-such-field"
