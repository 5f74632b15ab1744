"""Couriers put parcels in: parcels.md 6, scenarios 1, 2, 4, 7, 8, 9, 12, 15."""

import pytest

from shop_hub.fleet.models import Link
from shop_hub.lockers.errors import NoCompartmentError, StationOfflineError
from shop_hub.lockers.models import Allocation, Size
from shop_hub.parcels import doors, jobs
from shop_hub.parcels import service as parcels
from shop_hub.parcels.errors import (
    AlreadyStoredError,
    CourierPinNeededError,
    DoorStillOpenError,
    NotInYourHandsError,
    OtherCarrierError,
    ParcelBlockedError,
    RecipientObjectsError,
    SizeMissingError,
)
from shop_hub.parcels.models import CourierSession, Parcel, ParcelState
from tests.parcels.village import LABELS, Village


def act(village: Village, work: int, parcel_id: int, verb: object, *args: object, **more: object) -> None:
    with village.database.transaction() as session:
        at_work, parcel = session.get_one(CourierSession, work), session.get_one(Parcel, parcel_id)
        verb(session, at_work, parcel, *args, **more)  # type: ignore[operator]


def test_eight_labels_in_a_row_get_the_smallest_doors_that_fit(village: Village) -> None:
    sizes = [Size.S, Size.S, Size.M, Size.S, Size.S, Size.L, Size.M, Size.L]
    for label, size in zip(LABELS, sizes, strict=False):
        village.announce(label, size=size)
    work = village.start_work()
    places = []
    for label, _ in zip(LABELS, sizes, strict=False):
        parcel_id = village.scan(work, label)
        places.append(village.number_of(parcel_id))
        village.use_door(parcel_id, occupied=True)
        assert village.parcel(parcel_id).state is ParcelState.READY
    # three S, then M for the fourth S; the accessible M (5) goes last among its equals
    assert places == [1, 2, 4, 3, 6, 7, 5, 8]
    assert [village.compartment(number).allocation for number in places] == [Allocation.OCCUPIED] * 8


def test_the_same_label_twice_is_the_same_door_and_no_second_command(village: Village) -> None:
    village.announce()
    work = village.start_work()
    first = village.scan(work)
    assert village.scan(work) == first
    again = village.start_work()  # signed in anew after the badge was lost
    assert village.scan(again) == first
    assert len(village.commands()) == 1
    village.use_door(first, occupied=True)
    with pytest.raises(AlreadyStoredError) as refusal:
        village.scan(again)
    assert refusal.value.params == {"number": 1}


def test_an_unknown_label_is_taken_in_with_size_and_recipient(village: Village) -> None:
    work = village.start_work()
    with pytest.raises(SizeMissingError):
        village.scan(work)
    parcel_id = village.scan(work, size=Size.M, person_id=village.neighbour_id)
    village.use_door(parcel_id, occupied=True)
    parcel = village.parcel(parcel_id)
    assert (parcel.state, parcel.is_captured, parcel.person_id) == (ParcelState.READY, True, village.neighbour_id)


def test_next_parcel_only_after_the_door_is_closed(village: Village) -> None:
    village.announce(LABELS[0])
    village.announce(LABELS[1])
    work = village.start_work()
    village.opens(village.number_of(village.scan(work, LABELS[0])))
    with pytest.raises(DoorStillOpenError):
        village.scan(work, LABELS[1])


def test_a_station_that_does_not_answer_gets_no_command(village: Village) -> None:
    village.announce()
    work = village.start_work()
    village.goes(Link.SILENT)
    for _ in range(3):
        with pytest.raises(StationOfflineError):
            village.scan(work)
    assert village.commands() == []
    village.goes(Link.READY)
    assert village.parcel(1).state is ParcelState.ANNOUNCED
    assert village.compartment(1).allocation is Allocation.FREE


