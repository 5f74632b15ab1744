"""The alarm pages: what needs a person, who is told, how the devices do."""

import pytest

from shop_hub.alarms import queries, service
from shop_hub.core import clock
from shop_hub.core.access import Role
from shop_hub.core.conditions import Condition, Severity
from shop_hub.fleet.models import DeviceKind
from shop_hub.people import staff
from tests.machines import Visitor, connect_device


def failing(_session, _site_id):
    text, params = "%(name)s is not connected", {"name": "Drucker"}
    return [Condition(key="x", severity=Severity.CRITICAL, text=text, params=params, since=clock.now())]


@pytest.fixture
def office(app, client, database, site):
    with database.transaction() as session:
        operator = staff.create_operator(session, staff.NewOperator(user_name="ines"))
        connect_device(session, site.id, DeviceKind.PRINTER, "drucker")
        service.look(session, [failing])
    visitor = Visitor(app, client, site.id)
    visitor.operator_id = operator.id
    return visitor.become(Role.MANAGER, operator_id=operator.id)


def test_an_alarm_is_shown_and_looked_after(database, site, office):
    page = office.become(Role.VOLUNTEER).get("/office/alarms/")
    assert "Drucker is not connected" in page
    with database.reading() as session:
        (alarm,) = queries.open_alarms(session, site.id)
    after = office.post(f"/office/alarms/{alarm.public_id}/acknowledge", "/office/alarms/", note="Fahre hin")
    assert "somebody looks after it" in after
    assert "Fahre hin" in office.get("/office/alarms/now")


def test_past_alarms_come_in_pages(office):
    assert "No alarm so far." in office.get("/office/alarms/?before=1")


def test_contacts_are_added_tested_and_removed(database, site, office):
    page = "/office/alarms/contacts"
    fields = {"name": "Ines", "address": "ntfy://user:geheim@ntfy.example.org/x", "least": "warning", "after": "0"}
    shown = office.post(page, page, **fields, quiet_from="22:00", quiet_to="06:00", woken="1")
    assert "22:00 \N{EN DASH} 06:00" in shown
    assert "geheim" not in shown
    with database.reading() as session:
        (contact,) = queries.contacts(session, site.id)
    assert (contact.quiet_from, contact.quiet_to, contact.is_woken) == (1320, 360, True)
    assert "The test is on its way." in office.post(f"{page}/{contact.public_id}/test", page)
    office.become(Role.OPERATOR, operator_id=office.operator_id + 1)
    office.post(f"{page}/{contact.public_id}/remove", page, status=403)
    office.become(Role.OPERATOR, operator_id=office.operator_id)
    assert "Nobody is told yet" in office.post(f"{page}/{contact.public_id}/remove", page)
    office.become(Role.VOLUNTEER).get(page, status=403)


@pytest.mark.parametrize(
    "wrong",
    [
        {"least": "x"},
        {"after": "-1"},
        {"after": "99999"},
        {"address": "file:///x"},
        {"quiet_from": "22:00"},
        {"quiet_from": "24:00", "quiet_to": "06:00"},
        {"quiet_from": "x", "quiet_to": "y"},
    ],
)
def test_a_wrong_contact_is_refused(office, wrong):
    page = "/office/alarms/contacts"
    fields = {"name": "Ines", "address": "ines@example.org", "least": "warning", "after": "0"}
    office.post(page, page, status=422, **fields | wrong)


def test_the_health_of_devices_is_shown(office):
    assert "drucker" in office.become(Role.VOLUNTEER).get("/office/alarms/health")
