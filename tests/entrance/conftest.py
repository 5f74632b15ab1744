"""A shop with a door, rules by day and a member's card."""

from datetime import date

import pytest

from shop_hub.entrance import listeners, rules, service
from shop_hub.entrance.models import (
    Audience,
)
from shop_hub.fleet.dispatch import Dispatcher
from shop_hub.fleet.models import DeviceKind
from shop_hub.people import service as people
from shop_hub.people.service import NewPerson
from tests import machines


@pytest.fixture
def dispatcher():
    made = Dispatcher()
    listeners.register(made)
    return made


@pytest.fixture
def door(database, site, dispatcher):
    with database.transaction() as session:
        machines.start_hub(session)
        device = machines.connect_device(session, site.id, DeviceKind.DOOR, "tuer")
        scanner = machines.connect_device(session, site.id, DeviceKind.SCANNER, "scanner-tuer")
        entrance = service.add_entrance(
            session, site.id, service.NewEntrance(name="Tür", device_id=device.id, scanner_id=scanner.id)
        )
        for name, value in (("door", "closed"), ("lock", "locked"), ("mode", "auto")):
            machines.set_property(session, dispatcher, device, f"door/{name}", value)
    return entrance


@pytest.fixture
def open_by_day(database, site):
    with database.transaction() as session:
        by_day = rules.NewRule(
            audience=Audience.EVERYONE, opens_minute=300, closes_minute=1320, valid_from=date(2020, 1, 1)
        )
        by_night = rules.NewRule(
            audience=Audience.MEMBERS, opens_minute=0, closes_minute=1380, valid_from=date(2020, 1, 1)
        )
        for new in (by_day, by_night):
            rules.add_rule(session, site.id, new, actor="operator:1")


@pytest.fixture
def card(database, site):
    with database.transaction() as session:
        person = people.create_person(session, NewPerson(home_site_id=site.id, first_name="Erna", last_name="Kunze"))
        return people.issue_card(session, person.id)
