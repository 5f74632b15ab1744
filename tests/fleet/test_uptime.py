"""The history of a device's health: shares of days, breaks, restarts, other versions; and that it does not grow."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from devices.protocol import topics
from devices.protocol.description import Description
from shop_hub.core import clock
from shop_hub.core.access import Role
from shop_hub.fleet import changes, jobs, provisioning, uptime
from shop_hub.fleet.models import (
    Device,
    DeviceAlert,
    DeviceChange,
    DeviceHealth,
    DeviceKind,
    DeviceProperty,
    Happening,
    Link,
)
from tests.fleet.kit import eventually
from tests.machines import Visitor, connect_device

HOUR = timedelta(hours=1)


@pytest.fixture
def station(database, site):
    with database.transaction() as session:
        found = connect_device(session, site.id, DeviceKind.LOCKER, "station", epoch="a" * 16)
        found.description = Description(name="x", kind="locker", maker="kerong", firmware="1.0").model_dump(mode="json")
        return found


def link(database, station, *changes_):
    with database.transaction() as session:
        for at, word in changes_:
            session.add(DeviceHealth(site_id=station.site_id, device_id=station.id, link=word, at=at))


def history(database, station):
    with database.reading() as session:
        return uptime.of(session, session.get_one(Device, station.id))


def test_a_device_without_a_past_has_unknown_days(database, station):
    found = history(database, station)
    assert (found.week, found.month, found.boots, found.breaks, len(found.days)) == (None, None, 0, 0, 30)
    assert {day.permille for day in found.days} == {None}


def test_shares_count_only_the_time_in_which_anything_was_known(database, station):
    day = datetime(2027, 6, 12, tzinfo=ZoneInfo("Europe/Berlin"))
    with clock.shifted(day + timedelta(days=3, hours=12) - clock.now()):
        hours = ((6, Link.READY), (18, Link.SILENT), (21, Link.READY))
        link(database, station, *((day + hour * HOUR, word) for hour, word in hours))
        found = history(database, station)
    by_day = [(one.permille, one.breaks) for one in found.days]
    assert by_day[:26] == [(None, 0)] * 26
    assert by_day[26] == (833, 1)
    assert by_day[27:] == [(1000, 0)] * 3
    assert (found.week, found.breaks) == (found.month, 1)


def test_what_was_before_the_thirty_days_holds_at_their_begin(database, station):
    now = clock.now()
    link(database, station, (now - timedelta(days=300), Link.READY), (now - timedelta(days=200), Link.SILENT))
    found = history(database, station)
    assert (found.week, found.month, found.breaks) == (0, 0, 0)


def test_a_device_out_of_service_is_not_counted_on(database, station):
    link(database, station, (clock.now() - timedelta(days=2), Link.READY))
    with database.transaction() as session:
        provisioning.revoke(session, session.get_one(Device, station.id), actor="operator:1", reason="stolen")
    with clock.shifted(timedelta(days=40)):
        assert history(database, station).month is None


def told(database, station, **fields):
    with database.transaction() as session:
        device = session.get_one(Device, station.id)
        after = {**device.description, **fields}
        changes.note_versions(session, device, after)
        device.description = after


def test_other_versions_are_noted_with_what_was_before(app, client, database, station):
    told(database, station, map=7)
    told(database, station, firmware="1.1", protocol=2)
    (row,) = history(database, station).changes
    assert (row.what, row.detail) == (Happening.VERSION, {"firmware": ["1.0", "1.1"], "protocol": [1, 2]})
    office = Visitor(app, client, station.site_id).become(Role.VOLUNTEER)
    page = office.get(f"/office/devices/{station.public_id}")
    assert "it works with other programs: Firmware 1.0 → 1.1, Protocol 1 → 2." in page
    with clock.shifted(timedelta(days=8)):
        page = office.get(f"/office/devices/{station.public_id}")
    assert "it works with other programs" not in page
    assert "Firmware 1.0 → 1.1" in page


def test_versions_that_change_with_each_breath_are_one_change_an_hour(database, station):
    for number in range(2, 30):
        told(database, station, firmware=f"1.{number}")
    told(database, station, maker="other")
    told(database, station, maker="kerong")
    (row,) = history(database, station).changes
    assert row.detail == {"firmware": ["1.0", "1.29"]}
    with clock.shifted(timedelta(minutes=61)):
        told(database, station, firmware="2.0")
        assert [one.detail["firmware"] for one in history(database, station).changes] == [
            ["1.29", "2.0"],
            ["1.0", "1.29"],
        ]
        told(database, station, firmware="1.29")
        assert [one.id for one in history(database, station).changes] == [row.id]


def test_the_first_versions_are_no_change(database, station):
    with database.transaction() as session:
        session.get_one(Device, station.id).description = {}
    told(database, station, firmware="1.0", maker="x")
    assert history(database, station).changes == []


def test_a_restart_is_noted_once_and_a_lost_journal_too(database, station):
    with database.transaction() as session:
        device = session.get_one(Device, station.id)
        for boot in (2, 2, 3, 3, 2):
            changes.note_boot(session, device, "a" * 16, boot)
        changes.note_life(session, device, "b" * 16, 1)
        changes.note_boot(session, device, "b" * 16, 2)
    found = history(database, station)
    assert (found.boots, found.lives) == (3, 1)


def test_many_restarts_are_counted_and_only_the_newest_are_read(database, station):
    told(database, station, firmware="1.1")
    with database.transaction() as session:
        for boot in range(60):
            changes.note_boot(session, session.get_one(Device, station.id), "a" * 16, boot)
    found = history(database, station)
    assert (found.boots, len(found.changes)) == (60, 50)
    assert found.new_version.detail == {"firmware": ["1.0", "1.1"]}


def test_what_a_device_tells_over_the_broker_becomes_its_history(village):
    device = village.device
    device.set("box-01", "door", "closed")
    eventually(lambda: village.all(DeviceProperty))
    device.boot = 2
    device.set("box-01", "door", "open")
    device.event("box-01", "opened")
    described = Description(version=2, name="x", kind="locker", firmware="2.0")
    device.raw(topics.description_topic(*device.place), described.encode(), retain=True)
    eventually(lambda: len(village.all(DeviceChange)) == 2)
    device.lose_journal()
    device.event("box-01", "closed")
    eventually(lambda: len(village.all(DeviceChange)) == 3)
    found = sorted((row.what.value, row.detail.get("firmware")) for row in village.all(DeviceChange))
    assert found == [("boot", None), ("life", None), ("version", ["", "2.0"])]


def test_faults_that_are_over_stay_in_the_history(app, client, database, station):
    now = clock.now()
    with database.transaction() as session:
        place = {"site_id": station.site_id, "device_id": station.id}
        session.add(DeviceAlert(**place, name="probe", text="no answer", since=now - HOUR, cleared_at=now))
        session.add(DeviceAlert(**place, name="old", text="long ago", since=now - timedelta(days=40), cleared_at=now))
    page = Visitor(app, client, station.site_id).become(Role.VOLUNTEER).get(f"/office/devices/{station.public_id}")
    assert "no answer" in page
    assert "long ago" not in page


def test_a_loose_cable_does_not_fill_the_disk(database, station, monkeypatch):
    monkeypatch.setattr(jobs, "MOST_KEPT", 5)
    now = clock.now()
    link(
        database,
        station,
        *((now - timedelta(minutes=m), Link.READY if m % 2 else Link.SILENT) for m in range(12, 0, -1)),
    )
    with database.transaction() as session:
        for boot in range(9):
            changes.note_boot(session, session.get_one(Device, station.id), "a" * 16, boot)
        jobs.prune(session)
    with database.reading() as session:
        kept = session.query(DeviceHealth).order_by(DeviceHealth.id).all()
        assert [row.at for row in kept] == [now - timedelta(minutes=minutes) for minutes in range(5, 0, -1)]
        assert [row.detail["boot"] for row in session.query(DeviceChange).order_by(DeviceChange.id)] == [4, 5, 6, 7, 8]
