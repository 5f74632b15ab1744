"""The terminal agent's durable memory of payments: what was asked, and what is certain about it."""

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Protocol

from pydantic import BaseModel, ConfigDict, JsonValue

from devices.terminal.driver import PaymentOutcome, Transaction

_NOTE = "payments"
_KEEP = 200
_REFERENCE = re.compile(r"[A-Za-z0-9_-]{1,40}\Z")


class PaymentState(StrEnum):
    """`charging` and `reversing`: asked, end unknown."""

    CHARGING = "charging"
    APPROVED = "approved"
    DECLINED = "declined"
    ABORTED = "aborted"
    REVERSING = "reversing"
    REVERSED = "reversed"


class Payment(BaseModel):
    """One payment by the hub's reference."""

    model_config = ConfigDict(frozen=True)

    cents: int
    state: PaymentState
    before: int | None = None
    """Trace number of the terminal's last transaction before this was asked."""
    seen: int | None = None
    """Trace number the terminal told before the connection broke."""
    trace: int | None = None
    receipt: int | None = None
    card_name: str = ""
    is_overtaken: bool = False
    """Whether another transaction was asked for after it: the terminal's last one proves nothing about it any more."""

    @property
    def is_open(self) -> bool:
        """Whether its end is unknown."""
        return self.state in (PaymentState.CHARGING, PaymentState.REVERSING)

    def settled_by(self, last: Transaction | None) -> "Payment | None":
        """Return this payment as the terminal's last transaction settles it, or None if that proves nothing.

        The trace number decides (money-and-machines.md 3.7): unchanged = ours never happened; new and of our
        amount = it is ours; anything else = someone else used the terminal.
        """
        if self.is_overtaken:
            return None
        trace = None if last is None else last.trace
        if trace == self.before:
            return self._never_happened()
        if last is None or (last.cents != self.cents and trace != self.seen):
            return None
        return self.ended(last)

    def ended(self, transaction: Transaction) -> "Payment":
        """Return this payment after the terminal told the end."""
        approved = transaction.outcome is PaymentOutcome.APPROVED
        if self.state is PaymentState.REVERSING:
            state = PaymentState.REVERSED if approved else PaymentState.APPROVED
            return self.model_copy(update={"state": state})
        return self.model_copy(
            update={
                "state": PaymentState(transaction.outcome),
                "trace": transaction.trace,
                "receipt": transaction.receipt,
                "card_name": transaction.card_name,
            }
        )

    def _never_happened(self) -> "Payment":
        reversing = self.state is PaymentState.REVERSING
        return self.model_copy(update={"state": PaymentState.APPROVED if reversing else PaymentState.ABORTED})

    def facts(self) -> dict[str, JsonValue]:
        """Return what the hub may know, for `Result.data`."""
        outcome = "unknown" if self.is_open else self.state.value
        facts: dict[str, JsonValue] = {"outcome": outcome, "cents": self.cents}
        if self.trace is not None:
            facts["trace"] = self.trace
        if self.receipt is not None:
            facts["receipt"] = self.receipt
        return facts | ({"card": self.card_name} if self.card_name else {})


class Notes(Protocol):
    """Durable notes: the agent."""

    def note(self, name: str) -> JsonValue:
        """Return a note."""

    def write_note(self, name: str, value: JsonValue) -> None:
        """Write a note to disk."""


class PaymentBook:
    """The last payments, on disk."""

    def __init__(self, notes: Notes) -> None:
        self._notes = notes
        stored = notes.note(_NOTE)
        known: Mapping[str, JsonValue] = stored if isinstance(stored, dict) else {}
        self._payments = {reference: Payment.model_validate(entry) for reference, entry in known.items()}

    def get(self, reference: str) -> Payment | None:
        """Return a payment."""
        return self._payments.get(reference)

    def is_waiting(self) -> bool:
        """Tell whether the end of a payment may still be found out."""
        return any(payment.is_open and not payment.is_overtaken for payment in self._payments.values())

    def overtake(self, last: Transaction | None) -> None:
        """Settle what is open by the terminal's last transaction, before another one is asked for.

        What it does not settle stays unknown: else the next customer's payment of the same amount would settle it.
        """
        for reference, payment in list(self._payments.items()):
            if payment.is_open and not payment.is_overtaken:
                self.put(reference, payment.settled_by(last) or payment.model_copy(update={"is_overtaken": True}))

    def put(self, reference: str, payment: Payment | None) -> None:
        """Write a payment, or forget it (None); it is on disk when this returns."""
        self._payments.pop(reference, None)
        if payment is not None:
            self._payments[reference] = payment
        for old in [name for name, entry in self._payments.items() if not entry.is_open][:-_KEEP]:
            del self._payments[old]
        self._notes.write_note(_NOTE, {name: entry.model_dump(mode="json") for name, entry in self._payments.items()})


def is_reference(value: object) -> bool:
    """Tell whether a value may be a payment's reference."""
    return isinstance(value, str) and _REFERENCE.match(value) is not None
