import threading
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import bindparam, func, select
from sqlalchemy.exc import IntegrityError, OperationalError, PendingRollbackError, StatementError

from shop_hub.core.db import Database, after_commit, in_own_transaction, paused
from shop_hub.core.prepared import Prepared
from shop_hub.core.sites import Site
from shop_hub.core.tokens import Purpose, Token

NAMED = Prepared(select(Site.__table__.c.id).where(Site.__table__.c.slug == bindparam("slug")))
RENAME = Prepared(Site.__table__.update().where(Site.__table__.c.slug == bindparam("slug")).values(name="other"))


def add_site(session, slug: str) -> None:
    session.add(Site(slug=slug, name=slug))


def slugs(database: Database) -> list[str]:
    with database.reading() as session:
        return sorted(session.scalars(select(Site.slug)))


def test_an_exception_rolls_everything_back(database: Database) -> None:
    with pytest.raises(ZeroDivisionError), database.transaction() as session:
        add_site(session, "a")
        session.flush()
        raise ZeroDivisionError
    assert slugs(database) == []


def test_what_waits_for_the_commit_runs_after_it_and_never_after_a_rollback(database: Database) -> None:
    seen: list[list[str]] = []
    with database.transaction() as session:
        add_site(session, "a")
        after_commit(session, lambda: seen.append(slugs(database)))
    with pytest.raises(ZeroDivisionError), database.transaction() as session:
        after_commit(session, lambda: seen.append(["never"]))
        raise ZeroDivisionError
    assert seen == [["a"]]


def test_a_row_in_its_own_transaction_outlives_the_refusal(database: Database) -> None:
    with pytest.raises(ZeroDivisionError), database.transaction() as session:
        session.scalar(select(func.count()).select_from(Site))
        with in_own_transaction(session) as own:
            add_site(own, "kept")
        add_site(session, "lost")
        session.flush()
        raise ZeroDivisionError
    assert slugs(database) == ["kept"]


def test_a_transaction_that_has_written_cannot_be_paused(database: Database) -> None:
    with database.transaction() as session:
        add_site(session, "a")
        session.flush()
        with pytest.raises(RuntimeError), paused(session):
            pass
    assert slugs(database) == ["a"]


def test_a_reading_session_refuses_to_write(database: Database) -> None:
    with database.reading() as session:
        add_site(session, "a")
        with pytest.raises(RuntimeError):
            session.flush()
    assert slugs(database) == []


def test_read_then_write_loses_no_update_on_sqlite(sqlite_database: Database) -> None:
    with sqlite_database.transaction() as session:
        add_site(session, "0")

    def count() -> None:
        for _ in range(25):
            with sqlite_database.transaction() as session:
                site = session.scalars(select(Site)).one()
                site.slug = str(int(site.slug) + 1)

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert slugs(sqlite_database) == ["100"]


def test_what_is_read_with_and_without_the_orm_is_one_picture(database: Database) -> None:
    with database.transaction() as session:
        add_site(session, "a")
    with database.reading() as reading:
        assert NAMED.value(reading, {"slug": "a"}) == reading.scalars(select(Site)).one().id
        with pytest.raises(RuntimeError):
            RENAME.run(reading, {"slug": "a"})
        assert NAMED.value(reading, {"slug": "a"}) is not None
    assert database.engine.pool.checkedout() == 0


def test_a_reader_sees_nothing_of_what_is_written_meanwhile(sqlite_database: Database) -> None:
    with sqlite_database.reading() as reading:
        assert NAMED.value(reading, {"slug": "a"}) is None
        with sqlite_database.transaction() as session:
            add_site(session, "a")
        assert NAMED.value(reading, {"slug": "a"}) is None
        with paused(reading):
            pass
        assert NAMED.value(reading, {"slug": "a"}) is not None


def test_after_a_failed_flush_nothing_is_written_beside_the_transaction(database: Database) -> None:
    with database.transaction() as session:
        add_site(session, "a")
    with pytest.raises(PendingRollbackError), database.transaction() as session:
        add_site(session, "a")
        with pytest.raises(IntegrityError):
            session.flush()
        RENAME.run(session, {"slug": "a"})
    with database.reading() as session:
        assert session.scalars(select(Site.name)).all() == ["a"]
    assert database.engine.pool.checkedout() == 0


def test_a_transaction_that_cannot_begin_gives_the_lock_back(sqlite_database: Database) -> None:
    blocker = sqlite_database.engine.raw_connection()
    blocker.driver_connection.execute("BEGIN IMMEDIATE")
    with sqlite_database.engine.connect() as impatient:
        impatient.connection.driver_connection.execute("PRAGMA busy_timeout=1")
    with pytest.raises(OperationalError), sqlite_database.transaction():
        pass
    blocker.driver_connection.rollback()
    blocker.close()
    with sqlite_database.transaction() as session:
        add_site(session, "a")
    assert slugs(sqlite_database) == ["a"]


def test_times_are_kept_to_the_microsecond_and_compare_in_the_database(database: Database) -> None:
    early = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    late = early.astimezone(ZoneInfo("Europe/Berlin")) + timedelta(microseconds=1)
    with database.transaction() as session:
        for number, moment in enumerate((early, late)):
            token = Token(hash=str(number), purpose=Purpose.API, subject_id=1, data={}, issued_at=moment)
            session.add(token)
    with database.reading() as session:
        assert session.scalars(select(Token.issued_at).order_by(Token.issued_at)).all() == [early, late]
        assert session.scalars(select(Token.issued_at).where(Token.issued_at > early)).all() == [late]
        with pytest.raises(StatementError, match="naive"):
            session.scalars(select(Token.id).where(Token.issued_at > early.replace(tzinfo=None)))
