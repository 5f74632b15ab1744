"""The shop door: who may come in, what is logged, what staff may do, and that nothing stands in the way of leaving."""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select

from shop_hub.core import clock
from shop_hub.core.audit import AuditEntry
from shop_hub.core.tokens import Token, TokenState
from shop_hub.entrance import jobs, listeners, queries, rules, service, visits
from shop_hub.entrance.errors import (
    KeptClosedError,
    MembersOnlyError,
    NoWeekdayError,
    ReasonMissingError,
    ShopClosedError,
    ShopClosedForLongError,
    WrongDatesError,
    WrongHoursError,
)
from shop_hub.entrance.models import (
    Audience,
    DoorAlert,
    Entrance,
    OpeningRule,
    Passage,
    PassageKind,
    SpecialKind,
    UnlockOutcome,
    VisitCount,
)
from shop_hub.fleet.dispatch import Dispatcher
from shop_hub.fleet.errors import DeviceBusyError, DeviceOfflineError
from shop_hub.fleet.models import CommandState, Device, DeviceKind, Link
from shop_hub.people import service as people
from shop_hub.people.errors import UnknownCardError
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


BERLIN = ZoneInfo("Europe/Berlin")


def at(hour):
    """Shift the clock to an hour of tomorrow, which is no holiday: the next Tuesday to Thursday."""
    now = clock.now()
    day = datetime(2026, 11, 24, hour, tzinfo=BERLIN)
    return clock.shifted(day - now)


def log(database):
    with database.reading() as session:
        return [
            (row.kind, row.who, row.code, row.outcome) for row in session.scalars(select(Passage).order_by(Passage.id))
        ]


@pytest.mark.usefixtures("open_by_day")
def test_a_member_card_opens_when_members_may_come(database, site, door, dispatcher, card):
    with at(4):
        with database.transaction() as session:
            passage = service.admit_by_card(session, site.id, card.text)
            (command,) = machines.open_commands(session)
            assert (command.node, command.op, command.args, command.by) == ("door", "unlock", {"hold_s": 8}, "card")
        with database.transaction() as session:
            machines.answer(session, dispatcher, session.merge(command), hold_s=8)
        with database.reading() as session:
            assert queries.passage(session, site.id, passage.public_id).outcome is UnlockOutcome.DONE
    assert log(database) == [(PassageKind.UNLOCK, "member", "", UnlockOutcome.DONE)]
    assert door.hold_s == 8


@pytest.mark.usefixtures("open_by_day", "door")
def test_at_night_others_are_told_that_it_is_for_members(database, site):
    with at(4), pytest.raises(MembersOnlyError), database.transaction() as session:
        service.admit_anyone(session, site.id)
    assert log(database) == [(PassageKind.REFUSED, "everyone", "members-only", None)]


@pytest.mark.usefixtures("open_by_day", "door")
def test_when_closed_for_all_the_refusal_says_when_it_opens(database, site, card):
    with at(23), pytest.raises(ShopClosedError) as refused, database.transaction() as session:
        service.admit_by_card(session, site.id, card.text)
    assert refused.value.params == {"opens": "25.11. 05:00"}
    assert log(database) == [(PassageKind.REFUSED, "member", "shop-closed", None)]


@pytest.mark.usefixtures("door")
def test_without_any_rule_nobody_comes_in(database, site, card):
    with pytest.raises(ShopClosedForLongError), database.transaction() as session:
        service.admit_by_card(session, site.id, card.text)


@pytest.mark.usefixtures("open_by_day", "door")
@pytest.mark.parametrize("text", ["", "D1M" + "A" * 26, "D1C" + "A" * 26, "x" * 10_000, "4006381333931"])
def test_what_is_no_card_opens_nothing(database, site, text):
    with at(12), pytest.raises(UnknownCardError), database.transaction() as session:
        service.admit_by_card(session, site.id, text)
    assert log(database) == [(PassageKind.REFUSED, "member", "unknown-card", None)]


