"""The vending machine: what is paid has dropped, what jams is paid back, what nobody knows is not paid."""

import pytest
from sqlalchemy import select

from shop_hub.checkout.models import SaleState
from shop_hub.core.audit import AuditEntry
from shop_hub.core.ids import uuid7
from shop_hub.fleet.models import CommandState, DeviceCommand, Link
from shop_hub.ledger.errors import InsufficientBalanceError
from shop_hub.vending import planogram, queries
from shop_hub.vending.errors import (
    MachineBusyError,
    MachineOfflineError,
    NoGoodsError,
    NotForMachinesError,
    SlotInUseError,
    SlotNotForSaleError,
    TooManyPiecesError,
    UnknownSlotError,
)
from shop_hub.vending.models import Flag, SlotState, VendState
from shop_hub.vending.queries import Phase
from tests.checkout.shop import BEER, COLA, GIN, MILK

DONE, FAILED, UNKNOWN = CommandState.DONE, CommandState.FAILED, CommandState.UNKNOWN


def test_a_piece_paid_from_the_account_drops(village):
    vend = village.buy(1)
    command = village.command()
    assert (command.node, command.op, command.args) == ("unit", "vend", {"slot": "slot-01", "order": f"vend-{vend.id}"})
    assert (village.phase(vend), village.balance(), village.slot(1).pieces) == (Phase.DISPENSING, 10_000 - 144, 2)
    village.result(command, DONE)
    village.tell("slot-01", "vended", cause=command.ulid, order=f"vend-{vend.id}", stock=2)
    assert (village.phase(vend), village.slot(1).pieces) == (Phase.DROPPED, 2)
    village.check({vend.id})


def test_the_motor_turns_only_once_the_card_payment_is_certain(village):
    vend = village.buy(2, by_card=True)
    assert (village.phase(vend), village.command()) == (Phase.PAYING, None)
    village.approve()
    assert village.phase(vend) is Phase.DISPENSING
    village.result(village.command(), DONE)
    assert village.phase(vend) is Phase.DROPPED
    village.check({vend.id})


def test_a_declined_card_turns_no_motor_and_frees_the_machine(village):
    vend = village.buy(2, by_card=True)
    village.answer(CommandState.FAILED, "declined", outcome="declined")
    assert (village.phase(vend), village.command(), village.slot(2).pieces) == (Phase.DECLINED, None, 3)
    again = village.buy(2)
    assert village.vend(vend).state is VendState.CANCELLED
    village.result(village.command(), DONE)
    village.check({again.id})


def test_a_jam_gives_the_money_back_and_flags_the_slot(village):
    vend = village.buy(1)
    village.result(village.command(), FAILED, "jam")
    assert (village.phase(vend), village.balance(), village.slot(1).pieces) == (Phase.NOT_CHARGED, 10_000, 3)
    assert (village.slot(1).state, village.slot(1).flag, village.slot(1).jams) == (SlotState.FLAGGED, Flag.JAM, 1)
    with pytest.raises(SlotNotForSaleError):
        village.buy(1)
    village.check(set())


def test_a_jam_after_a_card_payment_is_paid_back_at_the_terminal(village):
    vend = village.buy(2, by_card=True)
    village.approve()
    village.result(village.command(), FAILED, "jam")
    assert village.phase(vend) is Phase.REFUNDING
    village.answer(CommandState.DONE, op="reverse", outcome="reversed")
    assert village.phase(vend) is Phase.NOT_CHARGED
    village.check(set())


def test_three_jams_in_a_row_disable_a_slot_until_an_operator_has_looked(village):
    for jams in (1, 2, 3):
        village.buy(1)
        village.result(village.command(), FAILED, "jam")
        assert village.slot(1).jams == jams
        with village.session() as session:
            planogram.refill(session, village.site.id, {village.slots[1]: 3}, actor="operator:1")
    assert (village.slot(1).state, village.slot(1).is_for_sale) == (SlotState.DISABLED, False)
    with village.session() as session:
        planogram.switch(session, village.site.id, village.slots[1], sells=True, actor="operator:1")
    assert (village.slot(1).is_for_sale, village.slot(1).jams) == (True, 0)


