"""The map of the devices: what their states mean, where they stand, and that nothing is claimed that nobody knows."""

from contextlib import contextmanager
from datetime import timedelta

import pytest
from sqlalchemy import event, update

from shop_hub.core import clock
from shop_hub.core.access import Role
from shop_hub.core.errors import BadInputError
from shop_hub.fleet import map_facts, map_plan, map_reads
from shop_hub.fleet.models import Device, DeviceAlert, DeviceKind, DeviceProperty, HubLease, Link
from tests.conftest import make_site
from tests.machines import Visitor, connect_device, start_hub

MAP = "/office/devices/map/"
LIFE = {"epoch": "0" * 16, "boot": 1, "seq": 1}


@pytest.fixture
def station(database, site):
    with database.transaction() as session:
        start_hub(session)
        found = connect_device(session, site.id, DeviceKind.LOCKER, "station")
        found.name, found.link_at = "Paketstation", clock.now() - timedelta(hours=2)
        place = {"site_id": site.id, "device_id": found.id}
        session.add(DeviceProperty(**place, **LIFE, node="box-07", name="door", value="open", at=clock.now()))
        return found


@pytest.fixture
def office(app, client, site):
    return Visitor(app, client, site.id).become(Role.OPERATOR)


def spot(database, site):
    with database.reading() as session:
        (found,) = map_reads.plan(session, site.id).spots
        return found


def said(kind, states, alerts=()):
    return [(fact.tone, fact.text, fact.params.get("place", fact.milli)) for fact in map_facts.of(kind, states, alerts)]


@pytest.mark.parametrize(
    ("kind", "states", "facts"),
    [
        (
            DeviceKind.LOCKER,
            {("box-12", "door"): "open", ("box-03", "door"): "open", ("board-2", "state"): "lost"},
            [("bad", "Lock board does not answer: %(place)s", "2"), ("warning", "Open: %(place)s", "3, 12")],
        ),
        (DeviceKind.LOCKER, {("box-01", "lock"): "jam"}, [("bad", "Does not open: %(place)s", "1")]),
        (
            DeviceKind.VENDING,
            {("slot-04", "stock"): 0, ("slot-09", "state"): "empty", ("unit", "temperature"): 6200},
            [("warning", "Sold out: %(place)s", "4, 9"), ("", "%(temperature)s", 6200)],
        ),
        (DeviceKind.ATM, {("atm", "status"): {"service": "outOfService"}}, [("bad", "Out of order", None)]),
        (DeviceKind.ATM, {("atm", "status"): "?"}, [("warning", "It does not say how it is", None)]),
        (
            DeviceKind.THERMOMETER,
            {("probe", "temperature"): 9100, ("probe", "limits"): {"low": 2000, "high": 8000}},
            [("bad", "Too warm: %(temperature)s", 9100)],
        ),
        (DeviceKind.THERMOMETER, {("probe", "temperature"): None}, [("warning", "No reading", None)]),
        (DeviceKind.THERMOMETER, {}, [("warning", "It does not say how it is", None)]),
        (DeviceKind.PRINTER, {("printer", "state"): "paper-out"}, [("bad", "Out of paper", None)]),
        (DeviceKind.PRINTER, {("printer", "state"): ["paper-out"]}, []),
        (
            DeviceKind.TERMINAL,
            {("terminal", "state"): "offline"},
            [("bad", "The machine itself does not answer", None)],
        ),
        (DeviceKind.DOOR, {("door", "door"): "open", ("door", "lock"): "free"}, None),
        (DeviceKind.SCANNER, {}, []),
    ],
)
def test_states_become_words_worst_first(kind, states, facts):
    found = said(kind, states)
    if facts is None:
        facts = [("info", "The door is open", None), ("info", "Not locked", None)]
    assert found == facts


@pytest.mark.parametrize("kind", list(DeviceKind))
def test_nonsense_from_a_machine_breaks_no_page(kind):
    for value in (None, True, [], {}, {"service": []}, "x" * 500, -1, 10**12):
        states = {(node, name): value for node in ("box-1", "slot", "unit", "probe", "atm") for name in map_facts.NAMES}
        map_facts.of(kind, states, [("", "")])


def test_complaints_are_told_in_plain_words_and_strange_ones_as_they_came():
    found = map_facts.of(
        DeviceKind.SCANNER, {}, [("left-open-box-07", "box-07 has been open"), ("strange", "something")]
    )
    assert [(fact.tone, fact.text, dict(fact.params)) for fact in found] == [
        ("bad", "Open for long: %(place)s", {"place": "7", "text": "box-07 has been open"}),
        ("bad", "It reports: %(text)s", {"text": "strange something"}),
    ]


@pytest.mark.parametrize("link", [Link.SILENT, Link.OFFLINE, Link.BEHIND])
def test_of_a_device_that_is_not_heard_nothing_is_claimed(database, site, station, office, link):
    with database.transaction() as session:
        session.get_one(Device, station.id).link = link
    found = spot(database, site)
    assert (found.is_current, found.facts, found.since) == (False, [], station.link_at)
    assert found.is_wrong
    page = office.get(MAP)
    assert "Paketstation: not known since" in " ".join(page.split())
    assert "Open: 7" not in page


@pytest.mark.parametrize("way", ["expired", "released"])
def test_without_a_hub_that_listens_nothing_is_known(database, site, station, office, way):
    ended = clock.now() - timedelta(minutes=9)
    with database.transaction() as session:
        session.execute(
            update(HubLease).values(until=ended) if way == "expired" else update(HubLease).values(is_released=True)
        )
    found = spot(database, site)
    assert (found.link, found.facts) == (Link.SILENT, [])
    assert found.since == ended if way == "expired" else found.since <= clock.now()
    assert station.name == found.name
    assert "The hub does not listen" in office.get(MAP)
    assert "not known</span>" in office.get("/office/devices/")
    assert "The device is not heard right now." in office.get(f"/office/devices/{station.public_id}")


