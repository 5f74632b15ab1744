"""Reads of the ledger."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from shop_hub.ledger.models import LedgerAccount, LedgerEntry, LedgerPosting

_balance = select(LedgerAccount.balance_cents)
_history = (
    select(LedgerEntry.id, LedgerEntry.kind, LedgerEntry.ref, LedgerPosting.cents, LedgerEntry.created_at)
    .join(LedgerPosting, LedgerPosting.entry_id == LedgerEntry.id)
    .order_by(LedgerEntry.id.desc())
)
_entry = select(LedgerPosting.account_key, LedgerPosting.cents).order_by(LedgerPosting.account_key)


@dataclass(frozen=True)
class Movement:
    """What one entry did to an account, and the account's balance afterwards."""

    entry_id: int
    kind: str
    ref: str
    cents: int
    at: datetime
    balance_cents: int


def member_key(person_id: int) -> str:
    """Return the key of a member's account."""
    return f"member:{person_id}"


def balance_cents(session: Session, site_id: int, key: str) -> int:
    """Return the balance of an account; an account without postings has 0.

    A member's balance is positive when the village owes the member.
    """
    return session.scalar(_balance.where(LedgerAccount.site_id == site_id, LedgerAccount.key == key)) or 0


def history(session: Session, site_id: int, key: str, *, limit: int = 20) -> list[Movement]:
    """Return the newest movements of an account, newest first."""
    rows = session.execute(
        _history.where(LedgerPosting.site_id == site_id, LedgerPosting.account_key == key).limit(limit)
    )
    after, movements = balance_cents(session, site_id, key), []
    for row in rows:
        movements.append(Movement(row.id, row.kind, row.ref, row.cents, row.created_at, after))
        after -= row.cents
    return movements


def postings(session: Session, entry_id: int) -> list[tuple[str, int]]:
    """Return (account key, cents) of an entry, sorted by key."""
    return [(row.account_key, row.cents) for row in session.execute(_entry.where(LedgerPosting.entry_id == entry_id))]


def entry_id(session: Session, site_id: int, kind: str, ref: str) -> int | None:
    """Return the entry that was booked for `(kind, ref)`."""
    return session.scalar(
        select(LedgerEntry.id).where(LedgerEntry.site_id == site_id, LedgerEntry.kind == kind, LedgerEntry.ref == ref)
    )