def test_a_drop_between_jams_starts_the_count_anew(village):
    for code, state in (("jam", FAILED), ("jam", FAILED), ("", DONE), ("jam", FAILED)):
        village.buy(1)
        village.result(village.command(), state, code)
        village.tell("slot-01", "refilled", stock=village.slot(1).pieces)
    assert (village.slot(1).state, village.slot(1).jams) == (SlotState.OK, 1)


def test_a_jam_told_twice_counts_once(village):
    village.buy(1)
    command = village.command()
    village.tell("slot-01", "jam", cause=command.ulid)
    village.result(command, FAILED, "jam")
    village.tell("slot-01", "jam", cause=command.ulid)
    assert village.slot(1).jams == 1
    village.check(set())


def test_a_refusal_for_an_old_jam_counts_no_new_one(village):
    village.buy(1)
    village.result(village.command(), CommandState.REJECTED, "jam")
    assert (village.slot(1).flag, village.slot(1).jams) == (Flag.JAM, 0)
    village.check(set())


@pytest.mark.parametrize(
    ("state", "code"),
    [
        (CommandState.EXPIRED, ""),
        (CommandState.REJECTED, "stale_lease"),
        (CommandState.REJECTED, "map_changed"),
        (FAILED, "fault"),
    ],
)
def test_what_was_certainly_not_done_is_paid_back_and_the_slot_goes_on_selling(village, state, code):
    vend = village.buy(1)
    village.result(village.command(), state, code)
    assert village.phase(vend) is Phase.NOT_CHARGED
    assert village.slot(1).is_for_sale
    village.check(set())


def test_an_empty_slot_is_flagged_to_be_counted(village):
    village.buy(1)
    village.result(village.command(), FAILED, "empty")
    assert (village.slot(1).flag, village.slot(1).jams, village.balance()) == (Flag.EMPTY, 0, 10_000)
    village.check(set())


def test_in_doubt_the_customer_reads_that_we_check_and_then_does_not_pay(village):
    vend = village.buy(1)
    village.result(village.command(), UNKNOWN, "no_answer")
    assert (village.phase(vend), village.slot(1).flag) == (Phase.DOUBT, Flag.DOUBT)
    village.jobs(59)
    assert village.phase(vend) is Phase.DOUBT
    village.jobs(62)
    assert (village.phase(vend), village.balance(), village.slot(1).pieces) == (Phase.NOT_CHARGED, 10_000, 2)
    assert village.check({vend.id}) == {vend.id}


def test_the_drop_sensor_ends_a_doubt(village):
    vend = village.buy(1)
    command = village.command()
    village.result(command, UNKNOWN, "no_answer")
    village.tell("slot-01", "vended", cause=command.ulid)
    assert (village.phase(vend), village.slot(1).is_for_sale) == (Phase.DROPPED, True)
    village.jobs(300)
    village.check({vend.id})


@pytest.mark.parametrize(("state", "code", "phase"), [(DONE, "", Phase.DROPPED), (FAILED, "jam", Phase.NOT_CHARGED)])
def test_a_definite_answer_ends_a_doubt(village, state, code, phase):
    vend = village.buy(1)
    command = village.command()
    village.result(command, UNKNOWN, "journal_lost")
    village.result(command, state, code)
    assert village.phase(vend) is phase
    village.jobs(300)
    village.check({vend.id} if state is DONE else set())


@pytest.mark.parametrize(("reason", "flag"), [("not_turned", None), ("empty", Flag.EMPTY)])
def test_a_machine_that_settles_a_doubt_says_why_nothing_dropped(village, reason, flag):
    vend = village.buy(1)
    command = village.command()
    village.result(command, UNKNOWN, "interrupted")
    village.tell("slot-01", "jam", cause=command.ulid, reason=reason)
    assert (village.phase(vend), village.slot(1).flag, village.slot(1).jams) == (Phase.NOT_CHARGED, flag, 0)
    village.check(set())


