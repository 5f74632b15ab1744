"""Sales at a card terminal: the saga of trust.md section 4 (shop.md acceptance 4)."""

import pytest
from sqlalchemy import select

from shop_hub.checkout import queries, service
from shop_hub.checkout.errors import AlreadyUndoneError, BasketPayingError, NotInReviewError
from shop_hub.checkout.models import SaleState
from shop_hub.core.errors import BadInputError, NotFoundError
from shop_hub.fleet import queries as fleet
from shop_hub.fleet.models import CommandState, Device, DeviceCommand, Link
from shop_hub.payments.errors import NoTerminalError, TerminalInUseError
from shop_hub.payments.models import IntentState, PaymentIntent
from shop_hub.stock.errors import OutOfStockError
from tests.catalog.makers import gtin
from tests.checkout.shop import BREAD, COLA, MARKED, MILK, Shop
from tests.checkout.test_account_sale import together


def intent(shop: Shop) -> PaymentIntent:
    with shop.database.reading() as session:
        return session.scalars(select(PaymentIntent).order_by(PaymentIntent.id.desc())).first()  # type: ignore[return-value]


def commands(shop: Shop) -> list[str]:
    with shop.database.reading() as session:
        return list(session.scalars(select(DeviceCommand.op).order_by(DeviceCommand.id)))


def test_an_approved_payment_becomes_a_receipt(shop: Shop) -> None:
    basket = shop.basket(gtin(MILK), gtin(COLA))
    sold = shop.charge(basket, expected_cents=268)
    assert (sold.state, sold.number, shop.basket_state(basket)) == (SaleState.NEW, "", "paying")
    assert (shop.level(MILK), shop.receipts()) == (10_000, [])
    shop.approve()
    assert (shop.sale(sold).state, shop.receipt(sold).number, shop.basket_state(basket)) == (
        SaleState.DONE,
        "K1-1",
        "finalised",
    )
    assert (shop.level(MILK), shop.balance("card-clearing")) == (9_000, -268)
    assert (intent(shop).state, intent(shop).trace, intent(shop).receipt) == (IntentState.CAPTURED, "7", "8")
    assert shop.deviations() == []


@pytest.mark.parametrize(
    ("state", "code", "data", "reason"),
    [
        (CommandState.FAILED, "declined", {"outcome": "declined"}, "declined"),
        (CommandState.FAILED, "aborted", {"outcome": "aborted"}, "aborted"),
        (CommandState.FAILED, "offline", {}, "offline"),
        (CommandState.FAILED, "busy", {}, "busy"),
        (CommandState.REJECTED, "stale_lease", {}, "stale_lease"),
        (CommandState.EXPIRED, "", {}, "declined"),
    ],
)
def test_what_was_certainly_not_charged_leaves_the_basket_to_be_paid_anew(
    shop: Shop, state: CommandState, code: str, data: dict[str, str], reason: str
) -> None:
    basket = shop.basket(gtin(MILK))
    sold = shop.charge(basket)
    shop.answer(state, code, **data)
    assert (shop.sale(sold).state, shop.sale(sold).reason) == (SaleState.VOID, reason)
    assert (shop.basket_state(basket), shop.level(MILK), shop.receipts()) == ("open", 10_000, [])
    assert shop.pay(basket).number == "K1-1"
    assert shop.deviations() == []


def test_nothing_changes_in_a_basket_while_it_is_paid(shop: Shop) -> None:
    basket = shop.basket(gtin(MILK))
    shop.charge(basket)
    for act in (lambda: shop.scan(basket, gtin(COLA)), lambda: shop.pay(basket), lambda: shop.charge(basket)):
        with pytest.raises(BasketPayingError):
            act()


def test_without_terminal_nothing_is_begun(shop: Shop) -> None:
    basket = shop.basket(gtin(MILK))
    shop.set_link(Link.SILENT)
    with pytest.raises(NoTerminalError):
        shop.charge(basket)
    assert (shop.basket_state(basket), commands(shop)) == ("open", [])


def test_a_busy_terminal_takes_no_second_payment(shop: Shop) -> None:
    first, second = shop.basket(gtin(MILK)), shop.basket(gtin(COLA))
    shop.charge(first)
    with pytest.raises(TerminalInUseError):
        shop.charge(second)
    assert (shop.basket_state(second), commands(shop)) == ("open", ["charge"])