@pytest.mark.usefixtures("open_by_day", "door")
def test_a_blocked_card_opens_nothing(database, site, card):
    with database.transaction() as session:
        people.block_card(session, card.id, actor="operator:1")
        assert session.get(Token, card.id).state is TokenState.REVOKED
    with at(12), pytest.raises(UnknownCardError), database.transaction() as session:
        service.admit_by_card(session, site.id, card.text)


@pytest.mark.usefixtures("open_by_day")
def test_the_log_never_holds_a_card_or_a_person(database, site, door, card):
    with at(12), database.transaction() as session:
        service.admit_by_card(session, site.id, card.text)
    assert not {column.name for column in Passage.__table__.columns} & {"person_id", "member_id", "card", "token_id"}
    assert all(card.text not in str(row) for row in log(database))
    assert door.occupancy == 0


@pytest.mark.usefixtures("open_by_day")
def test_a_door_that_is_away_opens_for_nobody(database, site, door, card):
    with database.transaction() as session:
        session.get(Device, door.device_id).link = Link.OFFLINE
    with at(12), pytest.raises(DeviceOfflineError), database.transaction() as session:
        service.admit_by_card(session, site.id, card.text)


@pytest.mark.usefixtures("open_by_day", "door")
def test_two_touches_move_the_lock_once(database, site):
    with at(12):
        with database.transaction() as session:
            service.admit_anyone(session, site.id)
        with pytest.raises(DeviceBusyError), database.transaction() as session:
            service.admit_anyone(session, site.id)
        with database.reading() as session:
            assert len(machines.open_commands(session)) == 1


@pytest.mark.usefixtures("open_by_day", "door")
@pytest.mark.parametrize(
    ("state", "outcome"),
    [
        (CommandState.DONE, UnlockOutcome.DONE),
        (CommandState.FAILED, UnlockOutcome.FAILED),
        (CommandState.REJECTED, UnlockOutcome.FAILED),
        (CommandState.EXPIRED, UnlockOutcome.FAILED),
        (CommandState.UNKNOWN, UnlockOutcome.UNKNOWN),
    ],
)
def test_each_outcome_is_told(database, site, dispatcher, state, outcome):
    with at(12), database.transaction() as session:
        passage = service.admit_anyone(session, site.id)
        machines.answer(session, dispatcher, machines.open_commands(session)[0], state, code="stale_lease")
        assert (passage.outcome, passage.code) == (outcome, "stale_lease")


@pytest.mark.usefixtures("open_by_day")
def test_a_card_at_the_scanner_beside_the_door_opens(database, door, dispatcher, card):
    with at(4), database.transaction() as session:
        dispatcher.scan(session, session.get(Device, door.scanner_id), card.text)
        assert [command.op for command in machines.open_commands(session)] == ["unlock"]


def test_a_refused_card_at_the_scanner_is_logged(database, door, dispatcher, card):
    with database.transaction() as session:
        dispatcher.scan(session, session.get(Device, door.scanner_id), card.text)
        assert machines.open_commands(session) == []
    assert log(database) == [(PassageKind.REFUSED, "member", "shop-closed", None)]


@pytest.mark.usefixtures("open_by_day", "door")
def test_scans_at_other_scanners_are_left_alone(database, site, dispatcher, card):
    with at(12), database.transaction() as session:
        other = machines.connect_device(session, site.id, DeviceKind.SCANNER, "scanner-kasse")
        dispatcher.scan(session, other, card.text)
        assert machines.open_commands(session) == []
    assert log(database) == []


def test_people_are_counted_and_never_below_nobody(database, site, door, dispatcher):
    for word, inside in (("entry", 1), ("entry", 2), ("exit", 1), ("exit", 0), ("exit", 0)):
        with database.transaction() as session:
            machines.send_event(session, dispatcher, session.get(Device, door.device_id), "door", word)
        with database.reading() as session:
            assert queries.door(session, site.id).occupancy == inside


