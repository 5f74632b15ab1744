"""The planogram in the machine follows the one in the books."""

import pytest
from sqlalchemy import select

from shop_hub.fleet.models import CommandState, Device, DeviceCommand
from shop_hub.vending import planogram, service
from shop_hub.vending.errors import SelectionTakenError
from shop_hub.vending.models import VendingMachine
from tests.checkout.shop import BREAD

DONE, REJECTED = CommandState.DONE, CommandState.REJECTED
ABLE = {"map": 0, "nodes": {"unit": {"properties": {"plan": {"datatype": "integer"}}}}}


@pytest.fixture
def able(village):
    """The village, whose machine says that it takes planograms."""
    describe(village, ABLE)
    return village


def describe(village, description):
    with village.session() as session:
        session.get(Device, village.device_id).description = description


def wanted(village):
    with village.database.reading() as session:
        return session.scalars(select(VendingMachine.plan_revision)).one()


def device(village):
    with village.database.reading() as session:
        return session.get(Device, village.device_id)


def plans(village):
    with village.database.reading() as session:
        found = session.scalars(select(DeviceCommand).where(DeviceCommand.op == "plan").order_by(DeviceCommand.id))
        return [command.args for command in found]


def take_over(village):
    """Play a machine that takes the planogram."""
    command = village.command()
    village.result(command, DONE)
    describe(village, ABLE | {"map": command.args["revision"]})


def test_a_machine_gets_its_planogram_and_commands_are_decided_on_it(able):
    able.jobs()
    command = able.command()
    assert (command.node, command.op, command.args["revision"]) == ("unit", "plan", wanted(able))
    assert command.args["slots"] == {
        "slot-01": [1, 144, 8, 2, 3, 0],
        "slot-02": [2, 124, 8, 2, 3, 0],
        "slot-03": [3, 349, 8, 2, 3, 0],
        "slot-04": [4, 0, 8, 0, 0, 0],
        "slot-05": [5, 0, 8, 0, 0, 0],
        "slot-06": [6, 0, 8, 0, 0, 0],
    }
    take_over(able)
    assert device(able).map_revision == wanted(able)
    able.jobs()
    assert len(plans(able)) == 1


def test_filling_and_another_article_are_sent_with_a_new_count(able):
    able.jobs()
    take_over(able)
    able.restock(2)
    with able.session() as session:
        planogram.assign(session, able.site.id, able.slots[4], able.products[BREAD], actor="operator:1")
    able.jobs()
    before, after = (plan["slots"] for plan in plans(able))
    assert {slot for slot, row in after.items() if row[3] != before[slot][3]} == {"slot-02", "slot-04"}
    assert after["slot-04"][1] == before["slot-03"][1]


def test_only_who_says_that_goods_were_replaced_lets_a_slot_that_got_warm_sell_again(able):
    able.restock(1)
    with able.session() as session:
        planogram.switch(session, able.site.id, able.slots[2], sells=True, actor="operator:1")
        both = [able.slots[3], able.slots[4]]
        counts = {able.slots[3]: 4}
        assert planogram.refill(session, able.site.id, counts, actor="operator:1", replaced=both) == 2
    able.jobs()
    (plan,) = plans(able)
    assert [row[3:] for row in plan["slots"].values()][:4] == [[4, 3, 0], [3, 3, 0], [3, 4, 1], [0, 0, 1]]


def test_another_name_in_the_machine_is_sent_and_not_given_twice(able):
    with able.session() as session:
        planogram.name_selection(session, able.site.id, able.slots[1], "21", actor="operator:1")
    with able.session() as session, pytest.raises(SelectionTakenError) as refused:
        planogram.name_selection(session, able.site.id, able.slots[2], "021", actor="operator:1")
    assert refused.value.params == {"selection": "21"}
    with able.session() as session:
        planogram.name_selection(session, able.site.id, able.slots[2], "A2", actor="operator:1")
    able.jobs()
    (plan,) = plans(able)
    assert (plan["slots"]["slot-01"][0], plan["slots"]["slot-02"][0]) == (21, 0)


def test_a_machine_that_lost_its_planogram_gets_it_again(able):
    able.jobs()
    take_over(able)
    describe(able, ABLE)
    able.jobs()
    assert len(plans(able)) == 2


def test_a_refused_planogram_is_not_repeated_at_once(able):
    able.jobs()
    able.result(able.command(), REJECTED, "bad_arguments")
    able.jobs()
    assert len(plans(able)) == 1
    able.jobs(31)
    assert len(plans(able)) == 2


def test_no_planogram_is_sent_while_somebody_buys(able):
    vend = able.buy(1)
    able.jobs()
    assert plans(able) == []
    able.result(able.command(), DONE)
    able.jobs()
    assert plans(able)[0]["slots"]["slot-01"][4] == 2
    take_over(able)
    able.check({vend.id})


def test_a_machine_that_knows_no_planogram_is_left_alone(village):
    village.jobs()
    assert plans(village) == []
    village.buy(1)


def test_a_machine_that_is_away_is_told_when_it_is_back(able):
    able.set_machine_link("offline")
    with able.session() as session:
        service.watch(session)
    assert plans(able) == []
    able.set_machine_link("ready")
    able.jobs()
    assert len(plans(able)) == 1