def test_what_becomes_known_too_late_moves_no_money_and_is_kept(village):
    vend = village.buy(1)
    command = village.command()
    village.result(command, UNKNOWN, "journal_lost")
    village.jobs(62)
    village.result(command, DONE)
    assert (village.vend(vend).state, village.vend(vend).late) == (VendState.LOST, "dropped")
    assert village.balance() == 10_000
    with village.database.reading() as session:
        actions = session.scalars(select(AuditEntry.action)).all()
    assert actions[-2:] == ["vend-lost", "vend-known-late"]


def test_a_machine_that_never_answers_leaves_nobody_waiting(village):
    vend = village.buy(1)
    village.jobs(95)
    assert village.phase(vend) is Phase.DOUBT
    village.jobs(160)
    assert (village.phase(vend), village.balance()) == (Phase.NOT_CHARGED, 10_000)


def test_a_machine_gone_after_the_payment_is_waited_for_then_paid_back(village):
    vend = village.buy(2, by_card=True)
    village.set_machine_link(Link.OFFLINE)
    village.approve()
    assert (village.phase(vend), village.command()) == (Phase.WAITING, None)
    village.jobs(60)
    assert village.phase(vend) is Phase.WAITING
    village.jobs(80)
    assert village.phase(vend) is Phase.REFUNDING
    village.answer(CommandState.DONE, op="reverse", outcome="reversed")
    village.check(set())


def test_a_machine_back_in_time_drops_what_was_paid(village):
    vend = village.buy(2, by_card=True)
    village.set_machine_link(Link.OFFLINE)
    village.approve()
    village.set_machine_link(Link.READY)
    village.jobs(10)
    village.result(village.command(), DONE)
    village.jobs(300)
    village.check({vend.id})


def test_two_buyers_turn_one_motor(village):
    village.buy(1)
    with pytest.raises(MachineBusyError):
        village.buy(2)
    with pytest.raises(MachineBusyError):
        village.buy(1, by_card=True)
    with village.database.reading() as session:
        assert len(session.scalars(select(DeviceCommand)).all()) == 1
    assert village.balance() == 10_000 - 144


def test_someone_at_the_terminal_keeps_the_machine(village):
    village.buy(2, by_card=True)
    with pytest.raises(MachineBusyError):
        village.buy(1)


def test_an_account_without_money_buys_nothing(village):
    with village.session() as session:
        poor = village.make_member(session, cents=0)
    village.member_id, rich = poor, village.member_id
    with pytest.raises(InsufficientBalanceError):
        village.buy(1)
    village.member_id = rich
    assert (village.command(), village.slot(1).pieces, village.states()) == (None, 3, [])


def test_a_machine_that_is_away_sells_nothing(village):
    village.set_machine_link(Link.SILENT)
    with pytest.raises(MachineOfflineError):
        village.buy(1)
    assert not village.slot(1).is_for_sale


@pytest.mark.parametrize("word", ["jam", "empty", "warm", "doubt", "a word of tomorrow"])
def test_a_slot_that_the_machine_itself_blocks_sells_nothing(village, word):
    village.publish("slot-01/state", word)
    with pytest.raises(SlotNotForSaleError):
        village.buy(1)
    village.publish("slot-01/state", "ok")
    village.buy(1)


def test_a_sold_out_or_unassigned_slot_sells_nothing(village):
    for _ in range(3):
        village.buy(1)
        village.result(village.command(), DONE)
    for number in (1, 4):
        with pytest.raises(SlotNotForSaleError):
            village.buy(number)
    with pytest.raises(UnknownSlotError), village.session() as session:
        queries.slot(session, village.site.id, uuid7())


@pytest.mark.parametrize("product", [BEER, GIN])
def test_age_limited_goods_never_go_into_a_slot(village, product):
    with pytest.raises(NotForMachinesError), village.session() as session:
        planogram.assign(session, village.site.id, village.slots[4], village.products[product], actor="operator:1")


def test_goods_that_become_age_limited_are_not_sold_and_show_in_verify(village):
    from shop_hub.catalog.models import Product

    with village.session() as session:
        session.get(Product, village.products[MILK]).min_age = 16
    with pytest.raises(SlotNotForSaleError):
        village.buy(1)
    assert [found.check for found in village.deviations()] == ["slot-forbidden"]