def test_a_device_that_was_never_heard_is_no_fault(database, site, station, office):
    with database.transaction() as session:
        session.get_one(Device, station.id).link = Link.NEVER
    assert (spot(database, site).tone, spot(database, site).is_wrong) == ("", False)
    page = office.get(MAP)
    assert "never heard" in page
    assert "1 device has never been heard. Of it nothing is known." in page
    assert "connected and well" not in page


def test_the_map_shows_what_is_open_and_what_a_device_complains_about(database, station, office):
    with database.transaction() as session:
        place = {"site_id": station.site_id, "device_id": station.id}
        session.add(DeviceAlert(**place, name="jam-box-02", text="x", since=clock.now()))
        session.add(DeviceAlert(**place, name="two-doors", text="x", since=clock.now(), cleared_at=clock.now()))
    page = " ".join(office.get(f"{MAP}now").split())
    assert "Paketstation: Does not open: 2 · Open: 7" in page
    assert "Two doors" not in page


@pytest.mark.parametrize("count", [1, 30])
def test_the_map_takes_as_many_statements_for_many_as_for_one(database, site, station, office, count):
    assert station.id
    with database.transaction() as session:
        for number in range(count):
            connect_device(session, site.id, DeviceKind.THERMOMETER, f"probe-{number}")
    office.get(f"{MAP}now")
    with statements(database) as seen:
        office.get(f"{MAP}now")
    assert len(seen) <= 8


@contextmanager
def statements(database):
    seen = []

    def note(_connection, _cursor, statement, *_more):
        seen.append(statement)

    event.listen(database.engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(database.engine, "before_cursor_execute", note)


def test_a_device_is_named_and_placed_and_stands_in_its_room(database, site, station, office):
    page = f"{MAP}arrange"
    address = f"{page}/devices/{station.public_id}"
    office.post(f"{page}/rooms", page, name=" Laden  innen ")
    office.post(address, page, to="right")
    office.post(address, page, to="3-2")
    text = office.post(address, page, to="left")
    assert 'name="to" value="left" form="placing" autofocus' in " ".join(text.split())
    office.post(f"{address}/name", page, name="Station am Tor", place=" neben  der Tür ")
    found = spot(database, site)
    assert (found.name, found.place, found.square, found.room) == (
        "Station am Tor",
        "neben der Tür",
        (2, 2),
        "Laden innen",
    )
    office.post(address, page, to="off")
    assert spot(database, site).square is None


@pytest.mark.parametrize("to", ["0-1", "9-1", "1-11", "x", "1", "1-2-3", "wider", ""])
def test_a_square_outside_the_plan_is_refused(database, site, station, office, to):
    office.post(f"{MAP}arrange/devices/{station.public_id}", f"{MAP}arrange", status=422, to=to)
    assert spot(database, site).square is None


def test_nothing_leaves_the_plan_however_often_it_is_moved(database, site, station):
    with database.transaction() as session:
        device = session.get_one(Device, station.id)
        room = map_plan.add_room(session, site.id, "Laden")
        for direction in ("right", "down"):
            for _ in range(12):
                map_plan.move(session, device, direction, actor="operator:1")
                map_plan.change_room(session, room, direction)
        assert (room.plan_column, room.plan_row, room.width, room.height) == (6, 9, 3, 2)
        for word in ("wider", "higher"):
            map_plan.change_room(session, room, word)
        assert (room.width, room.height) == (3, 2)
        for word in ("narrower", "lower"):
            for _ in range(9):
                map_plan.change_room(session, room, word)
        assert (room.width, room.height) == (1, 1)
        map_plan.place_room(session, room, (99, -3))
        assert (room.plan_column, room.plan_row) == (8, 1)
    assert spot(database, site).square == (8, 10)


def test_the_smaller_of_two_rooms_around_a_device_is_its_room(database, site, station):
    with database.transaction() as session:
        map_plan.place(session, session.get_one(Device, station.id), (1, 1), actor="operator:1")
        map_plan.add_room(session, site.id, "Haus")
        small = map_plan.add_room(session, site.id, "Vorraum")
        map_plan.change_room(session, small, "narrower")
    assert spot(database, site).room == "Vorraum"


def test_rooms_are_renamed_and_removed_and_their_number_is_limited(database, site, station, office):
    page = f"{MAP}arrange"
    office.post(f"{page}/rooms", page, status=422, name="  ")
    with database.transaction() as session:
        rooms = [map_plan.add_room(session, site.id, f"Raum {number}") for number in range(map_plan.MOST_ROOMS)]
        with pytest.raises(BadInputError):
            map_plan.add_room(session, site.id, "einer zu viel")
    address = f"{page}/rooms/{rooms[0].public_id}"
    office.post(f"{address}/name", page, name="Keller")
    assert "Keller" in office.get(MAP)
    office.post(address, page, to="off")
    assert "Keller" not in office.get(MAP)
    office.post(address, page, status=404, to="left")
    assert station.id


def test_only_the_own_shop_is_arranged_and_only_by_operators(app, client, database, site, station):
    other = make_site(database, "elsewhere")
    assert station.site_id == site.id
    stranger = Visitor(app, client, other.id).become(Role.ADMINISTRATOR)
    stranger.post(f"{MAP}arrange/devices/{station.public_id}", f"{MAP}arrange", status=404, to="left")
    assert "Paketstation" not in stranger.get(MAP)
    volunteer = Visitor(app, client, site.id).become(Role.VOLUNTEER)
    assert "Arrange the plan" not in volunteer.get(MAP)
    volunteer.get(f"{MAP}arrange", status=403)