def test_approval_after_cancel_is_taken_back_at_once(shop: Shop) -> None:
    basket = shop.basket(gtin(MILK))
    sold = shop.charge(basket)
    with shop.session() as session:
        service.cancel(session, sold.id)
    shop.approve()
    assert (shop.sale(sold).state, commands(shop)) == (SaleState.ABORT, ["charge", "reverse"])
    shop.answer(CommandState.DONE, op="reverse", outcome="reversed")
    assert (shop.sale(sold).state, intent(shop).state) == (SaleState.VOID, IntentState.REVERSED)
    assert (shop.basket_state(basket), shop.receipts(), shop.balance("card-clearing")) == ("open", [], 0)
    assert shop.deviations() == []


def test_a_reversal_that_fails_becomes_a_case_for_a_person(shop: Shop) -> None:
    sold = shop.charge(shop.basket(gtin(MILK)))
    with shop.session() as session:
        service.cancel(session, sold.id)
    shop.approve()
    for attempt in range(3):
        shop.answer(CommandState.DONE, op="reverse", outcome="approved")
        shop.tick(60 * (attempt + 1))
    assert (shop.sale(sold).state, shop.sale(sold).reason) == (SaleState.IN_REVIEW, "reversal-failed")
    assert intent(shop).state is IntentState.REVERSAL_FAILED
    with shop.database.reading() as session:
        assert [case.public_id for case in queries.in_review(session, shop.site.id)] == [sold.public_id]


@pytest.mark.parametrize(
    ("is_paid", "state", "level", "clearing"),
    [(True, SaleState.DONE, 9_000, -144), (False, SaleState.VOID, 10_000, 0)],
)
def test_a_person_decides_a_case_once_and_with_a_reason(
    shop: Shop, *, is_paid: bool, state: SaleState, level: int, clearing: int
) -> None:
    sold = shop.charge(shop.basket(gtin(MILK)))
    shop.answer(CommandState.UNKNOWN, "no_answer", outcome="unknown")
    shop.set_link(Link.SILENT)
    shop.tick(25 * 3600)
    assert shop.sale(sold).state is SaleState.IN_REVIEW

    def decide(reason: str) -> None:
        with shop.session() as session:
            service.decide(session, sold.public_id, is_paid=is_paid, reason=reason, actor="operator:1")

    with pytest.raises(BadInputError):
        decide(" ")
    decide("Kassenschnitt geprüft")
    with pytest.raises(NotInReviewError):
        decide("noch einmal")
    assert (shop.sale(sold).state, shop.level(MILK), shop.balance("card-clearing")) == (state, level, clearing)
    assert shop.deviations() == []


def unknown(shop: Shop) -> tuple[int, service.Item]:
    basket = shop.basket(gtin(MILK))
    sold = shop.charge(basket)
    shop.answer(CommandState.UNKNOWN, "no_answer", outcome="unknown")
    assert (shop.sale(sold).state, shop.basket_state(basket)) == (SaleState.PAY_UNKNOWN, "paying")
    return basket, sold


@pytest.mark.parametrize(
    ("outcome", "state", "basket_state"),
    [
        ("approved", SaleState.DONE, "finalised"),
        ("declined", SaleState.VOID, "open"),
        ("aborted", SaleState.VOID, "open"),
        ("none", SaleState.VOID, "open"),
        ("reversed", SaleState.VOID, "open"),
    ],
)
def test_an_unknown_payment_is_asked_for_and_settled(
    shop: Shop, outcome: str, state: SaleState, basket_state: str
) -> None:
    basket, sold = unknown(shop)
    shop.tick(4)
    shop.answer(CommandState.DONE, op="status", outcome=outcome)
    assert (shop.sale(sold).state, shop.basket_state(basket)) == (state, basket_state)
    assert commands(shop) == ["charge", "status"]
    assert shop.deviations() == []


def test_a_payment_that_stays_unknown_is_taken_back_by_reference(shop: Shop) -> None:
    basket, sold = unknown(shop)
    deaf = {
        "status": (CommandState.DONE, "", {"outcome": "unknown"}),
        "reverse": (CommandState.REJECTED, "unresolved", {}),
    }
    shop.play(deaf, until_s=900)
    assert (shop.sale(sold).state, intent(shop).state) == (SaleState.PAY_UNKNOWN, IntentState.REVERSING)
    awake = {
        "status": (CommandState.DONE, "", {"outcome": "approved"}),
        "reverse": (CommandState.DONE, "", {"outcome": "reversed"}),
    }
    shop.play(awake, until_s=1800)
    assert (shop.sale(sold).state, shop.basket_state(basket)) == (SaleState.VOID, "open")
    assert (shop.receipts(), shop.deviations()) == ([], [])


