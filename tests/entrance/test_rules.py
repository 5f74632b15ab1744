"""When the door is open: rules, special days, closing by hand, and what the lock is told."""

from datetime import date, datetime, timedelta

import pytest
from sqlalchemy import select

from shop_hub.core import clock
from shop_hub.entrance import queries, rules, service
from shop_hub.entrance.errors import (
    KeptClosedError,
    NoWeekdayError,
    WrongDatesError,
    WrongHoursError,
)
from shop_hub.entrance.models import (
    Audience,
    Entrance,
    OpeningRule,
    SpecialKind,
)
from shop_hub.fleet.models import Device, Link
from tests import machines
from tests.entrance.village import BERLIN, at


@pytest.mark.usefixtures("open_by_day", "door")
def test_a_shop_closed_by_hand_lets_nobody_in_until_reopened(database, site, card):
    with at(12):
        with database.transaction() as session:
            service.keep_closed(session, site.id, closed=True, reason="Rohrbruch", actor="operator:1")
        with pytest.raises(KeptClosedError), database.transaction() as session:
            service.admit_by_card(session, site.id, card.text)
        with database.reading() as session:
            assert not queries.status(session, site.id).is_open
        with database.transaction() as session:
            service.keep_closed(session, site.id, closed=False, reason="", actor="operator:1")
        with database.reading() as session:
            assert queries.status(session, site.id).is_open


@pytest.mark.usefixtures("open_by_day")
@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ((12, False, "auto"), "free"),
        ((12, False, "free"), None),
        ((23, False, "free"), "auto"),
        ((23, False, "auto"), None),
        ((12, True, "free"), "locked"),
    ],
)
def test_the_lock_is_steered_by_the_rules(database, door, dispatcher, given, wanted):
    hour, is_kept_closed, mode = given
    with at(hour), database.transaction() as session:
        session.get(Entrance, door.id).is_kept_closed = is_kept_closed
        machines.set_property(session, dispatcher, session.get(Device, door.device_id), "door/mode", mode)
        service.steer_all(session)
        service.steer_all(session)
        assert [command.args for command in machines.open_commands(session)] == ([{"mode": wanted}] if wanted else [])


@pytest.mark.usefixtures("open_by_day")
def test_the_door_is_given_two_weeks_of_hours_for_times_without_the_hub(database, site, door, dispatcher):
    with at(12), database.transaction() as session:
        device = session.get(Device, door.device_id)
        today = clock.today(site.timezone)
        closed = rules.NewSpecialDay(day=today + timedelta(days=1), kind=SpecialKind.CLOSED)
        rules.add_special_day(session, site.id, closed, actor="operator:1")
        machines.set_property(session, dispatcher, device, "door/mode", "free")
        machines.set_property(session, dispatcher, device, "door/rule", {"windows": [], "until": 0})
        service.steer_all(session)
        (command,) = machines.open_commands(session)
        assert command.op == "rule"
        begin, end = command.args["windows"][0]
        first = datetime.fromtimestamp(begin, BERLIN)
        assert (first.date(), first.hour, (end - begin) // 3600) == (today, 5, 17)
        days = {datetime.fromtimestamp(window[0], BERLIN).date() for window in command.args["windows"]}
        assert today + timedelta(days=1) not in days
        assert len(days) <= 13
        assert command.args["until"] == int(clock.local_midnight(today + timedelta(days=14), site.timezone).timestamp())
        machines.answer(session, dispatcher, command)
        machines.set_property(session, dispatcher, device, "door/rule", command.args)
        service.steer_all(session)
        assert machines.open_commands(session) == []


@pytest.mark.usefixtures("open_by_day")
@pytest.mark.parametrize("field", ["is_kept_closed", "is_free_for_everyone"])
def test_a_door_that_is_not_held_free_stays_locked_without_the_hub(database, door, dispatcher, field):
    with at(12), database.transaction() as session:
        found = session.get(Entrance, door.id)
        setattr(found, field, field == "is_kept_closed")
        device = session.get(Device, door.device_id)
        wanted = "locked" if found.is_kept_closed else "auto"
        machines.set_property(session, dispatcher, device, "door/mode", wanted)
        machines.set_property(session, dispatcher, device, "door/rule", {"windows": [[1, 2]], "until": 0})
        service.steer_all(session)
        (command,) = machines.open_commands(session)
        assert command.args["windows"] == []


@pytest.mark.usefixtures("open_by_day")
def test_a_door_that_is_away_or_busy_is_not_steered(database, site, door):
    with at(12):
        with database.transaction() as session:
            service.admit_anyone(session, site.id)
            service.steer_all(session)
            assert [command.op for command in machines.open_commands(session)] == ["unlock"]
        with database.transaction() as session:
            session.get(Device, door.device_id).link = Link.SILENT
            service.steer_all(session)


@pytest.mark.parametrize(
    ("change", "refusal"),
    [
        ({"opens_minute": 600, "closes_minute": 600}, WrongHoursError),
        ({"opens_minute": -1, "closes_minute": 600}, WrongHoursError),
        ({"opens_minute": 600, "closes_minute": 1441}, WrongHoursError),
        ({"weekdays": 0}, NoWeekdayError),
        ({"valid_from": date(2026, 12, 2), "valid_to": date(2026, 12, 1)}, WrongDatesError),
    ],
)
def test_wrong_rules_are_refused(database, site, change, refusal):
    values = {"audience": Audience.EVERYONE, "opens_minute": 300, "closes_minute": 1320} | change
    with pytest.raises(refusal), database.transaction() as session:
        rules.add_rule(session, site.id, rules.NewRule(**values), actor="operator:1")


def test_other_hours_of_a_special_day_must_be_hours(database, site):
    wrong = rules.NewSpecialDay(day=date(2026, 12, 24), kind=SpecialKind.HOURS, opens_minute=600)
    with pytest.raises(WrongHoursError), database.transaction() as session:
        rules.add_special_day(session, site.id, wrong, actor="operator:1")


def test_an_ended_rule_stays_on_record_a_future_one_goes(database, site):
    def new(valid_from):
        return rules.NewRule(audience=Audience.EVERYONE, opens_minute=1, closes_minute=2, valid_from=valid_from)

    with database.transaction() as session:
        past = rules.add_rule(session, site.id, new(date(2020, 1, 1)), actor="operator:1")
        future = rules.add_rule(session, site.id, new(date(2090, 1, 1)), actor="operator:1")
    with database.transaction() as session:
        for rule in (past, future):
            rules.end_rule(session, site.id, rule.public_id, actor="operator:1")
        assert queries.rules(session, site.id) == []
    with database.reading() as session:
        kept = session.scalars(select(OpeningRule)).one()
        assert (kept.id, kept.valid_to) == (past.id, clock.today("Europe/Berlin") - timedelta(days=1))


@pytest.mark.usefixtures("open_by_day")
def test_a_special_day_can_be_taken_back(database, site):
    closed = rules.NewSpecialDay(day=date(2026, 11, 24), kind=SpecialKind.CLOSED)
    with database.transaction() as session:
        special = rules.add_special_day(session, site.id, closed, actor="operator:1")
    with at(12), database.transaction() as session:
        assert not queries.status(session, site.id).is_open
        rules.remove_special_day(session, site.id, special.public_id, actor="operator:1")
        assert queries.status(session, site.id).is_open
