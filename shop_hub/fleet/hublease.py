"""One hub at a time for each partition of the sites: the lease row says which process it is (devices.md section 5).

A take-over raises the generation; devices refuse commands of a lower one, so that a process which wakes from a long
sleep, or a copy of the database, opens nothing.
"""

import fcntl
import os
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.orm import Session

from shop_hub.core import clock
from shop_hub.core.db import Database
from shop_hub.fleet import partitions
from shop_hub.fleet.models import HubLease
from shop_hub.fleet.partitions import ALL, Partition
from shop_hub.fleet.queries import hub_runs

_NONSENSE = timedelta(hours=1)
"""A lease that ends later than this was written by a clock that was wrong."""
_QUICK = timedelta(milliseconds=200)
"""An answer that took longer does not say how late it is."""


@dataclass(frozen=True, slots=True)
class Reign:
    """What the holder of the lease needs to know."""

    partition: Partition
    boot: int
    generation: int


@dataclass(frozen=True, slots=True)
class Times:
    """How long a lease lives, how often it is renewed, and after how long without renewal its holder stops by itself.

    On SQLite the lock on the file guards, so the row may be written rarely: memory cards wear out.
    """

    life: timedelta
    renew_s: float
    safe_s: float


ON_SQLITE = Times(timedelta(seconds=60), 20.0, 45.0)
ON_POSTGRESQL = Times(timedelta(seconds=5), 1.0, 4.0)


class LeaseKeeper:
    """Takes, renews and gives back the lease of one partition for one process.

    On SQLite a lock on a file beside the database tells at once that the last holder is dead; on PostgreSQL its row has
    to run out first.
    """

    def __init__(self, database: Database, partition: Partition, owner: str) -> None:
        self._database, self._partition = database, partition
        self._owner = owner
        self._times = ON_SQLITE if database.is_sqlite else ON_POSTGRESQL
        self._renewed = 0.0
        self._until = clock.now()
        self._ahead = timedelta(0)
        """How much the clock by which leases are judged is ahead of this machine's."""
        self._file: int | None = None

    def take(self) -> Reign | None:
        """Become the hub if nobody else is; None if somebody is."""
        if self._database.is_sqlite and not self.lock_file():
            return None
        started = time.monotonic()
        with self._database.transaction() as session:
            now = self._look_at_clock(session)
            reign = _take(session, self._partition, self._owner, now, now + self._times.life)
        if reign is not None:
            self._renewed, self._until = started, now + self._times.life
        return reign

    def renew(self) -> bool:
        """Prolong the lease when it is time; False once it is lost."""
        if not self._is_due():
            return True
        started = time.monotonic()
        with self._database.transaction() as session:
            until = self._look_at_clock(session) + self._times.life
            result = session.execute(
                update(HubLease).where(self._is_mine(), HubLease.is_released.is_(False)).values(until=until)
            )
        if not result.rowcount:  # type: ignore[attr-defined]
            self._renewed = 0.0
            return False
        self._renewed, self._until = started, until
        return True

    def now(self) -> datetime:
        """Return the time by which leases are judged, reckoned from the last look at it."""
        return clock.now() + self._ahead

    def is_safe(self) -> bool:
        """Tell whether the lease was renewed so lately that nobody else can be the hub."""
        return time.monotonic() - self._renewed < self._times.safe_s

    def release(self) -> None:
        """Give the lease back, so that the next start need not take over."""
        with self._database.transaction() as session:
            session.execute(update(HubLease).where(self._is_mine()).values(is_released=True))
        self._renewed = 0.0
        self.unlock_file()

    def _look_at_clock(self, session: Session) -> datetime:
        asked = clock.now()
        now = partitions.now(session)
        if clock.now() - asked < _QUICK:  # else it is not known when it was that late
            self._ahead = now - asked
        return now

    def _is_mine(self) -> ColumnElement[bool]:
        return (HubLease.name == self._partition.lease_name) & (HubLease.owner == self._owner)

    def _is_due(self) -> bool:
        """Tell whether to renew: by the clock that never jumps, or because the wall clock was moved."""
        elapsed = time.monotonic() - self._renewed
        expected = self._until - self._times.life + timedelta(seconds=elapsed)
        return elapsed >= self._times.renew_s or abs(self.now() - expected) > timedelta(seconds=1)

    def lock_file(self) -> bool:
        """Take the lock beside a SQLite database; False if another process has it."""
        if self._file is not None:
            return True
        path = Path(self._database.url.removeprefix("sqlite:///") + ".worker")
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            return False
        self._file = handle
        return True

    def unlock_file(self) -> None:
        """Give the lock back."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


def is_running(database: Database) -> bool:
    """Tell whether some process is the hub: on SQLite by the lock that ends with it, however it ends."""
    if not database.is_sqlite:
        with database.reading() as session:
            return hub_runs(session)
    keeper = LeaseKeeper(database, ALL, "")
    is_free = keeper.lock_file()
    keeper.unlock_file()
    return not is_free


def raise_generation(session: Session) -> None:
    """Keep every older copy of this hub out; part of each restore.

    The seconds since 1970 are higher than any number that an older copy can have reached by counting.
    """
    for row in session.scalars(select(HubLease)):
        row.generation = max(row.generation + 1, int(clock.now().timestamp()))


def _first(session: Session, partition: Partition, owner: str, until: datetime) -> HubLease:
    """Add a partition's row: what its devices heard under another one, before a village grew, is not undercut."""
    boot, generation = session.execute(select(func.max(HubLease.boot), func.max(HubLease.generation))).one()
    row = HubLease(name=partition.lease_name, partition=partition.lease_number, owner=owner, until=until)
    row.boot, row.generation = (boot or 0) + 1, generation or 1
    session.add(row)
    return row


def _take(session: Session, partition: Partition, owner: str, now: datetime, until: datetime) -> Reign | None:
    at_once = session.info["database"].is_sqlite  # there the lock on the file has decided
    row = session.scalar(select(HubLease).where(HubLease.name == partition.lease_name).with_for_update())
    if row is None:
        row = _first(session, partition, owner, until)
    else:
        is_held = not row.is_released and row.owner != owner
        if is_held and not at_once and now <= row.until <= now + _NONSENSE:
            return None
        row.generation += is_held
        row.owner, row.until, row.is_released = owner, until, False
        row.boot += 1
    session.flush()
    return Reign(partition, boot=row.boot, generation=row.generation)