def test_a_terminal_that_falls_silent_makes_the_payment_unknown(shop: Shop) -> None:
    sold = shop.charge(shop.basket(gtin(MILK)))
    shop.tick(5)
    shop.set_link(Link.SILENT)
    shop.tick(11)
    assert shop.sale(sold).state is SaleState.NEW
    shop.tick(13)
    assert shop.sale(sold).state is SaleState.PAY_UNKNOWN
    shop.approve()
    assert shop.sale(sold).state is SaleState.DONE
    assert shop.deviations() == []


def test_an_approval_that_comes_after_the_reversal_goes_back_too(shop: Shop) -> None:
    sold = shop.charge(shop.basket(gtin(MILK)))
    charge = shop.answer(CommandState.UNKNOWN, "journal_lost", outcome="unknown").id
    script = {
        "status": (CommandState.DONE, "", {"outcome": "unknown"}),
        "reverse": (CommandState.FAILED, "not_found", {}),
    }
    shop.play(script, until_s=400)
    assert (shop.sale(sold).state, intent(shop).state) == (SaleState.VOID, IntentState.REVERSED)
    shop.late(charge, CommandState.DONE, outcome="approved", trace=9)
    shop.play({"reverse": (CommandState.DONE, "", {"outcome": "reversed"})}, until_s=60)
    assert (intent(shop).state, commands(shop)[-1]) == (IntentState.REVERSED, "reverse")
    assert (shop.receipts(), shop.deviations()) == ([], [])


def test_a_repeated_answer_changes_nothing(shop: Shop) -> None:
    sold = shop.charge(shop.basket(gtin(MILK)))
    shop.approve()
    with shop.session() as session:
        command = session.scalars(select(DeviceCommand.id)).one()
    shop.late(command, CommandState.DONE, outcome="approved", trace=7)
    assert (shop.sale(sold).state, shop.receipts(), shop.level(MILK)) == (SaleState.DONE, [1], 9_000)
    assert shop.deviations() == []


def test_hard_goods_are_reserved_before_the_charge_and_free_after_a_decline(shop: Shop) -> None:
    sold = shop.charge(shop.basket(gtin(MARKED), gtin(MILK)))
    assert (shop.level(MARKED), shop.level(MILK)) == (9_000, 10_000)
    shop.answer(CommandState.FAILED, "declined", outcome="declined")
    assert (shop.sale(sold).state, shop.level(MARKED), shop.level(MILK)) == (SaleState.VOID, 10_000, 10_000)
    again = shop.charge(shop.basket(gtin(MARKED)))
    shop.approve()
    assert (shop.sale(again).state, shop.level(MARKED)) == (SaleState.DONE, 9_000)
    assert shop.deviations() == []


def test_sold_out_hard_goods_are_never_charged(shop: Shop) -> None:
    with shop.session() as session:
        items = service.find_items(session, shop.site.id, [(gtin(MARKED), 10)])
        service.sell(session, shop.site.id, items, shop.member(session))
    with pytest.raises(OutOfStockError):
        shop.charge(shop.basket(gtin(MARKED)))
    assert commands(shop) == []


def test_undo_gives_the_money_back_at_the_terminal_first(shop: Shop) -> None:
    sold = shop.charge(shop.basket(gtin(MILK)))
    shop.approve()
    with shop.session() as session:
        undone = service.undo(session, sold.public_id, actor="kiosk:1")
    assert (undone.state, shop.level(MILK), shop.deviations()) == (SaleState.NEW, 9_000, [])
    with pytest.raises(AlreadyUndoneError), shop.session() as session:
        service.undo(session, sold.public_id, actor="kiosk:1")
    shop.answer(CommandState.DONE, op="reverse", outcome="reversed")
    assert (shop.sale(undone).state, shop.receipt(undone).number) == (SaleState.DONE, "K1-2")
    assert (shop.level(MILK), shop.balance("card-clearing"), shop.receipt(undone).total_cents) == (10_000, 0, -144)
    assert shop.deviations() == []


def test_an_undo_that_the_terminal_refuses_is_decided_by_a_person(shop: Shop) -> None:
    sold = shop.charge(shop.basket(gtin(MILK)))
    shop.approve()
    with shop.session() as session:
        undone = service.undo(session, sold.public_id, actor="kiosk:1")
    for attempt in range(3):
        shop.answer(CommandState.DONE, op="reverse", outcome="approved")
        shop.tick(60 * (attempt + 1))
    assert (shop.sale(undone).state, shop.sale(sold).state, shop.deviations()) == (
        SaleState.IN_REVIEW,
        SaleState.DONE,
        [],
    )
    with shop.session() as session:
        service.decide(session, undone.public_id, is_paid=False, reason="bar zurückgegeben", actor="operator:1")
    assert (shop.sale(undone).state, shop.level(MILK), shop.deviations()) == (SaleState.DONE, 10_000, [])