def test_refilling_takes_from_the_shelf_and_counts_back_to_it(village):
    before = village.on_shelf(COLA)
    with village.session() as session:
        assert planogram.refill(session, village.site.id, {village.slots[2]: 8}, actor="operator:1") == 1
    assert (village.slot(2).pieces, village.on_shelf(COLA)) == (8, before - 5000)
    village.tell("slot-02", "refilled", stock=6, expected=8)
    assert (village.slot(2).pieces, village.on_shelf(COLA)) == (6, before - 3000)
    assert village.deviations() == []


def test_a_machine_s_count_ends_a_flag(village):
    village.tell("slot-01", "jam")
    assert village.slot(1).flag is Flag.JAM
    village.tell("slot-01", "refilled", stock=3)
    assert village.slot(1).is_for_sale


@pytest.mark.parametrize("count", [-1, 9, "3", None, True])
def test_an_impossible_count_of_the_machine_is_left_out(village, count):
    village.tell("slot-01", "refilled", stock=count)
    assert village.slot(1).pieces == 3


def test_wrong_counts_are_refused(village):
    for number, count, refusal in ((1, 9, TooManyPiecesError), (1, -1, TooManyPiecesError), (4, 1, NoGoodsError)):
        with pytest.raises(refusal), village.session() as session:
            planogram.refill(session, village.site.id, {village.slots[number]: count}, actor="operator:1")


def test_a_slot_is_not_touched_while_somebody_buys_from_it(village):
    village.buy(1)
    with pytest.raises(SlotInUseError), village.session() as session:
        planogram.refill(session, village.site.id, {village.slots[1]: 3}, actor="operator:1")
    with pytest.raises(SlotInUseError), village.session() as session:
        planogram.assign(session, village.site.id, village.slots[1], None, actor="operator:1")
    village.tell("slot-01", "refilled", stock=7)
    assert village.slot(1).pieces == 2


def test_another_article_sends_the_old_one_back_to_the_shelf(village):
    before = village.on_shelf(MILK)
    with village.session() as session:
        planogram.assign(session, village.site.id, village.slots[1], village.products[COLA], actor="operator:1")
    assert (village.on_shelf(MILK), village.slot(1).pieces) == (before + 3000, 0)
    assert village.deviations() == []


def test_a_slot_switched_off_by_hand_stays_off_over_a_filling(village):
    with village.session() as session:
        planogram.switch(session, village.site.id, village.slots[1], sells=False, actor="operator:1")
        planogram.refill(session, village.site.id, {village.slots[1]: 3}, actor="operator:1")
    assert (village.slot(1).state, village.slot(1).flag) == (SlotState.DISABLED, Flag.OFF)


def test_the_office_sees_where_books_and_machine_differ(village):
    village.publish("slot-01/stock", 2)
    assert (village.slot(1).differs, village.slot(2).differs) == (True, False)


def test_the_list_of_vends_names_goods_and_ends(village):
    village.buy(1)
    village.result(village.command(), FAILED, "jam")
    with village.database.reading() as session:
        machine = queries.machine(session, village.site.id, village.machine_id)
        (row,) = queries.recent(session, machine.id)
    assert (row.slot_number, row.name, row.state, row.code) == (1, "Vollmilch 1 l", VendState.FAILED, "jam")


def test_all_slots_are_read_with_few_statements(village):
    from sqlalchemy import event

    seen = []
    event.listen(village.database.engine, "before_cursor_execute", lambda *args: seen.append(args[2]))
    with village.database.reading() as session:
        (machine,) = queries.machines(session, village.site.id)
    assert (len(machine.slots), machine.for_sale) == (6, 3)
    assert len(seen) <= 12


def test_sales_of_the_machine_are_booked_as_such(village):
    vend = village.buy(1)
    village.result(village.command(), DONE)
    assert village.sales() == [(SaleState.DONE, 144)]
    with village.database.reading() as session:
        found = queries.progress(session, village.site.id, vend.public_id)
    assert (found.case, found.receipt_id) == (vend.id, vend.sale_public_id)