def test_a_jammed_door_is_tried_once_more_then_another_one_and_the_first_is_suspect(village: Village) -> None:
    village.announce()
    work = village.start_work()
    parcel_id = village.scan(work)
    village.jams(1)
    assert village.parcel(parcel_id).state is ParcelState.DEPOSITING
    act(village, work, parcel_id, parcels.retry_open, has_pin=False)
    assert village.number_of(parcel_id) == 1
    village.jams(1)
    act(village, work, parcel_id, parcels.retry_open, has_pin=False)
    assert village.number_of(parcel_id) == 2
    assert village.compartment(1).allocation is Allocation.SUSPECT
    village.use_door(parcel_id, occupied=True)
    assert village.parcel(parcel_id).state is ParcelState.READY


def test_a_garbled_reply_is_settled_by_the_sensor_without_a_second_pulse(village: Village) -> None:
    village.announce()
    parcel_id = village.scan(village.start_work())
    village.says_nothing(1)
    assert village.parcel(parcel_id).state is ParcelState.DEPOSITING
    ulid = village.commands()[0].ulid
    village.event(1, "opened", cause=ulid)
    village.closes(1, occupied=True)
    assert village.parcel(parcel_id).state is ParcelState.READY
    assert len(village.commands()) == 1


def test_power_cut_with_the_door_open_needs_staff_unless_the_sensor_proves_it(village: Village) -> None:
    from datetime import timedelta

    from shop_hub.core import clock
    from shop_hub.lockers import doors as locker_doors

    village.announce(LABELS[0])
    village.announce(LABELS[1])
    work = village.start_work()
    first = village.scan(work, LABELS[0])
    village.opens(1)
    village.property(1, "door", "unknown")
    village.property(1, "door", "closed")
    with clock.shifted(timedelta(seconds=20)), village.database.transaction() as session:
        locker_doors.settle(session)
    assert village.parcel(first).state is ParcelState.DISPUTED
    assert village.compartment(1).allocation is Allocation.SUSPECT
    second = village.scan(work, LABELS[1])
    village.opens(2)
    village.property(2, "occupied", True)
    village.property(2, "door", "closed")
    with clock.shifted(timedelta(seconds=20)), village.database.transaction() as session:
        locker_doors.settle(session)
    assert village.parcel(second).state is ParcelState.READY


def test_undo_with_the_door_still_open_frees_the_compartment_when_it_is_closed(village: Village) -> None:
    village.announce()
    work = village.start_work()
    parcel_id = village.scan(work)
    village.opens(1)
    act(village, work, parcel_id, parcels.undo_deposit, parcels.Reason.TOO_SMALL, has_pin=False)
    assert village.parcel(parcel_id).state is ParcelState.DEPOSITING
    village.closes(1, occupied=False)
    assert village.parcel(parcel_id).state is ParcelState.ANNOUNCED
    assert village.compartment(1).allocation is Allocation.FREE
    assert village.number_of(village.scan(work, size=Size.L)) == 7


def test_undo_after_closing_opens_the_same_door_and_only_for_who_put_it_in(village: Village) -> None:
    parcel_id = village.bring()
    with pytest.raises(NotInYourHandsError):
        other = village.start_work(village.other_courier_id)
        act(village, other, parcel_id, parcels.undo_deposit, "changed-mind", has_pin=True)
    work = village.parcel(parcel_id).session_id
    assert work is not None
    with pytest.raises(CourierPinNeededError):
        act(village, work, parcel_id, parcels.undo_deposit, parcels.Reason.OCCUPIED, has_pin=False)
    assert len(village.commands()) == 1
    assert village.compartment(1).allocation is Allocation.OCCUPIED
    act(village, work, parcel_id, parcels.undo_deposit, parcels.Reason.CHANGED_MIND, has_pin=True)
    village.use_door(parcel_id, occupied=False)
    parcel = village.parcel(parcel_id)
    assert (parcel.state, parcel.compartment_id, parcel.expires_at) == (ParcelState.ANNOUNCED, None, None)
    assert village.compartment(1).allocation is Allocation.FREE


