"""Goods that were too warm: not sold until a person has decided, whatever the thermometer says afterwards."""

import re
import zlib
from datetime import timedelta

import pytest
from sqlalchemy import select

from shop_hub.checkout import service as checkout
from shop_hub.climate import goods, holds, pdf, queries, records
from shop_hub.climate.errors import (
    AlreadyDecidedError,
    GoodsHeldError,
    NoteMissingError,
    StillHeldError,
    StillWarmError,
    WrongLimitsError,
)
from shop_hub.climate.models import Decision, Probe, SaleBlock, Stand, WatchedGoods
from shop_hub.core import clock
from shop_hub.core.access import Role
from shop_hub.core.audit import AuditEntry
from shop_hub.core.errors import NotFoundError
from shop_hub.core.ids import uuid7
from shop_hub.fleet.models import Device, Link
from tests.catalog.makers import gtin
from tests.checkout.shop import COLA, MILK, Shop
from tests.climate.test_climate import dispatcher, measure, probe, tell_event  # noqa: F401 - fixtures
from tests.machines import Visitor

HOUR = timedelta(hours=1)


@pytest.fixture
def shop(database, site):
    return Shop(database, site)


@pytest.fixture
def milk(database, shop, probe):  # noqa: F811
    """Milk, at most 8 °C, not sold after an hour above."""
    assert shop.products
    with database.transaction() as session:
        (group,) = [group for group in queries.catalog.groups(session) if group.key == "milk"]
        new = goods.Watch(group_id=group.id, max_milli=8000, block_after_s=3600)
        return goods.watch(session, session.get(Probe, probe.id), new, actor="operator:1")


@pytest.fixture
def spoiled(database, site, milk, measure):  # noqa: F811
    """Milk that was at 9 °C for an hour; it is cold again now."""
    assert milk.id
    measure(-70, *([9000] * 62), *([5000] * 8))
    return blocks(database, site)[0]


@pytest.fixture
def visitor(app, client, site):
    return Visitor(app, client, site.id)


def blocks(database, site):
    with database.reading() as session:
        return queries.open_blocks(session, site.id)


def held(database, site, shop, stand=Stand.SHELF):
    with database.reading() as session:
        products = [shop.products[MILK], shop.products[COLA]]
        return list(holds.held(session, site.id, products, stand))


def decide(database, site, block, decision, reason="9 °C innen, 14 Becher entsorgt"):
    with database.transaction() as session:
        goods.decide(session, site.id, block.public_id, decision, reason, actor="operator:1")


@pytest.mark.usefixtures("milk")
def test_goods_above_their_limit_for_less_than_the_time_stay_for_sale(database, site, measure):  # noqa: F811
    measure(-60, *([9000] * 59), 5000)
    assert blocks(database, site) == []


@pytest.mark.usefixtures("milk")
def test_goods_above_their_limit_for_too_long_are_not_sold(database, site, shop, measure):  # noqa: F811
    measure(-61, 5000, *([9000] * 30), 9500, *([9000] * 30))
    (block,) = blocks(database, site)
    assert (block.group, block.max_milli, block.worst_milli, block.decision) == ("Milch und Joghurt", 8000, 9500, None)
    assert held(database, site, shop) == [shop.products[MILK]]
    assert held(database, site, shop, Stand.MACHINE) == []


@pytest.mark.usefixtures("milk")
def test_the_limit_of_the_goods_counts_not_that_of_the_fridge(database, site, measure):  # noqa: F811
    measure(-70, *([7500] * 70))
    assert blocks(database, site) == []


def test_cold_again_is_not_good_again(database, site, shop, spoiled):
    assert held(database, site, shop) == [shop.products[MILK]]
    assert spoiled.ended_at is None


@pytest.mark.usefixtures("milk")
def test_what_passed_while_the_hub_was_away_holds_the_goods(database, site, tell_event):  # noqa: F811
    tell_event("limit-exceeded", 12_000, ago=5 * HOUR)
    assert blocks(database, site) == []
    tell_event("back-to-normal", 6900, ago=HOUR)
    (block,) = blocks(database, site)
    assert block.worst_milli == 12_000


@pytest.mark.usefixtures("milk")
def test_a_short_excursion_while_the_hub_was_away_holds_nothing(database, site, tell_event):  # noqa: F811
    tell_event("limit-exceeded", 12_000, ago=5 * HOUR)
    tell_event("back-to-normal", 6900, ago=5 * HOUR - timedelta(minutes=20))
    assert blocks(database, site) == []


