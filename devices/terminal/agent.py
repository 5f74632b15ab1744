"""Binds a card terminal to the protocol. A payment is asked for once; what got lost is looked up, never repeated."""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import ClassVar

from pydantic import JsonValue

from devices.agent.agent import Agent
from devices.agent.device import Device, NoAnswerError, Order, Outcome
from devices.protocol.description import NodeDescription, PropertyDescription
from devices.protocol.messages import Code
from devices.terminal.book import Payment, PaymentBook, PaymentState, is_reference
from devices.terminal.driver import (
    PaymentTerminal,
    TerminalBusyError,
    TerminalLostError,
    TerminalRefusedError,
    Transaction,
)

log = logging.getLogger(__name__)

NODE = "terminal"
_MOST_CENTS = 999_999
_LOOK_EVERY_S = 30.0
_RECOVERY_PAUSE_S = 1.0
_ARGUMENTS = {"charge": {"cents", "reference"}, "reverse": {"reference"}, "status": {"reference"}}


class TerminalDevice(Device):
    """`charge`, `reverse` and `status` by the hub's reference; a reference is charged at most once.

    `recover_s`: for how long a lost end is looked for before the verdict is `unknown`; `status` looks again later.
    """

    kind: ClassVar[str] = "terminal"
    limit_s: ClassVar[float] = 180.0

    def __init__(self, terminal: PaymentTerminal, *, recover_s: float = 30.0) -> None:
        self._terminal, self._recover_s = terminal, recover_s
        self._line = threading.Lock()
        """The terminal does one thing at a time: looking for it must not get in the way of a payment."""

    def describe(self) -> dict[str, NodeDescription]:
        """Return the one node."""
        state = PropertyDescription(datatype="enum", format="ready,busy,insert-card,processing,offline,unknown")
        return {NODE: NodeDescription(name=NODE, type="terminal", properties={"state": state})}

    def start(self, agent: Agent) -> None:
        """Recall the payments and look for the terminal now and then."""
        self._agent = agent
        self._book = PaymentBook(agent)
        agent.set(NODE, "state", "unknown")
        agent.host.run_by_hand(self._look)
        agent.every(_LOOK_EVERY_S, lambda: agent.host.run_by_hand(self._look))

    def refuse(self, node: str, op: str, args: Mapping[str, JsonValue]) -> Code | None:
        """Check the shape, and that no payment of this reference is unresolved."""
        if node != NODE or op not in _ARGUMENTS:
            return Code.NOT_FOUND
        cents = args.get("cents", 1)
        if set(args) != _ARGUMENTS[op] or not is_reference(args["reference"]):
            return Code.BAD_ARGUMENTS
        if type(cents) is not int or not 1 <= cents <= _MOST_CENTS:
            return Code.BAD_ARGUMENTS
        payment = self._book.get(str(args["reference"]))
        if op == "reverse" and payment is None:
            return Code.NOT_FOUND
        return Code.UNRESOLVED if op != "status" and payment is not None and payment.is_open else None

    def perform(self, order: Order) -> Outcome:
        """Carry out one order; the terminal's state is published on the way."""
        verbs = {"charge": self._charge, "reverse": self._reverse, "status": self._status}
        try:
            with self._line:
                return verbs[order.op](order, str(order.args["reference"]))
        except NoAnswerError:
            return Outcome.failed(Code.OFFLINE)
        except TerminalBusyError:
            return Outcome.failed(Code.BUSY)
        except TerminalRefusedError:
            return Outcome.failed("refused")
        finally:
            self._agent.host.run_by_hand(self._look)

    def _charge(self, order: Order, reference: str) -> Outcome:
        cents = int(str(order.args["cents"]))
        known = self._book.get(reference)
        if known is not None and known.state in (PaymentState.APPROVED, PaymentState.REVERSED):
            return _outcome(known) if known.cents == cents else Outcome.failed(Code.BAD_ARGUMENTS)
        before = self._make_way()
        order.begin()
        payment = Payment(cents=cents, state=PaymentState.CHARGING, before=before)
        return self._attempt(reference, payment, known, lambda: self._terminal.authorise(cents, self._tell))

    def _reverse(self, order: Order, reference: str) -> Outcome:
        known = self._book.get(reference)
        if known is None or known.state is PaymentState.REVERSED:
            return Outcome.failed(Code.NOT_FOUND) if known is None else _outcome(known)
        receipt = known.receipt
        if known.state is not PaymentState.APPROVED or receipt is None:
            return Outcome.failed("not_reversible", **known.facts())
        before = self._make_way()
        order.begin()
        update = {"state": PaymentState.REVERSING, "before": before, "seen": None}
        return self._attempt(reference, known.model_copy(update=update), known, lambda: self._terminal.reverse(receipt))

    def _status(self, order: Order, reference: str) -> Outcome:
        order.begin()
        known = self._book.get(reference)
        if known is None:
            return Outcome.done(outcome="none")
        if known.is_open:
            known = self._recover(reference, known, 0.0)
        return Outcome.done(**known.facts())

    def _make_way(self) -> int | None:
        """Settle what is open while that can still be told, and return the trace number of the last transaction.

        Raises:
            TerminalBusyError: what is open may be going on.
        """
        if self._book.is_waiting() and not self._terminal.is_idle():
            raise TerminalBusyError
        last = self._terminal.last()
        self._book.overtake(last)
        return None if last is None else last.trace

    def _attempt(
        self, reference: str, payment: Payment, known: Payment | None, ask: Callable[[], Transaction]
    ) -> Outcome:
        """Write down what is asked, ask once, write down the end."""
        self._book.put(reference, payment)
        try:
            ended = payment.ended(ask())
        except TerminalLostError as error:
            log.warning("the terminal was lost in the middle of a transaction")
            seen = None if error.seen is None else error.seen.trace
            ended = self._recover(reference, payment.model_copy(update={"seen": seen}), self._recover_s)
        except (NoAnswerError, TerminalBusyError, TerminalRefusedError):
            self._book.put(reference, known)  # nothing was begun
            raise
        self._book.put(reference, ended)
        return _outcome(ended)

    def _recover(self, reference: str, payment: Payment, for_s: float) -> Payment:
        """Look for the end of a lost transaction until it is found or the time is up."""
        self._book.put(reference, payment)
        deadline = time.monotonic() + for_s
        while True:
            found = self._look_up(payment)
            if found is not None or time.monotonic() >= deadline:
                break
            time.sleep(_RECOVERY_PAUSE_S)
        if found is not None:
            self._book.put(reference, found)
        return found or payment

    def _look_up(self, payment: Payment) -> Payment | None:
        try:
            return payment.settled_by(self._terminal.last()) if self._terminal.is_idle() else None
        except (NoAnswerError, TerminalBusyError):
            return None

    def _look(self) -> None:
        if not self._line.acquire(blocking=False):
            return
        try:
            self._tell("ready" if self._terminal.is_idle() else "busy")
        except NoAnswerError:
            self._tell("offline")
        finally:
            self._line.release()

    def _tell(self, state: str) -> None:
        self._agent.set(NODE, "state", state)


def _outcome(payment: Payment) -> Outcome:
    facts = payment.facts()
    match payment.state:
        case PaymentState.APPROVED | PaymentState.REVERSED:
            return Outcome.done(**facts)
        case PaymentState.DECLINED | PaymentState.ABORTED:
            return Outcome.failed(payment.state.value, **facts)
        case PaymentState.CHARGING | PaymentState.REVERSING:
            return Outcome.unknown(Code.NO_ANSWER, **facts)
