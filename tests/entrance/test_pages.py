"""The door's pages: hours for all, coming in by card, rules and log in the office."""

from datetime import date

import pytest

from shop_hub.core.access import Role
from shop_hub.entrance import queries, rules
from shop_hub.entrance.models import Audience, DoorAlert, Entrance, HolidayRule, SpecialKind
from shop_hub.fleet.models import Kiosk
from tests import machines
from tests.entrance.village import at
from tests.machines import Visitor


@pytest.fixture
def kiosk(database, app, client, site, door):
    with database.transaction() as session:
        made = Kiosk(site_id=site.id, name="Kiosk", register_code="K1")
        session.add(made)
        session.flush()
    visitor = Visitor(app, client, site.id).become(Role.KIOSK, kiosk_id=made.id)
    assert door.id
    return visitor


@pytest.mark.usefixtures("open_by_day")
def test_hours_and_state_are_told_to_all(kiosk):
    with at(12):
        kiosk.become()
        assert "The shop is open." in kiosk.get("/kiosk/door")
        assert "open until 22:00" in kiosk.get("/kiosk/")
    with at(4):
        assert "Open for members" in kiosk.get("/kiosk/door")
    with at(23):
        page = kiosk.get("/kiosk/door")
        assert "The shop is closed." in page
        assert "tomorrow 5:00" in page


@pytest.mark.usefixtures("open_by_day")
def test_a_card_at_the_kiosk_opens_and_the_page_follows(database, kiosk, card, dispatcher):
    with at(4):
        page = kiosk.post("/kiosk/door/card", "/kiosk/door", code=card.text)
        assert "The door is being opened." in page
        with database.transaction() as session:
            machines.answer(session, dispatcher, machines.open_commands(session)[0])
        address = page.split('hx-get="')[1].split('"')[0]
        assert "Please push the door now." in kiosk.get(address)


@pytest.mark.usefixtures("open_by_day")
def test_a_refused_card_is_told_why(kiosk, card):
    with at(23):
        page = kiosk.post("/kiosk/door/card", "/kiosk/door", status=403, code=card.text)
        assert "The shop is closed right now. It opens again: 25.11. 05:00." in page


@pytest.mark.usefixtures("open_by_day")
def test_anyone_opens_within_the_hours_for_everyone(kiosk):
    with at(12):
        assert "The door is being opened." in kiosk.post("/kiosk/door/open", "/kiosk/door")


def test_a_manager_changes_rules_and_days(database, site, kiosk):
    kiosk.become(Role.MANAGER)
    new = {"audience": "members", "holidays": "only", "opens": "06:30", "closes": "24:00", "day5": "1"}
    new |= {"day6": "1", "christmas_eve": "14:00"}
    page = kiosk.post("/office/entrance/rules", "/office/entrance/", **new, valid_from="2026-12-01")
    assert "The rule was added." in page
    day = {"day": "2026-12-24", "kind": "hours", "day_opens": "08:00", "day_closes": "13:00", "note": "Heiligabend"}
    assert "The day was added." in kiosk.post("/office/entrance/days", "/office/entrance/", **day)
    with database.reading() as session:
        (rule,) = queries.rules(session, site.id)
        (special,) = queries.special_days(session, site.id)
    found = (rule.audience, rule.holidays, rule.opens_minute, rule.closes_minute, rule.weekdays, rule.valid_from)
    assert found == (Audience.MEMBERS, HolidayRule.ONLY, 390, 1440, 96, date(2026, 12, 1))
    assert (special.kind, special.opens_minute, special.note) == (SpecialKind.HOURS, 480, "Heiligabend")
    kiosk.post(f"/office/entrance/rules/{rule.public_id}/end", "/office/entrance/")
    kiosk.post(f"/office/entrance/days/{special.public_id}/remove", "/office/entrance/")
    with database.reading() as session:
        assert (queries.rules(session, site.id), queries.special_days(session, site.id)) == ([], [])


@pytest.mark.parametrize(
    "wrong", [{"opens": "x"}, {"closes": "5"}, {"closes": "04:00"}, {"audience": "dogs"}, {"valid_from": "tomorrow"}]
)
def test_nonsense_in_a_rule_is_refused(database, site, kiosk, wrong):
    kiosk.become(Role.MANAGER)
    new = {"audience": "everyone", "holidays": "also", "opens": "05:00", "closes": "22:00", "day0": "1"} | wrong
    kiosk.post("/office/entrance/rules", "/office/entrance/", status=422, **new)
    with database.reading() as session:
        assert queries.rules(session, site.id) == []


def test_an_operator_opens_with_a_reason_and_closes_the_shop(database, kiosk, door):
    kiosk.become(Role.OPERATOR)
    page = "/office/entrance/"
    kiosk.post("/office/entrance/open", page, status=422, reason="")
    assert "The door is being unlocked." in kiosk.post("/office/entrance/open", page, reason="Lieferant")
    assert "closed for everyone" in kiosk.post("/office/entrance/closed", page, closed="1", why="Rohrbruch")
    with database.reading() as session:
        assert session.get(Entrance, door.id).is_kept_closed
    assert "The opening hours count again." in kiosk.post("/office/entrance/closed", page, closed="0")
    assert "Lieferant" not in kiosk.get("/office/entrance/log")


def test_volunteers_neither_open_nor_rule(kiosk):
    kiosk.become(Role.VOLUNTEER)
    kiosk.post("/office/entrance/open", "/office/entrance/", status=403, reason="x")
    kiosk.post("/office/entrance/rules", "/office/entrance/", status=403)
    kiosk.get("/office/entrance/log", status=403)


def test_an_alert_is_shown_until_someone_has_looked(database, kiosk, door, dispatcher):
    from shop_hub.fleet.models import Device

    with database.transaction() as session:
        machines.send_event(session, dispatcher, session.get(Device, door.device_id), "door", "forced")
    kiosk.become(Role.VOLUNTEER)
    assert "although nobody was let in" in kiosk.get("/office/entrance/")
    kiosk.post("/office/entrance/alert", "/office/entrance/")
    with database.reading() as session:
        assert session.get(Entrance, door.id).alert is not DoorAlert.FORCED


def test_a_site_without_door_still_shows_its_hours(database, app, client, site):
    with database.transaction() as session:
        new = rules.NewRule(audience=Audience.EVERYONE, opens_minute=0, closes_minute=1440, holidays=HolidayRule.ALSO)
        rules.add_rule(session, site.id, new, actor="operator:1")
    visitor = Visitor(app, client, site.id).become()
    assert "day and night" in visitor.get("/kiosk/door")
    assert "No door with a lock" in visitor.become(Role.OPERATOR).get("/office/entrance/")


@pytest.mark.usefixtures("door")
def test_staff_see_how_many_people_come(kiosk):
    page = kiosk.become(Role.VOLUNTEER).get("/office/entrance/visitors")
    assert page.count('class="chart-bar"') == 24
    assert "Who came is not known" in page
    kiosk.become().get("/office/entrance/visitors", status=302)
