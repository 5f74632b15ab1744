"""Booking on SQLite and PostgreSQL."""

import threading
from collections.abc import Callable

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from shop_hub.core.db import Database
from shop_hub.core.sites import Site
from shop_hub.ledger import checks, queries, service
from shop_hub.ledger.errors import AlreadyReversedError, InsufficientBalanceError, TopUpAmountError

ANNA = 7
NEW_POSTING = "INSERT INTO ledger_posting (entry_id, account_key, site_id, cents)"
NEW_ENTRY = "INSERT INTO ledger_entry (site_id, kind, ref, is_sealed, created_at)"


def top_up(database: Database, site: Site, cents: int, ref: str = "first") -> int:
    with database.transaction() as session:
        return service.top_up(session, site.id, ANNA, cents, source="cash-box", actor="operator:1", ref=ref)


def balance(database: Database, site: Site, key: str = f"member:{ANNA}") -> int:
    with database.reading() as session:
        return queries.balance_cents(session, site.id, key)


def deviations(database: Database) -> list[object]:
    with database.reading() as session:
        return [deviation for check in checks.CHECKS for deviation in check(session)]


def test_a_top_up_moves_money_from_the_cash_box_to_the_member(database: Database, site: Site) -> None:
    top_up(database, site, 2_000)
    assert balance(database, site) == 2_000
    assert balance(database, site, "cash-box") == -2_000
    assert deviations(database) == []


def test_a_repeated_top_up_is_booked_once(database: Database, site: Site) -> None:
    assert top_up(database, site, 2_000) == top_up(database, site, 2_000)
    assert balance(database, site) == 2_000


@pytest.mark.parametrize("cents", [0, -5, 50_001])
def test_a_top_up_out_of_range_is_refused(database: Database, site: Site, cents: int) -> None:
    with pytest.raises(TopUpAmountError) as refusal:
        top_up(database, site, cents)
    assert refusal.value.params == {"most_euro": 500}
    assert balance(database, site) == 0


def test_postings_of_one_account_are_added_up(database: Database, site: Site) -> None:
    top_up(database, site, 1_000)
    with database.transaction() as session:
        entry = service.post(
            session,
            site.id,
            "sale",
            "sale:1",
            [(f"member:{ANNA}", -300), (f"member:{ANNA}", -77), ("revenue:70", 352), ("vat:70", 25), ("deposit", 0)],
        )
    with database.reading() as session:
        assert queries.postings(session, entry) == [(f"member:{ANNA}", -377), ("revenue:70", 352), ("vat:70", 25)]
        movements = queries.history(session, site.id, f"member:{ANNA}")
    assert [(m.kind, m.cents, m.balance_cents) for m in movements] == [("sale", -377, 623), ("top-up", 1000, 1000)]


@pytest.mark.parametrize(
    "postings", [[("a", 1)], [("a", 1), ("b", -2)], [], [("a", 0), ("b", 0)], [("a", 1), ("a", -1)]]
)
def test_an_unbalanced_or_empty_entry_is_an_error(
    database: Database, site: Site, postings: list[tuple[str, int]]
) -> None:
    with pytest.raises(ValueError, match="unbalanced"), database.transaction() as session:
        service.post(session, site.id, "sale", "sale:1", postings)
    assert deviations(database) == []


@pytest.mark.parametrize("stored", [0, 99])
def test_a_member_never_owes(database: Database, site: Site, stored: int) -> None:
    if stored:
        top_up(database, site, stored)
    with pytest.raises(InsufficientBalanceError), database.transaction() as session:
        service.post(session, site.id, "sale", "sale:1", [(f"member:{ANNA}", -100), ("revenue:0", 100)])
    assert balance(database, site) == stored
    assert balance(database, site, "revenue:0") == 0


def test_the_same_reference_is_not_booked_twice(database: Database, site: Site) -> None:
    def book() -> None:
        with database.transaction() as session:
            service.post(session, site.id, "sale", "sale:1", [("card-clearing", -100), ("revenue:0", 100)])

    book()
    with pytest.raises(DBAPIError):
        book()
    assert balance(database, site, "revenue:0") == 100


def test_an_entry_is_reversed_exactly_once(database: Database, site: Site) -> None:
    entry = top_up(database, site, 500)
    with database.transaction() as session:
        service.reverse(session, site.id, entry, "undo", "undo:1")
    with pytest.raises(AlreadyReversedError), database.transaction() as session:
        service.reverse(session, site.id, entry, "undo", "undo:2")
    assert balance(database, site) == 0
    assert deviations(database) == []