@pytest.mark.usefixtures("spoiled")
def test_the_till_refuses_held_goods_with_their_name_and_keeps_the_basket(database, shop):
    basket = shop.basket(gtin(COLA))
    with pytest.raises(GoodsHeldError) as refusal, database.transaction() as session:
        checkout.add_by_barcode(session, basket, gtin(MILK))
    assert refusal.value.params == {"products": ["Vollmilch 1 l"], "names": "Vollmilch 1 l"}
    with database.transaction() as session:
        assert checkout.pay_from_account(session, basket, shop.member(session)).number


@pytest.mark.usefixtures("milk")
def test_goods_held_after_they_were_scanned_are_not_paid(database, shop, measure):  # noqa: F811
    basket = shop.basket(gtin(MILK))
    measure(-61, *([9000] * 62))
    with pytest.raises(GoodsHeldError), database.transaction() as session:
        checkout.pay_from_account(session, basket, shop.member(session))
    with pytest.raises(GoodsHeldError), database.transaction() as session:
        checkout.start_terminal_payment(session, basket, shop.terminal_id)


@pytest.mark.parametrize("decision", Decision)
def test_a_decision_about_cold_goods_ends_the_block(database, site, shop, spoiled, decision):
    decide(database, site, spoiled, decision)
    assert held(database, site, shop) == []
    with database.reading() as session:
        found = session.get(SaleBlock, spoiled.id)
        assert (found.decision, found.decided_by) == (decision, "operator:1")
        assert found.ended_at is not None
        assert f"goods-{decision}" in session.scalars(select(AuditEntry.action)).all()


@pytest.mark.usefixtures("milk")
def test_warm_goods_are_not_released(database, site, measure):  # noqa: F811
    measure(-61, *([9000] * 62))
    (block,) = blocks(database, site)
    with pytest.raises(StillWarmError):
        decide(database, site, block, Decision.RELEASED)


def test_goods_are_not_released_by_a_silent_thermometer(database, site, probe, spoiled):  # noqa: F811
    with database.transaction() as session:
        session.get(Device, probe.device_id).link = Link.SILENT
    with pytest.raises(StillWarmError):
        decide(database, site, spoiled, Decision.RELEASED)


@pytest.mark.usefixtures("milk")
def test_after_throwing_away_new_goods_wait_until_it_is_cold(database, site, shop, measure):  # noqa: F811
    measure(-61, *([9000] * 62))
    (block,) = blocks(database, site)
    decide(database, site, block, Decision.DISCARDED)
    assert held(database, site, shop) == [shop.products[MILK]]
    measure(2, 9000)
    assert len(blocks(database, site)) == 1
    measure(3, 5000)
    assert held(database, site, shop) == []


@pytest.mark.usefixtures("milk")
def test_goods_that_came_after_a_decision_and_got_warm_too_are_held_anew(database, site, shop, measure):  # noqa: F811
    measure(-61, *([9000] * 62))
    (block,) = blocks(database, site)
    decide(database, site, block, Decision.DISCARDED)
    measure(1, *([9000] * 61), 5000)
    assert held(database, site, shop) == [shop.products[MILK]]
    (again,) = blocks(database, site)
    assert (again.id != block.id, again.decision, again.worst_milli) == (True, None, 9000)
    with database.reading() as session:
        old = session.get(SaleBlock, block.id)
        assert old.ended_at is not None
        assert again.outside_since == old.decided_at


def test_goods_that_are_held_stay_held_when_their_stand_changes(database, site, shop, milk, spoiled):
    assert spoiled.stand is Stand.SHELF
    new = goods.Watch(group_id=milk.group_id, max_milli=8000, block_after_s=3600, stand=Stand.MACHINE)
    with database.transaction() as session:
        goods.watch(session, session.get(Probe, spoiled.probe_id), new, actor="operator:1")
    assert held(database, site, shop, Stand.MACHINE) == [shop.products[MILK]]
    assert held(database, site, shop, Stand.SHELF) == []


def test_a_decision_needs_a_reason_and_is_made_once(database, site, spoiled):
    with pytest.raises(NoteMissingError):
        decide(database, site, spoiled, Decision.DISCARDED, "  ")
    decide(database, site, spoiled, Decision.DISCARDED)
    with pytest.raises(AlreadyDecidedError):
        decide(database, site, spoiled, Decision.RELEASED)
    with pytest.raises(NotFoundError), database.transaction() as session:
        goods.decide(session, site.id, uuid7(), Decision.MOVED, "x", actor="operator:1")


