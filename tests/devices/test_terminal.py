"""Card payments over the contract: charged once, and what got lost is looked up, never repeated."""

from types import SimpleNamespace

import pytest

from devices.protocol.messages import ResultState
from devices.terminal.book import Payment, PaymentBook, PaymentState
from devices.terminal.driver import PaymentOutcome, Transaction
from tests.devices.kit import eventually

pytestmark = pytest.mark.parametrize("broker", ["nats"], indirect=True)


def charge(hub, cents=250, reference="sale-1"):
    return hub.result(hub.order("terminal", "terminal", "charge", cents=cents, reference=reference).id, 20)


def ask(hub, op, reference="sale-1"):
    return hub.result(hub.order("terminal", "terminal", op, reference=reference).id, 20)


def verdict(result):
    return result.state, result.code, result.data.get("outcome")


@pytest.fixture
def till(villages):
    village = villages.start("terminal")
    return village, village.twin("terminal")


def test_an_approved_charge_carries_the_terminals_numbers(hub, till):
    _, machine = till
    result = charge(hub)
    assert verdict(result) == (ResultState.DONE, "", "approved")
    assert result.data == {"outcome": "approved", "cents": 250, "trace": 1, "receipt": 1, "card": "girocard"}
    assert machine.charged_cents == 250
    eventually(lambda: hub.value("terminal", "terminal", "state") == "ready")


@pytest.mark.parametrize(
    ("next_outcome", "cents", "expected"),
    [
        ("decline", 250, (ResultState.FAILED, "declined", "declined")),
        ("approve", 205, (ResultState.FAILED, "declined", "declined")),
        ("cancel", 250, (ResultState.FAILED, "aborted", "aborted")),
        ("busy", 250, (ResultState.FAILED, "busy", None)),
        ("refuse", 250, (ResultState.FAILED, "refused", None)),
        ("drop_early", 250, (ResultState.FAILED, "aborted", "aborted")),
        ("drop_before", 250, (ResultState.DONE, "", "approved")),
        ("drop_after", 250, (ResultState.DONE, "", "approved")),
    ],
)
def test_each_end_has_its_verdict_and_nobody_pays_twice(hub, till, next_outcome, cents, expected):
    village, machine = till
    village.control("terminal", "next", {"outcome": next_outcome})
    assert verdict(charge(hub, cents)) == expected
    assert machine.charged_cents == (cents if expected[0] is ResultState.DONE else 0)


def test_a_charge_may_be_tried_again_after_a_decline_but_not_after_an_approval(hub, till):
    village, machine = till
    village.control("terminal", "next", {"outcome": "decline"})
    assert verdict(charge(hub)) == (ResultState.FAILED, "declined", "declined")
    assert verdict(charge(hub)) == (ResultState.DONE, "", "approved")
    assert verdict(charge(hub)) == (ResultState.DONE, "", "approved")
    assert machine.charged_cents == 250
    assert charge(hub, cents=300).code == "bad_arguments"


def test_an_approved_payment_is_reversed_once(hub, till):
    _, machine = till
    charge(hub)
    assert verdict(ask(hub, "reverse")) == (ResultState.DONE, "", "reversed")
    assert verdict(ask(hub, "reverse")) == (ResultState.DONE, "", "reversed")
    assert machine.charged_cents == 0
    assert verdict(ask(hub, "status")) == (ResultState.DONE, "", "reversed")


def test_a_reversal_that_got_lost_is_looked_up(hub, till):
    village, machine = till
    charge(hub)
    village.control("terminal", "next", {"outcome": "drop_after"})
    assert verdict(ask(hub, "reverse")) == (ResultState.DONE, "", "reversed")
    assert machine.charged_cents == 0


@pytest.mark.usefixtures("till")
def test_status_of_what_was_never_asked_is_none(hub):
    assert verdict(ask(hub, "status", "never")) == (ResultState.DONE, "", "none")
    assert ask(hub, "reverse", "never").code == "not_found"


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"cents": 0},
        {"cents": -5},
        {"cents": 10**7},
        {"cents": "5"},
        {"cents": True},
        {"cents": None},
        {"reference": "a b"},
        {"reference": 5},
        {"extra": 1},
    ],
)
def test_bad_arguments_are_refused(hub, till, arguments):
    hub.wait_lease("terminal")
    args = {"cents": 100, "reference": "r"} | arguments if arguments else {}
    command = hub.send("terminal", "terminal", hub.command("terminal", "charge", args=args))
    assert hub.result(command.id).code == "bad_arguments"
    assert till[1].charged_cents == 0


