"""Recipients collect: parcels.md 6, scenarios 9, 10, 12, and who may open what."""

from datetime import timedelta

import pytest

from shop_hub.core import clock
from shop_hub.lockers.models import Allocation
from shop_hub.parcels import desk, jobs, queries
from shop_hub.parcels import service as parcels
from shop_hub.parcels.errors import (
    ExtendedAlreadyError,
    ParcelBlockedError,
    ParcelChangedError,
    TooLateError,
)
from shop_hub.parcels.models import Parcel, ParcelState
from tests.parcels.village import LABELS, Village


def call(village: Village, parcel_id: int, verb: object, **more: object) -> None:
    with village.database.transaction() as session:
        verb(session, session.get_one(Parcel, parcel_id), actor="kiosk:1", **more)  # type: ignore[operator]


def step(village: Village, parcel_id: int) -> desk.Step:
    with village.database.reading() as session:
        return desk.door(session, session.get_one(Parcel, parcel_id)).step


def test_taken_and_closed_is_collected_and_the_compartment_is_free(village: Village) -> None:
    parcel_id = village.bring()
    village.collect(parcel_id)
    assert step(village, parcel_id) is desk.Step.OPENING
    village.opens(1)
    assert step(village, parcel_id) is desk.Step.OPEN
    village.closes(1, occupied=False)
    assert step(village, parcel_id) is desk.Step.DONE
    assert village.parcel(parcel_id).state is ParcelState.COLLECTED
    assert (village.compartment(1).allocation, village.compartment(1).is_to_check) == (Allocation.FREE, False)


def test_asking_twice_opens_once(village: Village) -> None:
    parcel_id = village.bring()
    before = len(village.commands())
    village.collect(parcel_id)
    village.collect(parcel_id)
    assert len(village.commands()) == before + 1


def test_pushed_shut_without_taking_it_waits_again(village: Village) -> None:
    parcel_id = village.bring()
    village.collect(parcel_id)
    village.use_door(parcel_id, occupied=True)
    assert village.parcel(parcel_id).state is ParcelState.READY
    village.collect(parcel_id)
    village.use_door(parcel_id, occupied=False)
    assert village.parcel(parcel_id).state is ParcelState.COLLECTED


def test_a_jam_keeps_the_parcel_waiting_and_a_late_opening_still_counts(village: Village) -> None:
    parcel_id = village.bring()
    village.collect(parcel_id)
    ulid = village.commands()[-1].ulid
    village.jams(1)
    assert village.parcel(parcel_id).state is ParcelState.READY
    assert step(village, parcel_id) is desk.Step.NOT_OPENED
    village.event(1, "opened", cause=ulid)
    village.closes(1, occupied=False)
    assert village.parcel(parcel_id).state is ParcelState.COLLECTED


def test_without_any_answer_the_grant_stays_good_and_the_sensor_decides(village: Village) -> None:
    parcel_id = village.bring()
    village.collect(parcel_id)
    village.says_nothing(1)
    assert village.parcel(parcel_id).state is ParcelState.COLLECTING
    assert village.compartment(1).allocation is Allocation.SUSPECT
    village.collect(parcel_id)
    village.use_door(parcel_id, occupied=False)
    assert village.parcel(parcel_id).state is ParcelState.COLLECTED
    assert village.compartment(1).allocation is Allocation.SUSPECT  # until someone has looked


def test_without_light_barrier_the_person_says_it_or_three_minutes_pass(blind_village: Village) -> None:
    village = blind_village
    first, second = village.bring(LABELS[0]), village.bring(LABELS[1])
    for parcel_id in (first, second):
        village.collect(parcel_id)
        village.use_door(parcel_id, occupied=None)
        assert step(village, parcel_id) is desk.Step.ASK
        assert village.compartment(village.number_of(parcel_id)).allocation is Allocation.OCCUPIED
    call(village, first, parcels.confirm_collected)
    assert (village.compartment(1).allocation, village.compartment(1).is_to_check) == (Allocation.FREE, False)
    with village.database.transaction() as session:
        jobs.finish_pickups(session)
    assert village.parcel(second).state is ParcelState.COLLECTING
    with clock.shifted(timedelta(seconds=181)), village.database.transaction() as session:
        jobs.finish_pickups(session)
    assert village.parcel(second).state is ParcelState.COLLECTED
    assert (village.compartment(2).allocation, village.compartment(2).is_to_check) == (Allocation.FREE, True)


def test_not_taken_after_all_waits_again(blind_village: Village) -> None:
    parcel_id = blind_village.bring()
    blind_village.collect(parcel_id)
    blind_village.use_door(parcel_id, occupied=None)
    call(blind_village, parcel_id, parcels.not_taken)
    assert blind_village.parcel(parcel_id).state is ParcelState.READY


def test_the_door_opens_again_for_three_minutes(village: Village) -> None:
    parcel_id = village.bring()
    village.collect(parcel_id)
    village.use_door(parcel_id, occupied=False)
    call(village, parcel_id, parcels.reopen)
    assert village.compartment(1).allocation is Allocation.RESERVED
    village.use_door(parcel_id, occupied=False)
    assert village.compartment(1).allocation is Allocation.FREE
    with clock.shifted(timedelta(seconds=181)), pytest.raises(TooLateError):
        call(village, parcel_id, parcels.reopen)
    assert village.parcel(parcel_id).state is ParcelState.COLLECTED