@pytest.mark.parametrize(
    ("reverse", "status"),
    [
        ((CommandState.REJECTED, "not_found", {}), "none"),
        ((CommandState.FAILED, "not_found", {}), "none"),
        ((CommandState.UNKNOWN, "no_answer", {}), "none"),
        ((CommandState.UNKNOWN, "no_answer", {}), "aborted"),
        ((CommandState.FAILED, "not_reversible", {"outcome": "declined"}), "declined"),
        ((CommandState.DONE, "", {"outcome": "none"}), "none"),
    ],
)
def test_an_undo_whose_payment_the_terminal_has_forgotten_is_not_taken_for_returned(
    shop: Shop, reverse: tuple[CommandState, str, dict[str, str]], status: str
) -> None:
    sold = shop.charge(shop.basket(gtin(MILK)))
    shop.approve()
    with shop.session() as session:
        undone = service.undo(session, sold.public_id, actor="kiosk:1")
    shop.play({"reverse": reverse, "status": (CommandState.DONE, "", {"outcome": status})}, until_s=900)
    assert (shop.sale(undone).state, intent(shop).state) == (SaleState.IN_REVIEW, IntentState.REVERSAL_FAILED)
    assert (shop.level(MILK), shop.balance("card-clearing"), shop.receipts()) == (9_000, -144, [1])
    assert shop.deviations() == []
    with shop.session() as session:
        service.decide(session, undone.public_id, is_paid=True, reason="Kunde bekam nichts", actor="operator:1")
    assert (shop.sale(undone).state, shop.level(MILK), shop.deviations()) == (SaleState.VOID, 9_000, [])
    with shop.session() as session:
        again = service.undo(session, sold.public_id, actor="operator:1", is_staff=True, reason="noch einmal")
    shop.play({"reverse": (CommandState.DONE, "", {"outcome": "reversed"})}, until_s=900)
    assert (shop.sale(again).state, intent(shop).state) == (SaleState.DONE, IntentState.REVERSED)
    assert (shop.level(MILK), shop.balance("card-clearing"), shop.deviations()) == (10_000, 0, [])


def test_a_cancelled_payment_that_was_surely_taken_and_then_forgotten_goes_to_a_person(shop: Shop) -> None:
    sold = shop.charge(shop.basket(gtin(MILK)))
    with shop.session() as session:
        service.cancel(session, sold.id)
    shop.approve()
    forgotten = (CommandState.FAILED, "not_found", {})
    shop.play({"reverse": forgotten, "status": (CommandState.DONE, "", {"outcome": "none"})}, until_s=900)
    assert (shop.sale(sold).state, intent(shop).state) == (SaleState.IN_REVIEW, IntentState.REVERSAL_FAILED)
    assert (shop.receipts(), shop.deviations()) == ([], [])


def test_cancel_and_approval_at_once_end_in_a_sale_or_in_nothing(shop: Shop) -> None:
    sold = shop.charge(shop.basket(gtin(BREAD)))

    def act(number: int) -> None:
        if number:
            shop.approve()
        else:
            with shop.session() as session:
                service.cancel(session, sold.id)

    assert together(2, act) == [None, None]
    if shop.sale(sold).state is SaleState.ABORT:
        shop.answer(CommandState.DONE, op="reverse", outcome="reversed")
    assert shop.sale(sold).state in (SaleState.DONE, SaleState.VOID)
    assert shop.deviations() == []


def test_a_program_charges_at_a_terminal(shop: Shop) -> None:
    with shop.session() as session:
        items = service.find_items(session, shop.site.id, [(gtin(BREAD), 2)])
        sold = service.start_terminal_sale(session, shop.site.id, items, shop.terminal_id)
    shop.approve()
    assert (shop.receipt(sold).number, shop.level(BREAD)) == ("A1-1", 8_000)
    assert shop.deviations() == []


def test_a_program_names_a_terminal_by_its_id_or_its_name_at_the_broker(shop: Shop) -> None:
    with shop.database.reading() as session:
        device = session.get_one(Device, shop.terminal_id)
        for name in (str(device.public_id), device.slug):
            assert fleet.by_name(session, shop.site.id, name) is device
        for name in ("nobody", "", str(shop.site.id), "01a204d7-977d-7148-82e7-5df7ce9b1d23"):
            with pytest.raises(NotFoundError):
                fleet.by_name(session, shop.site.id, name)