def test_staff_sets_the_count_to_nobody(database, site, door, dispatcher):
    with database.transaction() as session:
        machines.send_event(session, dispatcher, session.get(Device, door.device_id), "door", "entry")
    with database.transaction() as session:
        service.empty(session, site.id, actor="operator:1")
    with database.reading() as session:
        assert queries.door(session, site.id).occupancy == 0


def test_a_door_held_open_is_an_alert_until_it_closes(database, site, door, dispatcher):
    def device(session):
        return session.get(Device, door.device_id)

    with database.transaction() as session:
        machines.send_event(session, dispatcher, device(session), "door", "held-open")
    with database.reading() as session:
        assert queries.door(session, site.id).alert is DoorAlert.HELD_OPEN
    with database.transaction() as session:
        machines.set_property(session, dispatcher, device(session), "door/door", "closed")
    with database.reading() as session:
        assert queries.door(session, site.id).alert is None


def test_a_forced_door_stays_an_alert_until_a_person_has_looked(database, site, door, dispatcher):
    def device(session):
        return session.get(Device, door.device_id)

    with database.transaction() as session:
        machines.send_event(session, dispatcher, device(session), "door", "forced")
        machines.send_event(session, dispatcher, device(session), "door", "held-open")
        machines.set_property(session, dispatcher, device(session), "door/door", "closed")
    with database.reading() as session:
        assert queries.door(session, site.id).alert is DoorAlert.FORCED
    with database.transaction() as session:
        service.clear_alert(session, site.id, actor="operator:1")
    with database.reading() as session:
        assert queries.door(session, site.id).alert is None
        assert session.scalars(select(AuditEntry.action)).all() == ["door-alert-cleared"]


def test_staff_opens_only_with_a_reason_and_it_is_audited(database, site, door):
    with pytest.raises(ReasonMissingError), database.transaction() as session:
        service.open_by_staff(session, site.id, "  ", actor="operator:1")
    with database.transaction() as session:
        service.open_by_staff(session, site.id, "Lieferant", actor="operator:1")
    with database.reading() as session:
        entry = session.scalars(select(AuditEntry)).one()
        assert (entry.action, entry.object, entry.detail) == (
            "door-opened",
            f"entrance:{door.id}",
            {"reason": "Lieferant"},
        )
    assert log(database) == [(PassageKind.UNLOCK, "staff", "", UnlockOutcome.PENDING)]


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


def test_visitors_are_counted_by_local_hour_without_anything_else(database, site, door, dispatcher):
    with database.transaction() as session:
        device = session.get(Device, door.device_id)
        for hour, word in ((9, "entry"), (9, "entry"), (9, "exit"), (17, "entry")):
            with at(hour):
                machines.send_event(session, dispatcher, device, "door", word)
    with at(20), database.reading() as session:
        found = visits.last_days(session, session.get(Entrance, door.id))
        today = clock.today(site.timezone)
    assert len(found.days) == 14
    assert (found.days[0].day, found.days[0].entries, found.days[0].busiest_hour) == (today, 3, 9)
    assert (found.days[1].entries, found.days[1].busiest_hour) == (0, None)
    assert {hour: tenths for hour, tenths in enumerate(found.by_hour) if tenths} == {9: 1, 17: 1}


def test_counts_are_forgotten_after_two_years(database, site, door):
    with database.transaction() as session:
        for days in (731, 729):
            day = (clock.now() - timedelta(days=days)).date()
            session.add(VisitCount(entrance_id=door.id, site_id=site.id, day=day, hour=9, entries=1))
        session.flush()
        jobs.forget_old(session)
        assert len(session.scalars(select(VisitCount)).all()) == 1


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


@pytest.mark.usefixtures("open_by_day")
def test_old_lines_of_the_log_are_forgotten(database, site, door):
    now = clock.now()
    with database.transaction() as session:
        for days in (91, 89):
            session.add(
                Passage(site_id=site.id, entrance_id=door.id, at=now - timedelta(days=days), kind=PassageKind.ENTRY)
            )
        session.flush()
        jobs.forget_old(session)
        assert len(session.scalars(select(Passage)).all()) == 1
