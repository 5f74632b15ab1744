"""Double entry: accounts, entries and postings. An entry is sealed once its postings sum to zero."""

from datetime import datetime

from sqlalchemy import (
    DDL,
    BigInteger,
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    UniqueConstraint,
    event,
)
from sqlalchemy.orm import Mapped, mapped_column

from shop_hub.core.db import Base, BigKey
from shop_hub.ledger import triggers


class LedgerAccount(Base):
    """An account of a site and its balance, moved in the transaction of each posting; `verify` recomputes it.

    `is_floored` accounts (members) never go below zero.
    """

    __tablename__ = "ledger_account"
    __table_args__ = (CheckConstraint("NOT is_floored OR balance_cents >= 0", name="floor"),)

    site_id: Mapped[int] = mapped_column(ForeignKey("site.id"), primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    is_floored: Mapped[bool] = mapped_column(default=False)
    balance_cents: Mapped[int] = mapped_column(BigInteger, default=0)


class LedgerEntry(Base):
    """One booking. `(kind, ref)` is unique at a site, so nothing is booked twice; so is what it reverses."""

    __tablename__ = "ledger_entry"
    __table_args__ = (
        UniqueConstraint("site_id", "id"),
        UniqueConstraint("site_id", "kind", "ref"),
        UniqueConstraint("reverses_id"),
        ForeignKeyConstraint(["site_id", "reverses_id"], ["ledger_entry.site_id", "ledger_entry.id"]),
    )

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    site_id: Mapped[int] = mapped_column(ForeignKey("site.id"))
    kind: Mapped[str]
    ref: Mapped[str]
    reverses_id: Mapped[int | None] = mapped_column(BigKey)
    is_sealed: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime]


class LedgerPosting(Base):
    """What one entry does to one account, in cents."""

    __tablename__ = "ledger_posting"
    __table_args__ = (
        ForeignKeyConstraint(["site_id", "entry_id"], ["ledger_entry.site_id", "ledger_entry.id"]),
        ForeignKeyConstraint(["site_id", "account_key"], ["ledger_account.site_id", "ledger_account.key"]),
        CheckConstraint("cents <> 0", name="not_empty"),
        Index("ix_ledger_posting_account", "site_id", "account_key", "entry_id"),
    )

    entry_id: Mapped[int] = mapped_column(BigKey, primary_key=True, autoincrement=False)
    account_key: Mapped[str] = mapped_column(primary_key=True)
    site_id: Mapped[int]
    cents: Mapped[int] = mapped_column(BigInteger)


for _dialect, _statements in (("sqlite", triggers.SQLITE), ("postgresql", triggers.POSTGRESQL)):
    for _statement in _statements:
        _ddl = DDL(_statement)  # type: ignore[no-untyped-call]
        event.listen(LedgerPosting.__table__, "after_create", _ddl.execute_if(dialect=_dialect))
