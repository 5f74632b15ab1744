"""The pages about devices: what a person sees, who may do what."""

import re
from contextlib import contextmanager
from datetime import timedelta

import pytest
from sqlalchemy import event, select

from shop_hub.core import clock
from shop_hub.core.access import Role
from shop_hub.core.audit import AuditEntry
from shop_hub.fleet import jobs, provisioning, queries, service, signins
from shop_hub.fleet.models import (
    DeadLetter,
    Device,
    DeviceAlert,
    DeviceCommand,
    DeviceEvent,
    DeviceHealth,
    DeviceKind,
    DevicePairing,
    DeviceProperty,
    Kiosk,
    Link,
)
from shop_hub.fleet.registry import Registry
from tests.backoffice.office import Browser, make_operator
from tests.conftest import make_site
from tests.machines import connect_device, start_hub


@pytest.fixture
def database(sqlite_database):
    """The pages do the same on both; the features' own tests run on both."""
    return sqlite_database


@pytest.fixture
def site(database):
    return make_site(database)


@pytest.fixture
def office(app, site):
    """Return a browser that is signed in with a role."""

    def sign_in(role: Role) -> Browser:
        make_operator(app, site, role)
        browser = Browser(app.test_client())
        browser.sign_in(role.value)
        return browser

    return sign_in


@pytest.fixture
def station(database, site):
    with database.transaction() as session:
        start_hub(session)
        found = connect_device(session, site.id, DeviceKind.LOCKER, "station", epoch="0" * 16, map_revision=3)
        found.link_at, found.description = clock.now(), {"map": 3, "maker": "eform"}
        found.name = "Paketstation"
        return found


@pytest.fixture
def statements(database):
    """Return a context that collects the SQL statements sent within."""

    @contextmanager
    def collect():
        seen: list[str] = []

        def note(_connection, _cursor, statement, *_more):
            seen.append(statement)

        event.listen(database.engine, "before_cursor_execute", note)
        try:
            yield seen
        finally:
            event.remove(database.engine, "before_cursor_execute", note)

    return collect


def users(app) -> set[str]:
    registry = Registry(app.database)
    registry.refresh()
    return {account.user for account in signins.accounts(app.hasher, app.settings.mqtt, registry)}


def page_of(device) -> str:
    return f"/office/devices/{device.public_id}"


class TestReading:
    def test_the_list_says_who_is_connected_and_who_is_not(self, office, database, station, site):
        with database.transaction() as session:
            silent = connect_device(session, site.id, DeviceKind.ATM, "atm")
            silent.link = Link.SILENT
            alert = DeviceAlert(site_id=site.id, device_id=station.id, name="two-doors", text="x", since=clock.now())
            session.add(alert)

        page = office(Role.VOLUNTEER).get("/office/devices/").text

        assert "Paketstation" in page
        assert "verbunden" in page
        assert "nicht bekannt" in page
        assert "Gerät hinzufügen" not in page

    @pytest.mark.parametrize("count", [1, 30])
    def test_the_list_takes_as_many_statements_for_many_as_for_one(self, office, database, site, count, statements):
        with database.transaction() as session:
            for number in range(count):
                connect_device(session, site.id, DeviceKind.THERMOMETER, f"probe-{number}")
        browser = office(Role.VOLUNTEER)
        browser.get("/office/devices/list")

        with statements() as seen:
            browser.get("/office/devices/list")

        assert len(seen) <= 8

    def test_a_device_shows_what_it_told_and_did(self, office, database, station):
        now = clock.now()
        place = {"site_id": station.site_id, "device_id": station.id}
        life = {"epoch": "0" * 16, "boot": 1, "seq": 1}
        with database.transaction() as session:
            session.add(DeviceProperty(**place, **life, node="box-07", name="door", value="open", at=now))
            forced = DeviceEvent(**place, **life, node="box-09", type="forced", data={"x": 1}, at=now, happened_at=now)
            session.add(forced)
            session.add(DeviceHealth(**place, link=Link.SILENT, at=now))
            service.request(session, station.id, "box-11", "open", {}, by="operator:1")

        page = office(Role.VOLUNTEER).get(page_of(station)).text

        for text in ("box-07", "open", "box-09", "forced", "box-11", "wird gesendet", "eform"):
            assert text in page

    def test_states_of_a_silent_device_are_marked_as_not_known(self, office, database, station):
        with database.transaction() as session:
            session.get_one(Device, station.id).link = Link.SILENT

        page = office(Role.VOLUNTEER).get(page_of(station)).text

        assert "Das Gerät meldet sich gerade nicht." in page

    def test_a_wrong_plan_is_said_aloud(self, office, database, station):
        with database.transaction() as session:
            provisioning.set_map(session, session.get_one(Device, station.id), 4, actor="operator:1")

        page = office(Role.VOLUNTEER).get(page_of(station)).text

        assert "Plan seiner Türen oder Fächer (3) als die Zentrale (4)" in page

    def test_a_device_of_another_shop_is_not_found(self, office, database):
        other = make_site(database, "elsewhere")
        with database.transaction() as session:
            foreign = connect_device(session, other.id, DeviceKind.ATM, "atm")

        assert office(Role.ADMINISTRATOR).get(page_of(foreign)).status_code == 404