def test_money_already_spent_cannot_be_taken_back(database: Database, site: Site) -> None:
    entry = top_up(database, site, 500)
    with database.transaction() as session:
        service.post(session, site.id, "sale", "sale:1", [(f"member:{ANNA}", -1), ("revenue:0", 1)])
    with pytest.raises(InsufficientBalanceError), database.transaction() as session:
        service.reverse(session, site.id, entry, "undo", "undo:1")
    assert balance(database, site) == 499


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE ledger_posting SET cents = 1",
        "DELETE FROM ledger_posting",
        "UPDATE ledger_entry SET ref = 'other'",
        "UPDATE ledger_entry SET is_sealed = false",
        "DELETE FROM ledger_entry",
        f"{NEW_POSTING} SELECT id, 'other', site_id, 5 FROM ledger_entry",
        f"{NEW_ENTRY} SELECT site_id, 'x', 'y', true, created_at FROM ledger_entry",
        "UPDATE ledger_account SET balance_cents = -1 WHERE key = 'member:7'",
    ],
)
def test_the_database_refuses_to_change_the_books(database: Database, site: Site, statement: str) -> None:
    top_up(database, site, 500)
    with pytest.raises(DBAPIError), database.transaction() as session:
        session.execute(
            text(
                "INSERT INTO ledger_account (site_id, key, is_floored, balance_cents) "
                "SELECT id, 'other', false, 0 FROM site"
            )
        )
        session.execute(text(statement))
    assert balance(database, site) == 500


@pytest.mark.parametrize("cents", [[100], [100, -99], []])
def test_the_database_refuses_an_unbalanced_seal(database: Database, site: Site, cents: list[int]) -> None:
    top_up(database, site, 500)
    values = {"site": site.id}
    with pytest.raises(DBAPIError, match="unbalanced entry"), database.transaction() as session:
        session.execute(
            text(
                "INSERT INTO ledger_entry (id, site_id, kind, ref, is_sealed, created_at) "
                "SELECT 99, site_id, 'x', 'y', false, created_at FROM ledger_entry"
            )
        )
        for key, amount in zip((f"member:{ANNA}", "cash-box"), cents, strict=False):
            session.execute(
                text(f"{NEW_POSTING} VALUES (99, :key, :site, :cents)"),
                {**values, "key": key, "cents": amount},
            )
        session.execute(text("UPDATE ledger_entry SET is_sealed = true WHERE id = 99"))


def test_verify_names_a_balance_that_was_tampered_with(database: Database, site: Site) -> None:
    top_up(database, site, 500)
    with database.transaction() as session:
        session.execute(text("UPDATE ledger_account SET balance_cents = 900 WHERE key = 'member:7'"))
    found = deviations(database)
    assert [(d.check, d.thing, d.expected, d.found) for d in found] == [  # type: ignore[attr-defined]
        ("ledger-balance", f"site:{site.id} account:member:7", "500", "900")
    ]


def together(count: int, work: Callable[[int], None]) -> list[Exception]:
    """Run `work` in threads released together; return what they raised."""
    barrier, errors = threading.Barrier(count), []

    def run(number: int) -> None:
        barrier.wait()
        try:
            work(number)
        except Exception as error:  # noqa: BLE001 - the test looks at the kind
            errors.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return errors


def test_of_four_purchases_at_once_only_those_that_are_covered_succeed(database: Database, site: Site) -> None:
    top_up(database, site, 250)

    def buy(number: int) -> None:
        with database.transaction() as session:
            service.post(session, site.id, "sale", f"sale:{number}", [(f"member:{ANNA}", -100), ("revenue:0", 100)])

    errors = together(4, buy)
    assert [type(error) for error in errors] == [InsufficientBalanceError] * 2
    assert (balance(database, site), balance(database, site, "revenue:0")) == (50, 200)
    assert deviations(database) == []


def test_a_raced_reversal_happens_once(database: Database, site: Site) -> None:
    entry = top_up(database, site, 500)
    top_up(database, site, 500, ref="second")

    def undo(number: int) -> None:
        with database.transaction() as session:
            service.reverse(session, site.id, entry, "undo", f"undo:{number}")

    errors = together(4, undo)
    assert [type(error) for error in errors] == [AlreadyReversedError] * 3
    assert balance(database, site) == 500
    assert deviations(database) == []
