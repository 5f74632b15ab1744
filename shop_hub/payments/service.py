"""Taking money at a card terminal: ask once, look for the end of what got lost, take back what is not wanted."""

import logging
from collections.abc import Callable, Iterable
from datetime import timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from shop_hub.core import clock
from shop_hub.core.ids import random_base32
from shop_hub.fleet import queries as fleet_queries
from shop_hub.fleet import service as fleet
from shop_hub.fleet.errors import DeviceBusyError, DeviceOfflineError
from shop_hub.fleet.models import DeviceCommand, DeviceKind
from shop_hub.payments.answers import CHARGE, REVERSE, STATUS, Answer, Meaning, understand
from shop_hub.payments.errors import NoTerminalError, TerminalInUseError
from shop_hub.payments.models import OPEN, IntentState, PaymentIntent

log = logging.getLogger(__name__)

NODE = "terminal"
SILENT_AFTER = timedelta(seconds=12)
"""A terminal that is not heard of for so long makes its payment unknown."""
LOST_AFTER = timedelta(seconds=200)
"""Longer than an agent tries (180 s): then nobody is at work on it any more."""
SHORTEST_WAIT = timedelta(seconds=3)
LONGEST_WAIT = timedelta(minutes=5)
MOST_REFUSALS = 3
_NOTHING_TAKEN = (Meaning.DECLINED, Meaning.CANCELLED)


class Outcome(StrEnum):
    """What the owner of a payment is told."""

    APPROVED = "approved"
    DECLINED = "declined"
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"
    REVERSED = "reversed"
    REVERSAL_FAILED = "reversal-failed"


Callback = Callable[[Session, int, Outcome, str], None]
_callbacks: dict[str, Callback] = {}


def on_outcome(name: str, function: Callback) -> None:
    """Have `function(session, sale_id, outcome, code)` called in the transaction that records an outcome."""
    _callbacks[name] = function


def start(session: Session, sale_id: int, device_id: int, cents: int) -> PaymentIntent:
    """Ask a terminal for money: the intent and the command are written together and leave after the commit.

    Args:
        cents: at least 1.

    Raises:
        NoTerminalError: it is not connected; nothing was charged.
        TerminalInUseError: it is busy; nothing was charged.
    """
    now = clock.now()
    device = fleet_queries.device(session, device_id)
    if device.kind is not DeviceKind.TERMINAL:
        raise NoTerminalError
    intent = PaymentIntent(
        site_id=device.site_id,
        sale_id=sale_id,
        device_id=device_id,
        cents=cents,
        reference=random_base32(),
        next_try_at=None,
        created_at=now,
        touched_at=now,
    )
    session.add(intent)
    session.flush()
    try:
        _send(session, intent, CHARGE, cents=cents)
    except DeviceOfflineError as error:
        raise NoTerminalError from error
    except DeviceBusyError as error:
        raise TerminalInUseError from error
    return intent


def capture(session: Session, sale_id: int) -> None:
    """Note that an approved payment was booked. Repeating is harmless."""
    _move(session, sale_id, (IntentState.APPROVED,), IntentState.CAPTURED)


def end_by_hand(session: Session, sale_id: int, *, is_taken: bool) -> None:
    """Note what a person has found out about a payment whose end the terminal could not tell."""
    to = IntentState.CAPTURED if is_taken else IntentState.REVERSED
    unclear = (IntentState.UNKNOWN, IntentState.APPROVED, IntentState.REVERSING, IntentState.REVERSAL_FAILED)
    _move(session, sale_id, unclear, to, {"next_op": "", "next_try_at": None})


def hold(session: Session, sale_id: int) -> None:
    """Lock a sale's payments before the sale itself, as `record` does, so that the two never wait in a circle."""
    session.execute(select(PaymentIntent.id).where(PaymentIntent.sale_id == sale_id).with_for_update())


def reverse(session: Session, sale_id: int) -> bool:
    """Take back what a sale's payment took, or may have taken; the outcome follows. Tell whether there was one."""
    moved = _move(
        session,
        sale_id,
        (IntentState.APPROVED, IntentState.UNKNOWN),
        IntentState.REVERSING,
        _to_reverse(),
    )
    if moved:
        _ask_due(session, PaymentIntent.sale_id == sale_id)
    return moved


def hand_over(session: Session, holders: Iterable[int], reversal_id: int) -> None:
    """Take a captured payment back for a reversal, which is told the outcome in place of the sale.

    Args:
        holders: the sale, and earlier reversals of it that came to nothing: one of them has the payment.
    """
    for sale_id in holders:
        more = _to_reverse(sale_id=reversal_id, is_refund=True)
        _move(session, sale_id, (IntentState.CAPTURED,), IntentState.REVERSING, more)
    _ask_due(session, PaymentIntent.sale_id == reversal_id)


def is_open(session: Session, sale_id: int) -> bool:
    """Tell whether a payment of a sale has not come to its end."""
    found = select(PaymentIntent.id).where(PaymentIntent.sale_id == sale_id, PaymentIntent.state.in_(OPEN))
    return session.scalar(found.limit(1)) is not None


def recover(session: Session) -> None:
    """Ask the terminals about every payment whose end is open. Idempotent: at every start, and every few seconds."""
    sent = select(PaymentIntent).where(PaymentIntent.state == IntentState.SENT).with_for_update(skip_locked=True)
    for intent in session.scalars(sent).all():
        if _is_lost(session, intent):
            _unknown(session, intent, "no_answer")
    _ask_due(session, PaymentIntent.next_try_at <= clock.now())


