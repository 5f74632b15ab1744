"""The office of a region: what is missing is said, and nothing can be done that only the village can do."""

from datetime import timedelta

import pytest

from shop_hub.core import audit, clock
from shop_hub.core.access import Role
from shop_hub.core.settings import Mqtt
from shop_hub.fleet import alarms
from shop_hub.fleet.hublease import LeaseKeeper
from shop_hub.fleet.partitions import Partition
from tests.backoffice.office import Browser, make_operator
from tests.conftest import make_site
from tests.fleet.ear import SECOND, Ear, event


@pytest.fixture
def database(sqlite_database):
    """The pages do the same on both."""
    return sqlite_database


@pytest.fixture
def region(app, database) -> Ear:
    """A region's application over a village with a station."""
    audit.use_key(b"fleet-tests")
    make_site(database)
    app.settings = app.settings.model_copy(update={"mqtt": Mqtt(collects=True)})
    assert LeaseKeeper(database, Partition(0, 1, collects=True), "region").take()
    found = Ear(database)
    found.describe(name="Paketstation")
    return found


@pytest.fixture
def office(app, region):
    """Return a browser that is signed in with a role."""

    def sign_in(role: Role) -> Browser:
        make_operator(app, region.site(), role)
        browser = Browser(app.test_client())
        browser.sign_in(role.value)
        return browser

    return sign_in


def texts(region: Ear) -> list[str]:
    with clock.shifted(timedelta(minutes=10)), region.database.reading() as session:
        return [found.text % found.params for found in alarms.conditions(session, region.site().id)]


def test_what_was_not_received_is_said_on_the_page_of_the_device(region, office):
    region.events(1, 5)

    page = office(Role.VOLUNTEER).get(f"/office/devices/{region.device().public_id}").text

    assert "nicht angekommen" in page
    assert "&#34;first&#34;: 2, &#34;last&#34;: 4" in page


def test_it_is_one_alarm_of_a_device_until_all_came(region):
    region.events(1, 5, 8)
    assert texts(region) == ["Paketstation: reports that were not received: 5"]

    region.events(2, 3, 4)
    assert texts(region) == ["Paketstation: reports that were not received: 2"]

    region.events(7, 6)
    assert texts(region) == []


def test_the_page_of_a_device_says_nothing_that_is_not_so(region, office):
    region.describe(name="Paketstation", map=7)
    region.events(1)
    region.hear(event(2, boot=2), event(3, boot=2), event(1, epoch=SECOND))

    page = " ".join(office(Role.VOLUNTEER).get(f"/office/devices/{region.device().public_id}").text.split())

    assert "mit einem anderen Plan" not in page
    assert "<dt>Plan</dt><dd>7</dd>" in page
    assert "<dt>Neustarts</dt><dd>1</dd>" in page
    assert "<dt>Gedächtnis verloren</dt><dd>1</dd>" in page
    assert "Angekommen" in page


def test_devices_are_set_up_only_in_their_village(region, office):
    browser = office(Role.ADMINISTRATOR)
    page = f"/office/devices/{region.device().public_id}"

    assert "eigene Zentrale" in browser.get("/office/devices/").text
    assert "Gerät hinzufügen" not in browser.get("/office/devices/").text
    assert "/keys" not in browser.get(page).text
    assert browser.post(f"{page}/code").status_code == 409
    assert browser.post(f"{page}/keys", {"reason": "x"}).status_code == 409
    assert browser.post("/office/devices/new", {"slug": "x", "kind": "locker", "name": "x"}).status_code == 409
