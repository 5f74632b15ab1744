"""Claims: exactly one wins the last compartment, on SQLite and on PostgreSQL (parcels.md 6, scenario 11)."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from shop_hub.core.db import Database
from shop_hub.core.sites import Site
from shop_hub.fleet.models import Link
from shop_hub.lockers import service as lockers
from shop_hub.lockers.errors import CompartmentNotFreeError, NoCompartmentError, StationOfflineError
from shop_hub.lockers.models import Allocation, Service, Size, Zone
from tests.parcels.village import Village


@pytest.fixture
def village(database: Database, site: Site) -> Village:
    return Village(database, site, sizes="SSMMLX")


def claim(village: Village, size: Size, **more: object) -> int:
    with village.database.transaction() as session:
        return lockers.claim(session, village.locker_id, size, **more).number  # type: ignore[arg-type]


def test_two_hundred_claims_at_once_and_one_wins_the_last_one(village: Village) -> None:
    claim(village, Size.L)

    def compete(_: int) -> int | None:
        try:
            return claim(village, Size.XL)
        except NoCompartmentError:
            return None

    with ThreadPoolExecutor(20) as pool:
        won = [number for number in pool.map(compete, range(200)) if number is not None]
    assert won == [6]


def test_many_at_once_never_share_a_compartment(village: Village) -> None:
    def compete(_: int) -> int | None:
        try:
            return claim(village, Size.S)
        except NoCompartmentError:
            return None

    with ThreadPoolExecutor(12) as pool:
        won = [number for number in pool.map(compete, range(40)) if number is not None]
    assert sorted(won) == [1, 2, 3, 4, 5, 6]


def test_the_smallest_that_fits_and_the_accessible_one_last(village: Village) -> None:
    assert [claim(village, Size.M) for _ in range(4)] == [3, 4, 5, 6]
    with pytest.raises(NoCompartmentError):
        claim(village, Size.M)
    assert claim(village, Size.S) == 1


def test_accessible_and_zone_are_binding(village: Village) -> None:
    assert claim(village, Size.S, accessible=True) == 5
    with pytest.raises(NoCompartmentError):
        claim(village, Size.S, accessible=True)
    with pytest.raises(NoCompartmentError):
        claim(village, Size.S, zone=Zone.COOL)


def test_only_what_is_free_closed_empty_and_in_service_is_given_out(village: Village) -> None:
    village.property(1, "door", "open")
    village.property(2, "occupied", True)
    with village.database.transaction() as session:
        third = village.compartment(3).id
        lockers.set_service(session, third, Service.OUT_OF_SERVICE, reason="Scharnier", actor="operator:1")
        lockers.mark_suspect(session, village.compartment(4).id, "forced")
    assert claim(village, Size.S) == 5
    village.property(1, "door", "closed")
    assert claim(village, Size.S) == 1


def test_a_silent_station_gives_nothing(village: Village) -> None:
    for link in (Link.SILENT, Link.BEHIND, Link.OFFLINE):
        village.goes(link)
        with pytest.raises(StationOfflineError):
            claim(village, Size.S)


def test_suspect_is_ended_only_by_looking(village: Village) -> None:
    with village.database.transaction() as session:
        first = village.compartment(1).id
        lockers.mark_suspect(session, first, "forced")
    with village.database.transaction() as session, pytest.raises(CompartmentNotFreeError):
        lockers.release(session, first)
    with village.database.transaction() as session:
        lockers.inspect(session, first, actor="operator:1", is_empty=True)
    assert village.compartment(1).allocation is Allocation.FREE
