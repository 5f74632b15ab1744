"""What `shop-hub verify` recomputes in the ledger."""

from collections.abc import Iterator

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from shop_hub.core.verify import Check, Deviation
from shop_hub.ledger.models import LedgerAccount, LedgerEntry, LedgerPosting


def balances_match_postings(session: Session) -> Iterator[Deviation]:
    """Every balance is the sum of its postings."""
    sums = {
        (row.site_id, row.account_key): row.cents
        for row in session.execute(
            select(
                LedgerPosting.site_id, LedgerPosting.account_key, func.sum(LedgerPosting.cents).label("cents")
            ).group_by(LedgerPosting.site_id, LedgerPosting.account_key)
        )
    }
    for account in session.execute(select(LedgerAccount.site_id, LedgerAccount.key, LedgerAccount.balance_cents)):
        expected = int(sums.get((account.site_id, account.key), 0))
        if account.balance_cents != expected:
            thing = f"site:{account.site_id} account:{account.key}"
            yield Deviation("ledger-balance", thing, str(expected), str(account.balance_cents))


def entries_are_sealed_and_balanced(session: Session) -> Iterator[Deviation]:
    """Every entry is sealed and sums to zero."""
    total = func.coalesce(func.sum(LedgerPosting.cents), 0)
    rows = session.execute(
        select(LedgerEntry.id, LedgerEntry.is_sealed, total.label("cents"))
        .outerjoin(LedgerPosting, LedgerPosting.entry_id == LedgerEntry.id)
        .group_by(LedgerEntry.id, LedgerEntry.is_sealed)
        .having((total != 0) | LedgerEntry.is_sealed.is_(False))
    )
    for row in rows:
        found = f"sum {row.cents}, {'sealed' if row.is_sealed else 'open'}"
        yield Deviation("ledger-entry", f"entry:{row.id}", "sum 0, sealed", found)


CHECKS: tuple[Check, ...] = (balances_match_postings, entries_are_sealed_and_balanced)
