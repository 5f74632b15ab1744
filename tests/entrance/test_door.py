"""The shop door: who may come in, what is logged, what staff may do, and that nothing stands in the way of leaving."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from shop_hub.core import clock
from shop_hub.core.audit import AuditEntry
from shop_hub.core.tokens import Token, TokenState
from shop_hub.entrance import jobs, queries, service, visits
from shop_hub.entrance.errors import (
    MembersOnlyError,
    ReasonMissingError,
    ShopClosedError,
    ShopClosedForLongError,
)
from shop_hub.entrance.models import (
    DoorAlert,
    Entrance,
    Passage,
    PassageKind,
    UnlockOutcome,
    VisitCount,
)
from shop_hub.fleet.errors import DeviceBusyError, DeviceOfflineError
from shop_hub.fleet.models import CommandState, Device, DeviceKind, Link
from shop_hub.people import service as people
from shop_hub.people.errors import UnknownCardError
from tests import machines
from tests.entrance.village import at, log


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
