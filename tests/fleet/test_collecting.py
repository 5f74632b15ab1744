"""What a region makes of the words of villages: each once, in whatever order they come; what is missing is said."""

import shutil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from devices.protocol import topics
from devices.protocol.description import Description
from shop_hub.core import audit
from shop_hub.core.db import Database
from shop_hub.fleet import collecting, overview, provisioning, queries, service
from shop_hub.fleet.errors import CollectedDeviceError
from shop_hub.fleet.hublease import LeaseKeeper
from shop_hub.fleet.models import ANSWER, DeadLetter, Device, DeviceEvent, DeviceKind, Link
from shop_hub.fleet.partitions import Partition
from tests.conftest import make_site
from tests.fleet.ear import FIRST, OLD, SECOND, SITE, Ear, answer, door, event


@pytest.fixture
def ear(database) -> Ear:
    audit.use_key(b"fleet-tests")
    make_site(database)
    return Ear(database)


@pytest.fixture
def station(ear) -> Ear:
    ear.describe()
    return ear


class TestNumbers:
    def test_what_comes_twice_is_stored_once(self, station):
        station.events(1, 2, 1, 2)
        station.events(2, 1, 3)

        assert station.history() == [("1", 1, "opened"), ("1", 2, "opened"), ("1", 3, "opened")]
        assert len(station.acked) == 1 + 7

    def test_a_gap_blocks_nothing_and_stands_in_the_history(self, station):
        station.events(1, 5)

        assert station.history() == [("1", 1, "opened"), ("1", 2, "-4"), ("1", 5, "opened")]

    def test_what_comes_late_takes_its_place_in_the_gap(self, station):
        station.events(1, 6)

        station.events(4)
        assert station.history() == [
            ("1", 1, "opened"),
            ("1", 2, "-3"),
            ("1", 4, "opened"),
            ("1", 5, "-5"),
            ("1", 6, "opened"),
        ]
        station.events(2, 5, 3, 4)
        assert [number for _, number, type_ in station.history() if type_ == "opened"] == [1, 2, 3, 4, 5, 6]
        assert len(station.history()) == 6

    def test_the_history_begins_where_it_is_first_heard(self, station):
        station.events(500, 499, 501)

        assert station.history() == [("1", 500, "opened"), ("1", 501, "opened")]

    def test_of_a_new_life_nothing_is_taken_for_granted(self, station):
        station.events(7, 8)
        station.events(3, epoch=SECOND)

        assert station.history() == [("1", 7, "opened"), ("1", 8, "opened"), ("2", 1, "-2"), ("2", 3, "opened")]
        assert station.device().epoch == SECOND

    def test_late_words_of_an_ended_life_are_stored_too(self, station):
        station.events(1, 3)
        station.events(1, epoch=SECOND)
        station.events(2, 3, 1)

        assert [place for place in station.history() if place[0] == "1"] == [
            ("1", 1, "opened"),
            ("1", 2, "opened"),
            ("1", 3, "opened"),
        ]
        assert station.device().epoch == SECOND

    def test_answers_to_orders_count_and_stand_in_the_history(self, station):
        station.hear(event(1), answer(2), event(3), answer(2))

        assert station.history() == [("1", 1, "opened"), ("1", 2, ANSWER), ("1", 3, "opened")]

    def test_old_answers_that_a_broker_retained_begin_no_life_and_make_no_gap(self, station):
        station.hear(answer(40, node="box-02"), answer(90, epoch=OLD, node="box-03"), answer(70))
        station.events(100)
        station.hear(answer(40, node="box-02"), answer(90, epoch=OLD, node="box-03"), answer(70))

        assert station.history() == [("1", 100, "opened")]
        assert station.device().epoch == FIRST

    def test_a_device_that_only_answers_has_a_history_too(self, ear):
        ear.describe("printer", "printer")
        ear.hear(answer(5, slug="printer", node="printer"), answer(6, slug="printer", node="printer"))

        assert ear.history("printer") == [("1", 5, ANSWER), ("1", 6, ANSWER)]

    @settings(max_examples=25)
    @given(data=st.data())
    def test_whatever_the_order_everything_told_is_stored_once_or_said_to_be_missing(
        self, sqlite_template, tmp_path_factory, data
    ):
        ear = _prepared(sqlite_template, tmp_path_factory.mktemp("region"))
        told = data.draw(st.lists(st.integers(1, 30), min_size=1, max_size=60))
        lots = data.draw(st.integers(1, 20))

        ear.events(1)
        for start in range(0, len(told), lots):
            ear.events(*told[start : start + lots])

        stored = [number for _, number, type_ in ear.history() if type_ == "opened"]
        gone = [n for _, first, last in ear.history() if last.startswith("-") for n in range(first, int(last[1:]) + 1)]
        assert stored == sorted({1, *told})
        assert sorted(stored + gone) == list(range(1, max(told) + 1))
        ear.database.dispose()