@pytest.mark.usefixtures("spoiled")
def test_goods_that_need_no_cooling_stay_for_sale(database, site, shop):
    with database.transaction() as session:
        goods.set_uncooled(session, site.id, shop.products[MILK], uncooled=True, actor="operator:1")
    assert held(database, site, shop) == []
    with database.transaction() as session:
        assert queries.uncooled(session, site.id) == {shop.products[MILK]: "Vollmilch 1 l"}
        goods.set_uncooled(session, site.id, shop.products[MILK], uncooled=False, actor="operator:1")
    assert held(database, site, shop) == [shop.products[MILK]]


def test_held_goods_leave_the_watch_only_after_a_decision(database, site, milk, spoiled):
    with pytest.raises(StillHeldError), database.transaction() as session:
        goods.unwatch(session, site.id, milk.public_id, actor="operator:1")
    decide(database, site, spoiled, Decision.DISCARDED)
    with database.transaction() as session:
        goods.unwatch(session, site.id, milk.public_id, actor="operator:1")
        assert session.scalars(select(WatchedGoods)).all() == []


@pytest.mark.parametrize(("most", "after"), [(-200_000, 60), (200_000, 60), (8000, -1), (8000, 86_401)])
def test_a_limit_of_goods_must_be_plausible(database, milk, probe, most, after):  # noqa: F811
    new = goods.Watch(group_id=milk.group_id, max_milli=most, block_after_s=after)
    with pytest.raises(WrongLimitsError), database.transaction() as session:
        goods.watch(session, session.get(Probe, probe.id), new, actor="operator:1")


def test_the_paper_shows_days_silences_alarms_and_decisions(app, database, site, probe, spoiled):  # noqa: F811
    decide(database, site, spoiled, Decision.DISCARDED)
    with app.test_request_context(), database.reading() as session:
        today = clock.today("Europe/Berlin")
        days = (today - timedelta(days=1), today)
        found = records.record(
            session, site.id, queries.probe(session, site.id, probe.public_id), days, "Europe/Berlin"
        )
        text = words_of(pdf.render(found, shop=site.name, address="Dorfstraße 1"))
    assert sum(day.readings for day in found.days) == len(found.readings)
    assert max(day.highest_milli or 0 for day in found.days) == 9000
    silent = sum((end - start for start, end in found.gaps), timedelta(0))
    assert sum((day.silent for day in found.days), timedelta(0)) == silent
    for word in ("Dorfstra", "14 Becher entsorgt", "Milch und Joghurt"):
        assert word in text


def words_of(document):
    """Return what a PDF writes: its words lie in brackets in deflated streams."""
    parts = document.split(b"stream\n")[1::2]
    texts = []
    for part in parts:
        try:
            texts.append(zlib.decompress(part).decode("latin-1"))
        except zlib.error:
            continue
    return " ".join(re.findall(r"\((.*?)\) Tj", "".join(texts)))


def test_staff_read_what_to_do_and_decide(visitor, spoiled):
    office = visitor.become(Role.OPERATOR)
    assert "not for sale, it was too warm" in office.get("/office/climate/")
    page = f"/office/climate/blocks/{spoiled.public_id}"
    assert "Measure between two packs" in office.get(page)
    office.post(f"{page}/decision", page, status=422, decision="eaten", reason="x")
    after = office.post(f"{page}/decision", page, decision="discarded", reason="14 Becher entsorgt")
    assert "these goods are for sale" in after
    assert "14 Becher entsorgt" in after


@pytest.mark.usefixtures("shop")
def test_managers_choose_what_is_watched(database, site, probe, visitor):  # noqa: F811
    office = visitor.become(Role.MANAGER)
    page = f"/office/climate/{probe.public_id}"
    with database.reading() as session:
        group = queries.catalog.groups(session)[0]
    fields = {"group": group.id, "most": "8", "after": "120", "stand": "machine"}
    assert "These goods are watched now." in office.post(f"{page}/goods", page, **fields)
    office.post(f"{page}/goods", page, status=422, **fields | {"group": "99"})
    with database.reading() as session:
        (found,) = queries.watched(session, probe.id)
    assert (found.group_id, found.max_milli, found.block_after_s, found.stand) == (group.id, 8000, 7200, Stand.MACHINE)
    assert "not watched any more" in office.post(f"{page}/goods/{found.public_id}/end", page)
    scan = gtin(MILK)
    assert "Vollmilch" in office.post("/office/climate/uncooled", "/office/climate/", code=scan)
    with database.reading() as session:
        (milk_id,) = queries.uncooled(session, site.id)
    again = office.post("/office/climate/uncooled", "/office/climate/", remove=milk_id)
    assert "Vollmilch" not in again
    office.become(Role.OPERATOR).post(f"{page}/goods", page, status=403, **fields)
