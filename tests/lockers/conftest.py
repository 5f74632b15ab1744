"""A site with a station that has never been set up, and a technician's phone; the test plays the station."""

import pytest
from sqlalchemy import select

from shop_hub.core.access import Role
from shop_hub.fleet.dispatch import Dispatcher
from shop_hub.fleet.models import CommandState, Device, DeviceKind
from shop_hub.lockers import listeners, setups
from shop_hub.lockers.models import StationSetup
from tests.machines import Visitor, answer, connect_device, open_commands, send_event, set_property, start_hub

BOARDS = [{"board": "board-1", "channels": 2, "finding": "ok"}, {"board": "board-2", "channels": 2, "finding": "ok"}]


class Bench:
    """The station's part, message by message."""

    def __init__(self, database, site):
        self.database, self.site = database, site
        self.dispatcher = Dispatcher()
        listeners.register(self.dispatcher)
        with database.transaction() as session:
            start_hub(session)
            device = connect_device(session, site.id, DeviceKind.LOCKER, "station", map_revision=3)
            self.device_id, self.device_public_id = device.id, device.public_id

    def session(self):
        return self.database.transaction()

    @property
    def command(self):
        with self.session() as session:
            (found,) = open_commands(session)
            session.expunge(found)
            return found

    def answer(self, state=CommandState.DONE, code="", **result):
        with self.session() as session:
            (command,) = open_commands(session)
            answer(session, self.dispatcher, command, state, code, **result)

    def opens(self, board, channel):
        """The contact of this lock saw its door open, as the test that is under way asked."""
        self.answer(opened=[[board, channel]], answered=True)

    def property(self, path, value):
        with self.session() as session:
            set_property(session, self.dispatcher, session.get_one(Device, self.device_id), path, value)

    def event(self, node, word, **more):
        with self.session() as session:
            send_event(session, self.dispatcher, session.get_one(Device, self.device_id), node, word, **more)

    def setup(self):
        with self.session() as session:
            found = session.scalar(select(StationSetup).order_by(StationSetup.id.desc()))
            session.refresh(found)
            session.expunge(found)
            return found

    def locks(self):
        with self.session() as session:
            setup = session.scalar(select(StationSetup).order_by(StationSetup.id.desc()))
            return [(one.board, one.channel, one.state.value, one.number) for one in setups.locks(session, setup)]


@pytest.fixture
def bench(database, site):
    return Bench(database, site)


@pytest.fixture
def phone(bench, app, client, site):
    assert bench.device_id
    return Visitor(app, client, site.id).become(Role.MANAGER)