def record(session: Session, command: DeviceCommand) -> None:
    """Take a terminal's final answer, in the transaction that records it; late and repeated ones are harmless."""
    intent = session.scalar(
        select(PaymentIntent).where(PaymentIntent.reference == command.by.removeprefix("payment:")).with_for_update()
    )
    if intent is None:
        log.warning("answer of a terminal without payment", extra={"command": command.id})
        return
    answer = understand(command)
    intent.touched_at = clock.now()
    intent.trace = answer.trace or intent.trace
    intent.receipt = answer.receipt or intent.receipt
    intent.is_taken |= answer.meaning is Meaning.APPROVED
    if intent.state in (IntentState.SENT, IntentState.UNKNOWN):
        _record_charge(session, intent, answer)
    elif intent.state is IntentState.REVERSING:
        _record_reversal(session, intent, answer, command.op)
    elif intent.state is IntentState.REVERSED and answer.meaning is Meaning.APPROVED:
        _ask_again(intent, REVERSE, state=IntentState.REVERSING)  # it came late, and must go back too


def _record_charge(session: Session, intent: PaymentIntent, answer: Answer) -> None:
    ends = {
        Meaning.APPROVED: (IntentState.APPROVED, Outcome.APPROVED),
        Meaning.DECLINED: (IntentState.DECLINED, Outcome.DECLINED),
        Meaning.CANCELLED: (IntentState.CANCELLED, Outcome.CANCELLED),
        Meaning.REVERSED: (IntentState.REVERSED, Outcome.REVERSED),
    }
    if answer.meaning in ends:
        state, outcome = ends[answer.meaning]
        _end(session, intent, state, outcome, answer.code)
    elif intent.state is IntentState.SENT:
        _unknown(session, intent, answer.code)
    else:
        _ask_again(intent, STATUS)


def _record_reversal(session: Session, intent: PaymentIntent, answer: Answer, op: str) -> None:
    meaning = answer.meaning
    if (intent.is_taken or intent.is_refund) and meaning in _NOTHING_TAKEN:
        meaning = Meaning.REFUSED  # it surely was taken: the terminal has forgotten it, nothing went back
    if meaning is Meaning.REVERSED or meaning in _NOTHING_TAKEN:
        _end(session, intent, IntentState.REVERSED, Outcome.REVERSED, answer.code)
    elif meaning is Meaning.REFUSED and intent.refusals + 1 >= MOST_REFUSALS:
        _end(session, intent, IntentState.REVERSAL_FAILED, Outcome.REVERSAL_FAILED, answer.code)
    elif meaning is Meaning.REFUSED:
        intent.refusals += 1
        _ask_again(intent, REVERSE)
    elif meaning is Meaning.APPROVED or (op == REVERSE and answer.code in {"offline", "busy"}):
        _ask_again(intent, REVERSE)
    else:
        _ask_again(intent, STATUS if op == REVERSE else REVERSE)


def _end(session: Session, intent: PaymentIntent, state: IntentState, outcome: Outcome, code: str) -> None:
    intent.state, intent.code = state, code
    intent.next_op, intent.next_try_at = "", None
    _tell(session, intent, outcome, code)


def _unknown(session: Session, intent: PaymentIntent, code: str) -> None:
    intent.code = code
    _ask_again(intent, STATUS, state=IntentState.UNKNOWN)
    _tell(session, intent, Outcome.UNKNOWN, code)


def _tell(session: Session, intent: PaymentIntent, outcome: Outcome, code: str) -> None:
    session.flush()
    for function in _callbacks.values():
        function(session, intent.sale_id, outcome, code)


def _ask_again(intent: PaymentIntent, op: str, *, state: IntentState | None = None) -> None:
    intent.state = state or intent.state
    intent.next_op = op
    intent.next_try_at = clock.now() + min(SHORTEST_WAIT * 2 ** min(intent.tries, 10), LONGEST_WAIT)
    intent.tries += 1


def _ask_due(session: Session, which: Any) -> None:
    due = (
        select(PaymentIntent)
        .where(PaymentIntent.next_op != "", which)
        .order_by(PaymentIntent.id)
        .with_for_update(skip_locked=True)
        .execution_options(populate_existing=True)
    )
    for intent in session.scalars(due).all():
        op = intent.next_op
        try:
            _send(session, intent, op)
        except (DeviceOfflineError, DeviceBusyError):
            _ask_again(intent, op)
        else:
            intent.next_op, intent.next_try_at = "", None
            intent.tries += 1


def _send(session: Session, intent: PaymentIntent, op: str, **args: int) -> None:
    fleet.request(
        session,
        intent.device_id,
        NODE,
        op,
        {"reference": intent.reference, **args},
        by=f"payment:{intent.reference}",
    )


def _is_lost(session: Session, intent: PaymentIntent) -> bool:
    age = clock.now() - intent.created_at
    return age > LOST_AFTER or (age > SILENT_AFTER and not fleet_queries.is_ready(session, intent.device_id))


def _to_reverse(**more: int) -> dict[str, Any]:
    return {"next_op": REVERSE, "next_try_at": clock.now(), "tries": 0, "refusals": 0, **more}


def _move(
    session: Session,
    sale_id: int,
    from_: tuple[IntentState, ...],
    to: IntentState,
    more: dict[str, Any] | None = None,
) -> bool:
    result = session.execute(
        update(PaymentIntent)
        .where(PaymentIntent.sale_id == sale_id, PaymentIntent.state.in_(from_))
        .values(state=to, touched_at=clock.now(), **(more or {}))
        .execution_options(synchronize_session="fetch")
    )
    return bool(result.rowcount)  # type: ignore[attr-defined]
