"""What a card-terminal driver must offer."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class PaymentOutcome(StrEnum):
    """How the terminal ended a transaction."""

    APPROVED = "approved"
    DECLINED = "declined"
    ABORTED = "aborted"


@dataclass(frozen=True, slots=True)
class Transaction:
    """What the terminal says about a transaction. `trace` and `receipt` are its own running numbers, if given."""

    outcome: PaymentOutcome
    cents: int | None = None
    trace: int | None = None
    receipt: int | None = None
    result_code: int = 0
    card_name: str = ""


class TerminalBusyError(Exception):
    """The terminal is doing something else: nothing was begun."""


class TerminalRefusedError(Exception):
    """The terminal cannot do this (function not possible): nothing was begun."""


class TerminalLostError(Exception):
    """The connection broke in the middle: the customer may have been charged or not.

    `seen` is the transaction as far as the terminal had told it.
    """

    def __init__(self, seen: Transaction | None) -> None:
        super().__init__("connection lost during a transaction")
        self.seen = seen


class PaymentTerminal(Protocol):
    """A terminal that does one thing at a time. Never repeats anything by itself."""

    def is_idle(self) -> bool:
        """Tell whether the terminal is ready for a transaction.

        Raises:
            NoAnswerError: not reached.
        """

    def last(self) -> Transaction | None:
        """Return the terminal's last transaction, or None if it has none.

        Raises:
            NoAnswerError: not reached, or no understandable answer.
            TerminalBusyError: it is in a transaction.
        """

    def authorise(self, cents: int, on_progress: Callable[[str], None]) -> Transaction:
        """Charge a card. `on_progress` hears `insert-card` and `processing`.

        Raises:
            NoAnswerError: not reached; nothing was begun.
            TerminalBusyError: nothing was begun.
            TerminalRefusedError: nothing was begun.
            TerminalLostError: unknown whether the card was charged.
        """

    def reverse(self, receipt: int) -> Transaction:
        """Cancel an approved transaction by its receipt number.

        Raises:
            NoAnswerError: not reached; nothing was begun.
            TerminalBusyError: nothing was begun.
            TerminalRefusedError: nothing was begun.
            TerminalLostError: unknown whether it was cancelled.
        """
