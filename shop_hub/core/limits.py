"""Counted attempts, in SQL so that they hold over workers, restarts and clock jumps.

An attempt is counted and committed before the secret is checked. A right secret takes back its own count only, never
those of wrong ones: otherwise an attacker who owns one right code could guess for ever.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import cast

from sqlalchemy import Table, and_, bindparam, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, Session, mapped_column

from shop_hub.core import clock
from shop_hub.core.db import Base, in_own_transaction
from shop_hub.core.errors import TooManyAttemptsError
from shop_hub.core.prepared import Prepared


class Attempt(Base):
    """Tries within one window of one counter."""

    __tablename__ = "attempt"

    scope: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    window_start: Mapped[datetime]
    count: Mapped[int]
    blocked_until: Mapped[datetime | None]


_attempt = cast("Table", Attempt.__table__).c


@dataclass(frozen=True)
class Limit:
    """`tries` in a `window` without waiting, each further one after a wait that doubles up to `longest_wait`."""

    scope: str
    tries: int
    window: timedelta
    first_wait: timedelta = timedelta(seconds=30)
    longest_wait: timedelta = timedelta(minutes=15)


def count(session: Session, *counters: tuple[Limit, str]) -> None:
    """Count one try for each (limit, key), all in one transaction of its own.

    Raises:
        TooManyAttemptsError: a counter is over its limit; the secret must not be looked at.
    """
    with in_own_transaction(session) as own:
        wait = timedelta(0)
        for limit, key in counters:
            # the clock is read under the lock: time must not run backwards between tries
            wait = wait or _count(_row(own, limit, key), limit, clock.now())
    _refuse(wait)


def check(session: Session, *counters: tuple[Limit, str]) -> None:
    """Look whether a try would be heard, without counting it.

    Raises:
        TooManyAttemptsError: a counter is over its limit; the secret must not be looked at.
    """
    now = clock.now()
    asked: dict[str, object] = {"now": now}
    for place, (limit, key) in enumerate(counters):
        asked |= {f"scope_{place}": limit.scope, f"key_{place}": key}
    until = {(row.scope, row.key): row.blocked_until for row in _blocked(len(counters)).all(session, asked)}
    for limit, key in counters:
        wait = until.get((limit.scope, key), now) - now
        if wait <= limit.longest_wait:
            _refuse(wait)


def take_back(session: Session, *counters: tuple[Limit, str]) -> None:
    """Take back the one try that has just proved right, with the wait it caused; wrong ones stay counted."""
    with in_own_transaction(session) as own:
        for limit, key in counters:
            own.execute(
                update(Attempt)
                .where(Attempt.scope == limit.scope, Attempt.key == key, Attempt.count > 0)
                .values(count=Attempt.count - 1, blocked_until=None)
            )


@cache
def _blocked(counters: int) -> Prepared:
    """Return the statement that finds those of so many counters that wait."""
    asked = [
        and_(_attempt.scope == bindparam(f"scope_{place}"), _attempt.key == bindparam(f"key_{place}"))
        for place in range(counters)
    ]
    found = select(_attempt.scope, _attempt.key, _attempt.blocked_until)
    return Prepared(found.where(or_(*asked), _attempt.blocked_until > bindparam("now")))


def _refuse(wait: timedelta) -> None:
    if wait > timedelta(0):
        raise TooManyAttemptsError(retry_after_s=max(1, round(wait.total_seconds())))


def _row(own: Session, limit: Limit, key: str) -> Attempt:
    find = select(Attempt).where(Attempt.scope == limit.scope, Attempt.key == key).with_for_update()
    row = own.scalar(find)
    if row is None:
        try:
            with own.begin_nested():
                own.add(Attempt(scope=limit.scope, key=key, window_start=clock.now(), count=0, blocked_until=None))
        except IntegrityError:  # a twin counted the first try of this key in the same moment
            own.expire_all()
        row = own.scalars(find).one()
    return row


def _count(row: Attempt, limit: Limit, now: datetime) -> timedelta:
    """Count one try; return how long it must wait, 0 if it is heard."""
    if row.blocked_until is not None and now < row.blocked_until <= now + limit.longest_wait:
        return row.blocked_until - now
    if abs(now - row.window_start) >= limit.window:  # over, or the clock was set back by more than a window
        row.window_start, row.count, row.blocked_until = now, 0, None
    row.count += 1
    over = row.count - limit.tries
    if over >= 0:
        row.blocked_until = now + min(limit.first_wait * int(2 ** min(over, 16)), limit.longest_wait)
    return timedelta(0)