def test_a_dirty_compartment_becomes_suspect_and_the_parcel_gets_another(village: Village) -> None:
    village.announce()
    work = village.start_work()
    parcel_id = village.scan(work)
    village.opens(1)
    act(village, work, parcel_id, parcels.undo_deposit, parcels.Reason.OCCUPIED, has_pin=False)
    village.closes(1, occupied=True)
    assert village.parcel(parcel_id).state is ParcelState.ANNOUNCED
    assert village.compartment(1).allocation is Allocation.SUSPECT
    assert village.number_of(village.scan(work)) == 2


def test_closed_without_a_parcel_asks_and_believes_nobody_blindly(village: Village) -> None:
    village.announce()
    work = village.start_work()
    parcel_id = village.scan(work)
    village.use_door(parcel_id, occupied=False)
    assert village.parcel(parcel_id).state is ParcelState.DEPOSITING
    act(village, work, parcel_id, parcels.say_inside)
    assert village.parcel(parcel_id).state is ParcelState.DISPUTED
    assert village.compartment(1).allocation is Allocation.SUSPECT


def test_a_badge_alone_does_not_open_what_an_earlier_sign_in_left_behind_a_closed_door(village: Village) -> None:
    village.announce()
    work = village.start_work()
    parcel_id = village.scan(work)
    village.use_door(parcel_id, occupied=False)  # says the light barrier
    again = village.start_work()
    with pytest.raises(CourierPinNeededError):
        act(village, again, parcel_id, parcels.retry_open, has_pin=False)
    assert len(village.commands()) == 1
    act(village, again, parcel_id, parcels.retry_open, has_pin=True)
    assert len(village.commands()) == 2


def test_without_light_barrier_the_closed_door_counts(blind_village: Village) -> None:
    assert blind_village.parcel(blind_village.bring()).state is ParcelState.READY


def test_a_wheelchair_user_gets_only_compartments_within_reach(village: Village) -> None:
    with village.database.transaction() as session:
        person_id = village.add_person(session, "Hannelore", "Petersdorf", accessible=True).id
    village.announce(LABELS[0], person_id=person_id)
    village.announce(LABELS[1], person_id=person_id)
    work = village.start_work()
    parcel_id = village.scan(work, LABELS[0])
    assert village.number_of(parcel_id) == 5
    village.use_door(parcel_id, occupied=True)
    with pytest.raises(NoCompartmentError):
        village.scan(work, LABELS[1])


def test_what_must_not_be_put_in_is_refused_with_its_reason(village: Village) -> None:
    parcel_id = village.announce()
    with village.database.transaction() as session:
        parcels.hold(session, session.get_one(Parcel, parcel_id), "Zoll", actor="operator:1")
    with pytest.raises(ParcelBlockedError) as refusal:
        village.scan(village.start_work())
    assert refusal.value.params == {"reason": "Zoll"}
    with pytest.raises(OtherCarrierError):
        village.scan(village.start_work(village.other_courier_id), "00340434161094042557")


def test_who_objects_to_the_station_gets_nothing_there(village: Village) -> None:
    from shop_hub.people import service as people

    with village.database.transaction() as session:
        people.change_person(session, village.person_id, {"objects_to_lockers": True}, actor="operator:1")
    with pytest.raises(RecipientObjectsError):
        village.announce()
    with pytest.raises(RecipientObjectsError):
        village.scan(village.start_work(), size=Size.S, person_id=village.person_id)


def test_a_forgotten_session_ends_and_what_was_half_done_is_looked_at(village: Village) -> None:
    from datetime import timedelta

    from shop_hub.core import clock

    village.announce()
    work = village.start_work()
    parcel_id = village.scan(work)
    village.opens(1)
    with clock.shifted(timedelta(minutes=11)), village.database.transaction() as session:
        jobs.end_forgotten_sessions(session)
    assert village.parcel(parcel_id).state is ParcelState.DISPUTED
    village.closes(1, occupied=True)
    assert village.compartment(1).allocation is Allocation.SUSPECT
    assert doors.SYSTEM == "system"