def test_something_left_behind_makes_the_compartment_suspect(village: Village) -> None:
    parcel_id = village.bring()
    village.collect(parcel_id)
    village.use_door(parcel_id, occupied=False)
    call(village, parcel_id, parcels.reopen)
    village.use_door(parcel_id, occupied=True)
    assert village.compartment(1).allocation is Allocation.SUSPECT


def test_not_mine_freezes_both_parcels_and_staff_solves_it(village: Village) -> None:
    mine, other = village.bring(LABELS[0]), village.bring(LABELS[1])
    village.collect(mine)
    village.opens(1)
    with village.database.transaction() as session:
        parcels.report_problem(
            session,
            session.get_one(Parcel, mine),
            parcels.Problem.NOT_MINE,
            actor="kiosk:1",
            found=session.get_one(Parcel, other),
        )
    village.closes(1, occupied=True)
    assert [village.parcel(each).state for each in (mine, other)] == [ParcelState.DISPUTED] * 2
    assert [village.compartment(number).allocation for number in (1, 2)] == [Allocation.SUSPECT] * 2
    for parcel_id in (mine, other):
        with pytest.raises(ParcelChangedError):
            village.collect(parcel_id)
    call(village, mine, parcels.resolve, outcome=parcels.Outcome.READY, reason="Etiketten getauscht")
    assert (village.parcel(mine).state, village.compartment(1).allocation) == (ParcelState.READY, Allocation.OCCUPIED)
    call(village, other, parcels.resolve, outcome=parcels.Outcome.LOST, reason="nicht auffindbar")
    assert village.parcel(other).state is ParcelState.LOST


def test_an_empty_compartment_can_be_reported_after_closing(village: Village) -> None:
    parcel_id = village.bring()
    village.collect(parcel_id)
    village.use_door(parcel_id, occupied=False)
    call(village, parcel_id, parcels.report_problem, problem=parcels.Problem.EMPTY)
    assert village.parcel(parcel_id).state is ParcelState.DISPUTED
    assert village.compartment(1).allocation is Allocation.SUSPECT


def test_forced_door_makes_parcel_and_compartment_doubtful_unless_the_sensor_sees_it(village: Village) -> None:
    safe, gone = village.bring(LABELS[0]), village.bring(LABELS[1])
    village.event(1, "forced")
    village.closes(1, occupied=True)
    village.event(2, "forced")
    village.closes(2, occupied=False)
    assert (village.parcel(safe).state, village.parcel(gone).state) == (ParcelState.READY, ParcelState.DISPUTED)
    assert [village.compartment(number).allocation for number in (1, 2)] == [Allocation.SUSPECT] * 2


def test_expired_parcels_can_be_collected_until_the_courier_takes_them(village: Village) -> None:
    first, second = village.bring(LABELS[0]), village.bring(LABELS[1])
    with clock.shifted(timedelta(days=12)), village.database.transaction() as session:
        jobs.expire(session)
    assert [village.parcel(each).state for each in (first, second)] == [ParcelState.EXPIRED] * 2
    village.collect(first)
    village.use_door(first, occupied=False)
    assert village.parcel(first).state is ParcelState.COLLECTED
    call(village, second, parcels.extend)
    assert village.parcel(second).state is ParcelState.READY
    with pytest.raises(ExtendedAlreadyError):
        call(village, second, parcels.extend)
    call(village, second, parcels.extend, by_staff=True)
    assert village.parcel(second).extensions == 2


def test_on_hold_means_on_hold(village: Village) -> None:
    parcel_id = village.bring()
    with village.database.transaction() as session:
        parcels.hold(session, session.get_one(Parcel, parcel_id), "Nachnahme", actor="operator:1")
    with pytest.raises(ParcelBlockedError):
        village.collect(parcel_id)


def test_one_credential_shows_all_that_waits_for_the_same_person_and_nothing_else(village: Village) -> None:
    mine = [village.bring(LABELS[0]), village.bring(LABELS[1])]
    other = village.bring(LABELS[2], person_id=village.neighbour_id)
    unknown = village.bring(LABELS[3], person_id=0)
    with village.database.reading() as session:
        assert [each.id for each in queries.waiting_with(session, mine[0])] == mine
        assert [each.id for each in queries.waiting_with(session, other)] == [other]
        assert [each.id for each in queries.waiting_with(session, unknown)] == [unknown]
        assert [each.id for each in queries.waiting_for(session, village.person_id)] == mine


def test_lists_cost_the_same_for_one_and_for_nine_parcels(village: Village) -> None:
    from sqlalchemy import event

    def statements() -> int:
        seen: list[str] = []

        def listen(*args: object) -> None:
            seen.append(str(args[2]))

        event.listen(village.database.engine, "before_cursor_execute", listen)
        with village.database.reading() as session:
            assert queries.rows(session, village.site.id)
            queries.count(session, village.site.id, text="wegener")
            queries.waiting_for(session, village.person_id)
            queries.without_slip(session, village.site.id)
        event.remove(village.database.engine, "before_cursor_execute", listen)
        return len(seen)

    village.bring(LABELS[0])
    few = statements()
    for label in LABELS[1:9]:
        village.bring(label)
    assert statements() == few
