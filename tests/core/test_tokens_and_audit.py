from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DatabaseError

from shop_hub.core import audit, clock, tokens
from shop_hub.core.db import Database
from shop_hub.core.sites import Site
from shop_hub.core.tokens import Purpose, TokenState


def test_a_token_is_found_by_its_text_in_any_case_and_behind_an_address(database: Database) -> None:
    with database.transaction() as session:
        issued = tokens.issue(session, Purpose.PICKUP, 7)
        for scan in (issued.text, issued.text.lower(), f"HTTPS://SHOP.EXAMPLE/P#{issued.text}", f" {issued.text}\r"):
            assert tokens.find(session, Purpose.PICKUP, scan).subject_id == 7


def test_a_token_of_another_purpose_is_worthless(database: Database) -> None:
    with database.transaction() as session:
        issued = tokens.issue(session, Purpose.MEMBER, 7)
        assert tokens.find(session, Purpose.PICKUP, issued.text) is None


def test_an_expired_used_or_revoked_token_is_not_found(database: Database) -> None:
    with database.transaction() as session:
        expired = tokens.issue(session, Purpose.PICKUP, 1, expires_at=clock.now() - timedelta(seconds=1))
        used, revoked = tokens.issue(session, Purpose.PICKUP, 2), tokens.issue(session, Purpose.PICKUP, 3)
        assert tokens.move(session, used.id, TokenState.ISSUED, TokenState.USED)
        tokens.revoke_all(session, Purpose.PICKUP, 3)
        found = [tokens.find(session, Purpose.PICKUP, issued.text) for issued in (expired, used, revoked)]
    assert found == [None, None, None]


def test_only_one_wins_a_token(database: Database) -> None:
    with database.transaction() as session:
        issued = tokens.issue(session, Purpose.PICKUP, 1)
        wins = [tokens.move(session, issued.id, TokenState.ISSUED, TokenState.CLAIMED) for _ in range(2)]
    assert wins == [True, False]


def test_the_database_holds_no_token_in_clear(database: Database) -> None:
    with database.transaction() as session:
        issued = tokens.issue(session, Purpose.PICKUP, 1)
        row = session.execute(text("SELECT * FROM token")).one()
    assert issued.text not in str(row)


def test_the_chain_verifies_and_a_changed_row_is_found(database: Database, site: Site) -> None:
    with database.transaction() as session:
        for number in range(3):
            audit.record(session, site.id, "operator:1", "price-changed", "product:1", cents=number)
            session.flush()
    with database.reading() as session:
        assert audit.broken_entries(session, site.id) == []
    with database.engine.begin() as connection:
        if database.is_sqlite:
            connection.execute(text("DROP TRIGGER audit_entry_no_update"))
        else:
            connection.execute(text("SET LOCAL session_replication_role = replica"))
        connection.execute(text("UPDATE audit_entry SET actor = 'operator:2' WHERE number = 2"))
    with database.reading() as session:
        assert [entry.number for entry in audit.broken_entries(session, site.id)] == [2]


@pytest.mark.parametrize("statement", ["UPDATE audit_entry SET actor = 'x'", "DELETE FROM audit_entry"])
def test_the_database_refuses_to_change_an_audit_row(database: Database, site: Site, statement: str) -> None:
    with database.transaction() as session:
        audit.record(session, site.id, "operator:1", "price-changed", "product:1")
    with pytest.raises(DatabaseError, match="audit_entry"), database.transaction() as session:
        session.execute(text(statement))