class TestActing:
    def test_an_operator_may_stop_waiting_once(self, office, database, station):
        with database.transaction() as session:
            command = service.request(session, station.id, "box-01", "open", {}, by="operator:1")
        browser = office(Role.OPERATOR)

        answer = browser.post(f"{page_of(station)}/commands/{command.ulid}/give-up")

        assert answer.status_code == 303
        with database.reading() as session:
            assert session.get_one(DeviceCommand, command.id).given_up_by.startswith("operator:")

    def test_a_command_of_another_device_is_not_found(self, office, database, station, site):
        with database.transaction() as session:
            other = connect_device(session, site.id, DeviceKind.VENDING, "automat")
            command = service.request(session, other.id, "unit", "vend", {}, by="operator:1")

        answer = office(Role.OPERATOR).post(f"{page_of(station)}/commands/{command.ulid}/give-up")

        assert answer.status_code == 404

    def test_unusable_messages_are_shown_escaped_and_ticked_off(self, office, database, station):
        with database.transaction() as session:
            session.add(
                DeadLetter(
                    site_id=station.site_id,
                    device_id=station.id,
                    topic="lindenau/5/station/log/event",
                    reason="Event: json_invalid",
                    payload="<script>alert(1)</script>",
                    at=clock.now(),
                )
            )
        browser = office(Role.OPERATOR)

        page = browser.get("/office/devices/messages").text
        assert "&lt;script&gt;" in page
        assert "<script>alert" not in page
        assert "1 Meldung war nicht zu verwenden." in browser.get("/office/devices/list").text

        browser.post("/office/devices/messages/seen")

        assert "war nicht zu verwenden" not in browser.get("/office/devices/list").text

    def test_a_new_device_gets_a_code_that_is_shown_once_and_stored_nowhere(self, office, database, site):
        with database.transaction() as session:
            kiosk = Kiosk(site_id=site.id, name="Theke", register_code="K1")
            session.add(kiosk)
        form = {"name": "Handscanner", "slug": "scanner-1", "kind": "scanner", "kiosk": str(kiosk.public_id)}

        page = office(Role.ADMINISTRATOR).post("/office/devices/new", form).text

        with database.reading() as session:
            device = session.query(Device).filter_by(slug="scanner-1").one()
        code = re.search(r"pair ([A-Z0-9]{12}) --hub http://localhost", page)[1]
        assert 'class="qr"' in page
        assert (device.kiosk_id, device.name) == (kiosk.id, "Handscanner")
        assert code.encode() not in _everything_in(database)

    @pytest.mark.parametrize(
        ("form", "text"),
        [
            ({"slug": "Groß"}, "Der Kurzname darf nur"),
            ({"slug": "hub"}, "Der Kurzname darf nur"),
            ({"slug": "station"}, "Es gibt schon ein Gerät"),
            ({"kind": "rocket"}, "X"),
        ],
    )
    @pytest.mark.usefixtures("station")
    def test_a_wrong_form_is_refused_in_words(self, office, form, text):
        whole = {"name": "X", "slug": "x", "kind": "atm", "kiosk": "", **form}

        answer = office(Role.ADMINISTRATOR).post("/office/devices/new", whole)

        assert answer.status_code == 422
        assert text in answer.text

    def test_new_keys_make_the_old_ones_worthless(self, app, office, station):
        page = office(Role.ADMINISTRATOR).post(f"{page_of(station)}/keys", {"reason": "stolen"}).text

        key = provisioning.device_key(app.hasher, "lindenau", "station", 2).hex()
        assert key in page
        assert provisioning.broker_password(app.hasher, "lindenau_station", 2) in page
        assert provisioning.device_key(app.hasher, "lindenau", "station", 1).hex() not in page
        assert key.encode() not in _everything_in(app.database)

    def test_a_revoked_device_has_no_account_and_gets_no_command(self, app, office, database, station):
        assert "lindenau_station" in users(app)

        office(Role.ADMINISTRATOR).post(f"{page_of(station)}/revoke", {"reason": "stolen"})

        assert users(app) == {"hub", "monitor", "ha"}
        with database.reading() as session:
            assert not queries.is_ready(session, station.id)

    @pytest.mark.parametrize("act", ["keys", "revoke"])
    @pytest.mark.parametrize("reason", ["", "   "])
    def test_who_cuts_a_device_off_says_why(self, office, database, station, act, reason):
        browser = office(Role.ADMINISTRATOR)

        browser.post(f"{page_of(station)}/{act}", {"reason": reason})

        assert "Bitte nennen Sie einen Grund." in browser.get(page_of(station)).text
        with database.reading() as session:
            row = session.get_one(Device, station.id)
            assert (row.key_generation, row.is_revoked) == (1, False)

    def test_the_reason_stands_in_the_audit_trail(self, office, database, station):
        browser = office(Role.ADMINISTRATOR)
        browser.post(f"{page_of(station)}/keys", {"reason": "memory card  lost"})
        browser.post(f"{page_of(station)}/revoke", {"reason": "stolen"})

        with database.reading() as session:
            entries = session.scalars(select(AuditEntry).where(AuditEntry.action.like("device-%"))).all()
            found = {(entry.action, entry.detail.get("reason")) for entry in entries}
        assert {("device-keys-renewed", "memory card lost"), ("device-revoked", "stolen")} <= found

    @pytest.mark.parametrize("role", [Role.VOLUNTEER, Role.OPERATOR, Role.MANAGER])
    def test_only_an_administrator_hands_keys_out(self, office, database, station, role):
        browser = office(role)

        answers = [browser.post(f"{page_of(station)}/{act}", {"reason": "x"}).status_code for act in ACTS]

        assert answers == [403, 403, 403]
        with database.reading() as session:
            assert session.scalar(select(DevicePairing)) is None


ACTS = ("keys", "revoke", "code")


def test_old_reports_are_deleted_and_new_ones_kept(database, station):
    place = {"site_id": station.site_id, "device_id": station.id}
    now = clock.now()
    with database.transaction() as session:
        for number, age in enumerate((timedelta(days=1), timedelta(days=400))):
            moment = {"at": now - age}
            life = {"epoch": "0" * 16, "boot": 1, "seq": number}
            session.add(DeviceEvent(**place, **life, **moment, node="x", type="y", data={}, happened_at=moment["at"]))
            session.add(DeviceHealth(**place, **moment, link=Link.READY))
            session.add(DeadLetter(**place, **moment, topic="t", reason="r", payload=""))
        jobs.prune(session)

    with database.reading() as session:
        counts = [session.query(table).count() for table in (DeviceEvent, DeviceHealth, DeadLetter)]
    assert counts == [1, 1, 1]


def _everything_in(database) -> bytes:
    with database.write_engine.connect() as connection:
        return "\n".join(connection.connection.driver_connection.iterdump()).encode()