def _prepared(template: Path, folder: Path) -> Ear:
    """Return an ear over a database of its own: each example of hypothesis begins with nothing."""
    audit.use_key(b"fleet-tests")
    database = Database(f"sqlite:///{shutil.copy(template, folder / 'hub.sqlite3')}")
    make_site(database)
    found = Ear(database)
    found.describe()
    return found


class TestStates:
    def test_a_state_goes_only_forward(self, station):
        station.hear(door("open", 5), door("closed", 4), door("open", 5))

        assert station.value() == "open"

    def test_a_life_that_was_not_known_is_a_later_one_and_the_one_before_it_is_over(self, station):
        station.events(1)
        station.hear(door("open", 9), door("closed", 1, epoch=SECOND))
        assert station.value() == "closed"

        station.events(1, epoch=SECOND)
        station.hear(door("open", 9))

        assert station.value() == "closed"


class TestDevices:
    def test_a_device_registers_itself_by_what_it_says_of_itself(self, ear):
        ear.describe("station", "locker", name="Station \x07am Anger", maker="eform")

        device = ear.device()
        assert (device.kind, device.name) == (DeviceKind.LOCKER, "Station am Anger")
        assert device.description["maker"] == "eform"
        assert ear.refetched == 1

    def test_words_of_the_same_batch_are_not_lost(self, ear):
        body = Description(name="x", kind="locker").encode()

        ear.hear(event(1), door("open", 1), (topics.description_topic(SITE, "station"), body), event(2))

        assert [number for _, number, _ in ear.history()] == [1, 2]
        assert ear.value() == "open"

    @pytest.mark.parametrize(
        ("slug", "payload"),
        [
            ("hub", Description(name="x", kind="locker").encode()),
            ("x" * 41, Description(name="x", kind="locker").encode()),
            ("toaster", Description(name="x", kind="toaster").encode()),
            ("garbage", b"\xff{"),
            ("nothing", b""),
        ],
    )
    def test_what_cannot_be_a_device_is_none(self, ear, slug, payload):
        ear.hear((f"{SITE}/5/{slug}/$description", payload))

        assert ear.slugs() == []

    def test_a_village_that_was_not_founded_has_no_devices(self, ear):
        ear.describe("station", site="elsewhere")

        assert ear.slugs() == []
        assert ear.letters() == ["unknown device"]

    def test_one_that_was_taken_out_of_service_stays_so(self, station, database):
        with database.transaction() as session:
            provisioning.revoke(session, session.get_one(Device, station.device().id), actor="test", reason="test")

        again = Ear(database)
        again.describe()
        again.events(1)

        assert again.device().is_revoked
        assert again.history() == []

    def test_a_site_has_only_so_many(self, ear, monkeypatch):
        monkeypatch.setattr(collecting, "MOST_DEVICES", 2)

        for number in range(4):
            ear.describe(f"probe-{number}", "thermometer")

        assert ear.slugs() == ["probe-0", "probe-1"]

    def test_another_kind_under_a_known_name_is_refused(self, station):
        station.describe("station", "door")

        assert station.device().kind is DeviceKind.LOCKER
        assert station.letters() == ["description of another kind of device"]

    def test_what_a_scanner_has_read_stays_in_the_village(self, ear, database):
        ear.describe("scanner", "scanner")
        ear.hear(event(1, slug="scanner", symbology="qr", data="D1MSECRET"))

        with database.reading() as session:
            assert [row.data for row in session.scalars(select(DeviceEvent))] == [{"symbology": "qr"}]

    @pytest.mark.parametrize("words", [(SITE, "scanner", "log", "event"), (SITE, "scanner", "log", "event", "x")])
    def test_of_an_unknown_device_no_content_is_kept_and_only_its_site_sees_the_letter(self, ear, database, words):
        other = make_site(database, "elsewhere")
        _, payload = event(1, slug="scanner", symbology="qr", data="D1MSECRET")
        ear.hear(("/".join((words[0], "5", *words[1:])), payload))

        with database.reading() as session:
            [found] = session.scalars(select(DeadLetter))
            assert (found.site_id, found.device_id, found.payload) == (ear.site().id, None, f"({len(payload)} bytes)")
            assert overview.letters(session, ear.site().id) == [found]
            assert overview.letters(session, other.id) == []

    def test_garbage_blocks_nothing(self, station):
        place = topics.event_topic(SITE, "station")
        station.hear((place, b""), (place, b"{}"), event(1), (place, b"[" * 3000))

        assert [number for _, number, _ in station.history()] == [1]
        assert len(station.letters()) == 3


class TestOrders:
    def test_an_order_to_a_collected_device_is_refused_and_says_why(self, station, database):
        assert LeaseKeeper(database, Partition(0, 1 if database.is_sqlite else 16, collects=True), "region").take()
        with database.transaction() as session:
            device = session.get_one(Device, station.device().id)
            device.link, device.epoch = Link.READY, FIRST

        with database.transaction() as session, pytest.raises(CollectedDeviceError) as refusal:
            service.request(session, device.id, "box-01", "open", {}, by="test:1")

        assert "hub of its own" in refusal.value.message
        with database.reading() as session:
            assert not queries.is_ready(session, device.id)
