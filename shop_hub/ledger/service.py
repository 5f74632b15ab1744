"""Booking: every entry sums to zero, members never owe, nothing is ever changed or erased."""

from collections.abc import Iterable, Sequence
from typing import Any, cast

from sqlalchemy import Table, bindparam, insert, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from shop_hub.core import audit, clock
from shop_hub.core.prepared import Prepared
from shop_hub.ledger import queries
from shop_hub.ledger.errors import AlreadyReversedError, InsufficientBalanceError, TopUpAmountError
from shop_hub.ledger.models import LedgerAccount, LedgerEntry, LedgerPosting

FLOORED_PREFIX = "member:"
MOST_TOP_UP_CENTS = 50_000

_accounts, _entries, _postings = (
    cast("Table", model.__table__) for model in (LedgerAccount, LedgerEntry, LedgerPosting)
)
_insert_entry = Prepared(insert(_entries).returning(_entries.c.id))
_insert_postings = Prepared(insert(_postings))
_seal = Prepared(update(_entries).where(_entries.c.id == bindparam("entry")).values(is_sealed=True))
_lower_floored = Prepared(
    update(_accounts)
    .where(
        _accounts.c.site_id == bindparam("site"),
        _accounts.c.key == bindparam("account"),
        _accounts.c.balance_cents + bindparam("cents") >= 0,
    )
    .values(balance_cents=_accounts.c.balance_cents + bindparam("cents"))
)


def _upsert(dialect_insert: Any) -> Any:
    statement = dialect_insert(_accounts)
    balance = _accounts.c.balance_cents + statement.excluded.balance_cents
    return statement.on_conflict_do_update(index_elements=["site_id", "key"], set_={"balance_cents": balance})


_add = Prepared(_upsert)


def post(
    session: Session,
    site_id: int,
    kind: str,
    ref: str,
    postings: Iterable[tuple[str, int]],
    *,
    reverses: int | None = None,
) -> int:
    """Book an entry and return its id.

    Args:
        kind: what it is, e.g. "sale"; with `ref` unique at the site, so that a repeat cannot book twice.
        ref: what it belongs to, e.g. "sale:0197…".
        postings: (account key, cents); several for one account are added up, zeros fall away.
        reverses: entry whose opposite this is.

    Raises:
        ValueError: the postings do not sum to zero, or nothing is left of them.
        InsufficientBalanceError: a member's balance would go below zero; the transaction must be rolled back.
    """
    amounts = _added_up(postings)
    if sum(amounts.values()) != 0 or not amounts:
        raise ValueError("unbalanced entry")
    entry = {
        "site_id": site_id,
        "kind": kind,
        "ref": ref,
        "reverses_id": reverses,
        "is_sealed": False,
        "created_at": clock.now(),
    }
    entry_id = int(_insert_entry.value(session, entry))
    _move_balances(session, site_id, amounts)
    _insert_postings.run_many(
        session,
        [
            {"entry_id": entry_id, "site_id": site_id, "account_key": key, "cents": cents}
            for key, cents in amounts.items()
        ],
    )
    _seal.run(session, {"entry": entry_id})
    return entry_id


def reverse(session: Session, site_id: int, entry_id: int, kind: str, ref: str) -> int:
    """Book the opposite of an entry, once.

    Raises:
        AlreadyReversedError: it was reversed before; nothing more has changed.
        InsufficientBalanceError: a member has spent meanwhile what this would take back.
    """
    opposite = [(key, -cents) for key, cents in queries.postings(session, entry_id)]
    try:
        with session.begin_nested():
            return post(session, site_id, kind, ref, opposite, reverses=entry_id)
    except IntegrityError as error:
        raise AlreadyReversedError from error


def top_up(session: Session, site_id: int, person_id: int, cents: int, *, source: str, actor: str, ref: str) -> int:
    """Put money on a village account and return the entry's id; a repeat with the same `ref` books nothing more.

    Args:
        source: account the money came through: "cash-box", "card-clearing" or "top-up" (bank transfer).
        ref: makes a repeat harmless, e.g. the form's idempotency key.

    Raises:
        TopUpAmountError: not between 1 cent and 500 euros.
    """
    if not 1 <= cents <= MOST_TOP_UP_CENTS:
        raise TopUpAmountError(most_euro=MOST_TOP_UP_CENTS // 100)
    booked = queries.entry_id(session, site_id, "top-up", ref)
    if booked is not None:
        return booked
    key = queries.member_key(person_id)
    entry_id = post(session, site_id, "top-up", ref, [(key, cents), (source, -cents)])
    audit.record(session, site_id, actor, "account-topped-up", key, cents=cents, source=source)
    return entry_id


def _added_up(postings: Iterable[tuple[str, int]]) -> dict[str, int]:
    amounts: dict[str, int] = {}
    for key, cents in postings:
        amounts[key] = amounts.get(key, 0) + cents
    # sorted, so that two transactions on PostgreSQL take the account rows in the same order
    return {key: amounts[key] for key in sorted(amounts) if amounts[key]}


def _move_balances(session: Session, site_id: int, amounts: dict[str, int]) -> None:
    raised: list[dict[str, Any]] = []
    for key, cents in amounts.items():
        is_floored = key.startswith(FLOORED_PREFIX)
        if is_floored and cents < 0:
            _lower(session, site_id, key, cents)
        else:
            raised.append({"site_id": site_id, "key": key, "is_floored": is_floored, "balance_cents": cents})
    if raised:
        _raise(session, raised)


def _lower(session: Session, site_id: int, key: str, cents: int) -> None:
    if not _lower_floored.run(session, {"site": site_id, "account": key, "cents": cents}):
        raise InsufficientBalanceError


def _raise(session: Session, rows: Sequence[dict[str, Any]]) -> None:
    _add.run_many(session, rows)