def test_a_dead_terminal_is_offline_and_nothing_was_begun(hub, till):
    _, machine = till
    machine.close()
    assert verdict(charge(hub)) == (ResultState.FAILED, "offline", None)
    eventually(lambda: hub.value("terminal", "terminal", "state") == "offline")


def test_a_power_cut_in_the_middle_leaves_unknown_until_status_looks_it_up(hub, villages):
    village = villages.start("terminal", terminal={"card_after_s": 0})
    command = hub.order("terminal", "terminal", "charge", cents=250, reference="sale-1")
    eventually(lambda: hub.value("terminal", "terminal", "state") == "insert-card")
    machine = village.twin("terminal")
    village.control("terminal", "switch_off", {})
    machine.verbs()["present_card"]()
    eventually(lambda: machine.charged_cents == 250)
    village.control("terminal", "card_after", {"seconds": 0.05})
    hub.leases.clear()
    village.control("terminal", "switch_on", {})
    assert verdict(hub.result(command.id))[:2] == (ResultState.UNKNOWN, "interrupted")
    again = hub.order("terminal", "terminal", "charge", cents=250, reference="sale-1")
    assert verdict(hub.result(again.id)) == (ResultState.REJECTED, "unresolved", None)
    assert verdict(ask(hub, "status")) == (ResultState.DONE, "", "approved")
    assert machine.charged_cents == 250


@pytest.mark.parametrize(("button", "outcome"), [("present_card", "approved"), ("press_stop", "aborted")])
def test_a_lost_payment_is_not_taken_for_the_next_customers_of_the_same_amount(hub, villages, button, outcome):
    village = villages.start("terminal", terminal={"card_after_s": 0})
    hub.order("terminal", "terminal", "charge", cents=250, reference="sale-1")
    eventually(lambda: hub.value("terminal", "terminal", "state") == "insert-card")
    machine = village.twin("terminal")
    village.control("terminal", "switch_off", {})
    machine.verbs()[button]()
    eventually(lambda: machine.charged_cents == (250 if outcome == "approved" else 0))
    village.control("terminal", "card_after", {"seconds": 0.05})
    hub.leases.clear()
    village.control("terminal", "switch_on", {})
    eventually(lambda: hub.value("terminal", "terminal", "state") == "ready")

    next_customer = charge(hub, reference="sale-2")

    lost = ask(hub, "status")
    assert verdict(lost) == (ResultState.DONE, "", outcome)
    assert lost.data.get("receipt") != next_customer.data["receipt"]
    assert machine.charged_cents == (500 if outcome == "approved" else 250)


def test_what_the_terminal_cannot_tell_any_more_stays_unknown(broker):
    assert broker is not None
    notes = {}
    book = PaymentBook(SimpleNamespace(note=notes.get, write_note=notes.__setitem__))
    book.put("lost", CHARGING)
    book.overtake(Transaction(PaymentOutcome.APPROVED, 100, 8, 8))  # somebody else's, by hand at the terminal
    lost = PaymentBook(SimpleNamespace(note=notes.get, write_note=notes.__setitem__)).get("lost")
    assert lost.settled_by(Transaction(PaymentOutcome.APPROVED, 250, 9, 9)) is None
    assert lost.facts()["outcome"] == "unknown"
    assert not book.is_waiting()


CHARGING = Payment(cents=250, state=PaymentState.CHARGING, before=7)


@pytest.mark.parametrize(
    ("payment", "last", "state"),
    [
        (CHARGING, Transaction(PaymentOutcome.APPROVED, 100, 7, 7), PaymentState.ABORTED),
        (CHARGING, Transaction(PaymentOutcome.APPROVED, 250, 8, 8), PaymentState.APPROVED),
        (CHARGING, Transaction(PaymentOutcome.APPROVED, 100, 8, 8), None),
        (CHARGING, None, None),
        (CHARGING.model_copy(update={"before": None}), None, PaymentState.ABORTED),
        (
            CHARGING.model_copy(update={"seen": 8}),
            Transaction(PaymentOutcome.APPROVED, None, 8, 8),
            PaymentState.APPROVED,
        ),
        (
            CHARGING.model_copy(update={"state": PaymentState.REVERSING}),
            Transaction(PaymentOutcome.APPROVED, 1, 7),
            PaymentState.APPROVED,
        ),
        (
            CHARGING.model_copy(update={"state": PaymentState.REVERSING}),
            Transaction(PaymentOutcome.APPROVED, 250, 8),
            PaymentState.REVERSED,
        ),
    ],
)
def test_the_trace_number_decides_what_a_lost_payment_was(broker, payment, last, state):
    assert broker is not None
    settled = payment.settled_by(last)
    assert (settled.state if settled else None) == state
