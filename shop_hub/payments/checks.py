"""What `shop-hub verify` recomputes of payments."""

from collections.abc import Iterator

from sqlalchemy import select
from sqlalchemy.orm import Session

from shop_hub.core.verify import Check, Deviation
from shop_hub.ledger.models import LedgerEntry, LedgerPosting
from shop_hub.payments.models import IntentState, PaymentIntent

CLEARING = "card-clearing"


def captures_match_clearing(session: Session) -> Iterator[Deviation]:
    """What the terminals have taken and kept is what the ledger expects from the card company."""
    taken: dict[int, int] = {}
    kept = select(PaymentIntent.site_id, PaymentIntent.cents).where(PaymentIntent.state == IntentState.CAPTURED)
    for row in session.execute(kept):
        taken[row.site_id] = taken.get(row.site_id, 0) + row.cents
    expected: dict[int, int] = {}
    posted = (
        select(LedgerPosting.site_id, LedgerPosting.cents)
        .join(LedgerEntry, LedgerEntry.id == LedgerPosting.entry_id)
        .where(LedgerPosting.account_key == CLEARING, LedgerEntry.kind.in_(("sale", "undo")))
    )
    for row in session.execute(posted):
        expected[row.site_id] = expected.get(row.site_id, 0) - row.cents
    pending = _being_returned(session)
    for site_id in sorted(taken.keys() | expected.keys()):
        due = expected.get(site_id, 0) - pending.get(site_id, 0)
        if taken.get(site_id, 0) != due:
            yield Deviation("card-clearing", f"site:{site_id}", str(due), str(taken.get(site_id, 0)))


def _being_returned(session: Session) -> dict[int, int]:
    """Return what undone purchases have taken that the terminal has still to give back, per site."""
    sums: dict[int, int] = {}
    rows = select(PaymentIntent.site_id, PaymentIntent.cents).where(
        PaymentIntent.is_refund.is_(True),
        PaymentIntent.state.in_((IntentState.REVERSING, IntentState.REVERSAL_FAILED)),
    )
    for row in session.execute(rows):
        sums[row.site_id] = sums.get(row.site_id, 0) + row.cents
    return sums


CHECKS: tuple[Check, ...] = (captures_match_clearing,)
