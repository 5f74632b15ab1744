"""Goods in the machine whose cooling failed: not shown for sale, not sold; the shelf is another matter."""

import pytest

from shop_hub.catalog import queries as catalog
from shop_hub.climate import goods, holds, queries
from shop_hub.climate import service as climate
from shop_hub.climate.models import Decision, Stand
from shop_hub.fleet.models import CommandState, DeviceKind
from shop_hub.vending.errors import SlotNotForSaleError
from shop_hub.vending.models import VendState
from tests import machines
from tests.checkout.shop import MILK


def cool(village, stand):
    """Watch milk in the machine or on the shelf, and let it be too warm at once."""
    with village.session() as session:
        device = machines.connect_device(session, village.site.id, DeviceKind.THERMOMETER, f"fuehler-{stand}")
        new = climate.NewProbe(name="Fühler", device_id=device.id, min_milli=0, max_milli=7000)
        probe = climate.add_probe(session, village.site.id, new)
        (group,) = [group for group in catalog.groups(session) if group.key == "milk"]
        watch = goods.Watch(group_id=group.id, max_milli=8000, block_after_s=0, stand=stand)
        goods.watch(session, probe, watch, actor="operator:1")
        climate.record_reading(session, device, 9000)
        return device.id


def for_sale(village):
    with village.database.reading() as session:
        (machine,) = village_machines(session, village)
        return [slot.number for slot in machine.slots if slot.is_for_sale]


def village_machines(session, village):
    from shop_hub.vending import queries as vending

    return vending.machines(session, village.site.id)


def test_held_goods_are_neither_shown_nor_sold_by_the_machine(village):
    assert 1 in for_sale(village)
    cool(village, Stand.MACHINE)
    assert for_sale(village) == [2]
    with pytest.raises(SlotNotForSaleError):
        village.buy(1)
    assert village.buy(2)


def test_a_warm_shelf_does_not_stop_the_machine(village):
    cool(village, Stand.SHELF)
    assert 1 in for_sale(village)
    with village.database.reading() as session:
        assert holds.held(session, village.site.id, [village.products[MILK]], Stand.SHELF)


def test_after_the_decision_the_machine_sells_again(village):
    device_id = cool(village, Stand.MACHINE)
    with village.session() as session:
        (block,) = queries.open_blocks(session, village.site.id)
        goods.decide(session, village.site.id, block.public_id, Decision.DISCARDED, "3 Becher", actor="operator:1")
    assert for_sale(village) == [2]
    with village.session() as session:
        climate.record_reading(session, session.get(machines.Device, device_id), 5000)
    assert for_sale(village) == [2]  # what came after the decision was warm, too: here not a moment is allowed
    with village.session() as session:
        (block,) = queries.open_blocks(session, village.site.id)
        goods.decide(session, village.site.id, block.public_id, Decision.RELEASED, "4 °C", actor="operator:1")
    assert 1 in for_sale(village)


def test_goods_that_got_warm_while_somebody_paid_stay_in_the_machine_and_the_money_goes_back(village):
    vend = village.buy(1, by_card=True)
    cool(village, Stand.MACHINE)
    village.approve()
    assert village.command() is None
    assert (village.vend(vend).state, village.vend(vend).code) == (VendState.FAILED, "warm")
    village.answer(CommandState.DONE, op="reverse", outcome="reversed")
    village.check(set())
