"""The cash machine's pages: what anyone reads, and what only operators read."""

import pytest

from shop_hub.atm import service
from shop_hub.core.access import Role
from shop_hub.fleet.models import DeviceKind, Link
from tests.atm.test_status import report
from tests.machines import Visitor, connect_device


@pytest.fixture
def machine(database, site):
    with database.transaction() as session:
        device = connect_device(session, site.id, DeviceKind.ATM, "geldautomat")
        made = service.add_machine(session, site.id, service.NewCashMachine(bank="Kranichbank", device_id=device.id))
        service.record_state(session, device, report())
        made.device = device
        return made


@pytest.fixture
def visitor(app, client, site, machine):
    assert machine.id
    return Visitor(app, client, site.id).become()


def test_anyone_reads_that_there_is_cash(visitor):
    page = visitor.get("/kiosk/atm")
    assert "You can get cash." in page
    assert "Kranichbank" in page
    assert "You can get cash." in visitor.get("/kiosk/")


def test_no_public_page_tells_a_level(visitor):
    for path in ("/kiosk/atm", "/kiosk/atm/state", "/kiosk/"):
        assert "denomination" not in visitor.get(path)
        assert "Cassette" not in visitor.get(path)


def test_silence_reads_as_doubt(database, visitor, machine):
    with database.transaction() as session:
        session.merge(machine.device).link = Link.SILENT
    assert "We hear nothing from the cash machine." in visitor.get("/kiosk/atm")
    assert "state not known" in visitor.get("/kiosk/")


def test_cassettes_are_for_operators_only(visitor, machine):
    page = f"/office/atm/{machine.public_id}"
    assert "Cassettes" in visitor.become(Role.OPERATOR).get(page)
    assert "Cassettes" not in visitor.become(Role.VOLUNTEER).get(page)
    visitor.become().get(page, status=302)


def test_an_operator_enters_what_was_seen(database, visitor, machine):
    with database.transaction() as session:
        session.merge(machine.device).link = Link.OFFLINE
    page = f"/office/atm/{machine.public_id}"
    visitor.become(Role.OPERATOR)
    seen = {"service": "inService", "withdrawal": "low", "hours": "4", "reason": ""}
    assert "The entry is shown" in visitor.post(f"{page}/report", page, **seen)
    assert "not much is left" in visitor.become().get("/kiosk/atm")
    visitor.become(Role.OPERATOR)
    visitor.post(f"{page}/report", page, status=422, **seen | {"hours": "1000"})


def test_staff_see_availability_by_month_and_outages(database, visitor, machine):
    page = f"/office/atm/{machine.public_id}"
    with database.transaction() as session:
        service.record_state(session, session.merge(machine.device), report("outOfService", reason="paper jam"))
    shown = visitor.become(Role.VOLUNTEER).get(page)
    assert "Availability by month" in shown
    assert "paper jam" in shown
    assert "still on" in shown
