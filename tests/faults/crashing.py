"""Kills a real process at any statement: a warm process forks, the child works and dies at a chosen point."""

import os
from collections.abc import Callable
from typing import Any

from sqlalchemy import event

from shop_hub.core.db import Database

DIED = 9


def dies_at(database: Database, point: int, work: Callable[[], Any]) -> bool:
    """Do `work` in a forked process that dies at the `point`-th moment; tell whether it died before the end.

    Moments are: before each statement, before each COMMIT and right after it, when the database has the change but
    nobody has heard of it.
    """
    database.dispose()  # no connection may cross a fork
    child = os.fork()
    if child == 0:
        arm(database, point, lambda: os._exit(DIED))
        try:
            work()
        except BaseException:  # noqa: BLE001 - the parent reports; a child must not unwind into pytest
            os._exit(1)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    assert code in {0, DIED}, "the work failed by itself"
    return code == DIED


def arm(database: Database, point: int, die: Callable[[], None]) -> None:
    """Have this process die at the `point`-th moment."""
    left = point

    def moment(*_: object) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            die()

    event.listen(database.engine, "before_cursor_execute", moment)
    commit = database.engine.dialect.do_commit

    def do_commit(connection: Any) -> None:
        moment()
        commit(connection)
        moment()

    database.engine.dialect.do_commit = do_commit
