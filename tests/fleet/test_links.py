"""What the worker believes of a device, moment by moment: the clock is the test's."""

import pytest

from devices.protocol.messages import Lease
from shop_hub.fleet import links
from shop_hub.fleet.flights import Flight, Flights
from shop_hub.fleet.models import DeviceKind, Link
from shop_hub.fleet.registry import DeviceInfo

EPOCH = "0123456789abcdef"
DEVICE = 1


@pytest.fixture
def moment(monkeypatch):
    """Set the time by `moment["now"] = …`, in seconds."""
    times = {"now": 1000.0}
    monkeypatch.setattr(links.time, "monotonic", lambda: times["now"])
    return times


@pytest.fixture
def known() -> links.Links:
    """Links of one station that has told its first event."""
    found = links.Links()
    found.know(
        [DeviceInfo(DEVICE, 1, "lindenau", "station", DeviceKind.LOCKER, EPOCH, 1, 1, Link.READY, "ready", 0, 1, 1)]
    )
    return found


@pytest.mark.parametrize("phase_s", [0.0, 0.04, 0.1, 0.2, 0.29])
def test_what_a_lease_counts_is_asked_for_whatever_the_rhythm_of_leases_and_looks(known, moment, phase_s):
    begin = moment["now"]
    asked_at = None
    for tick in range(10):  # a lease each half second, a look each quarter
        if tick % 2 == 0:
            moment["now"] = begin + tick * 0.25
            known.heard_lease(DEVICE, Lease(lease=f"{tick:016}", epoch=EPOCH, boot=1, seq=2))
        moment["now"] = begin + tick * 0.25 + phase_s
        if known.missing():
            asked_at = moment["now"]
            break

    assert asked_at is not None
    assert 0.3 <= asked_at - begin < 0.6


def test_what_is_on_its_way_is_not_asked_for(known, moment):
    for seq in range(2, 12):  # one event each half second, committed a moment after the lease that counts it
        known.heard_lease(DEVICE, Lease(lease=f"{seq:016}", epoch=EPOCH, boot=1, seq=seq))
        moment["now"] += 0.25
        assert not known.missing()
        known.committed(DEVICE, "ready", (EPOCH, 1, seq))
        moment["now"] += 0.25
        assert not known.missing()


def test_what_is_missing_is_not_given_up_before_a_slow_answer_could_have_come(known, moment):
    gave_up_at = None
    begin = moment["now"]
    while gave_up_at is None and moment["now"] < begin + 60:
        known.heard_lease(DEVICE, Lease(lease="x" * 16, epoch=EPOCH, boot=1, seq=3))
        asked = [missing for missing in known.missing() if missing.skip_to is None]
        assert len(asked) <= 1
        if known.found_gap(DEVICE):
            gave_up_at = moment["now"]
        moment["now"] += 0.5

    assert gave_up_at is not None
    assert 10.0 <= gave_up_at - begin <= 15.0


def test_what_another_device_says_of_an_order_ends_nothing():
    orders = Flights()
    orders.add(Flight(1, "01JD9Z0Q6J3M7M2YB4C1T8K5XE", DEVICE, ("lindenau", "station"), "box-01"))

    orders.accepted("01JD9Z0Q6J3M7M2YB4C1T8K5XE", DEVICE + 1)
    orders.over("01JD9Z0Q6J3M7M2YB4C1T8K5XE", DEVICE + 1)
    assert len(orders) == 1
    assert not next(iter(orders._flights.values())).is_accepted

    orders.over("01JD9Z0Q6J3M7M2YB4C1T8K5XE", DEVICE)
    assert len(orders) == 0


def test_a_device_that_sends_leases_though_it_is_said_to_be_away_makes_the_hub_doubt(known, moment):
    known.committed(DEVICE, "lost", (EPOCH, 1, 1))
    doubts = []
    for tick in range(40):
        moment["now"] += 0.5
        known.heard_lease(DEVICE, Lease(lease=f"{tick:016}", epoch=EPOCH, boot=1, seq=1))
        doubts.append(known.has_doubts())

    assert 2 <= sum(doubts) <= 4
    known.committed(DEVICE, "ready", (EPOCH, 1, 1))
    moment["now"] += 20
    assert not known.has_doubts()


def test_a_device_that_is_away_and_silent_is_not_doubted(known, moment):
    known.committed(DEVICE, "lost", (EPOCH, 1, 1))

    for _ in range(40):
        moment["now"] += 0.5
        assert not known.has_doubts()


@pytest.fixture
def region() -> links.VillageLinks:
    """Links of a region to a village with one station, of which nothing is heard yet."""
    found = links.VillageLinks()
    found.know(
        [DeviceInfo(DEVICE, 1, "lindenau", "station", DeviceKind.LOCKER, EPOCH, 1, 1, Link.READY, "ready", 0, 1, 1)]
    )
    assert found.bind(DEVICE) is Link.SILENT
    return found


def known_within(region, moment, seconds: int, **told: float) -> bool:
    """Let time pass, the village's clock tick, and words come that are so old; tell whether the station is known."""
    for _ in range(seconds):
        moment["now"] += 1
        region.heard_village("lindenau")
        for age_s in told.values():
            region.heard_dated("lindenau", age_s)
    return region.bind(DEVICE) is not Link.SILENT


def test_while_a_bridge_catches_up_nothing_is_known_though_the_clock_overtakes_it(region, moment):
    assert not known_within(region, moment, 60, late=86_400.0)
    assert known_within(region, moment, 1, fresh=2.0)
    assert known_within(region, moment, 5, retained_by_the_village=86_400.0)

    moment["now"] += links.VILLAGE_SILENT_S + 1  # the link is cut
    assert not known_within(region, moment, 60, late=35.0)
    assert known_within(region, moment, 1, fresh=2.0)


def test_a_village_in_which_nothing_happens_is_known_after_a_while(region, moment):
    assert not known_within(region, moment, int(links.SETTLED_S) - 1)
    assert known_within(region, moment, 3)
