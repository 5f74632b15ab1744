import threading

import pytest
from sqlalchemy import func, select

from shop_hub.core.db import Database, after_commit, in_own_transaction, paused
from shop_hub.core.sites import Site


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
