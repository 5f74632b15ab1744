"""How worker processes share the villages of one hub: by site, in a fixed number of partitions (devices.md section 5).

All messages of a device stay in one process, in order. Each partition has a lease row and a broker session of its own,
so that whoever takes it over finds what the broker kept for it. On SQLite there is one process and one partition.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, SQLColumnExpression, delete, func, select
from sqlalchemy.orm import Session

from shop_hub.core import clock
from shop_hub.core.db import Database, UtcDateTime
from shop_hub.core.sites import Site
from shop_hub.fleet.models import HubLease, HubWorker

ON_POSTGRESQL = 16
"""Fixed for ever: a site that changed its partition would leave messages behind in the old one's broker session."""
PRESENT = timedelta(seconds=5)
_FORGOTTEN = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Partition:
    """One of `count` parts. In a region (`collects`) it is listened to, no more: who holds it is no hub."""

    number: int
    count: int
    collects: bool = False

    @property
    def suffix(self) -> str:
        """Return what its lease row, broker account and client id have after the hub's name; the first one nothing."""
        return f"-{self.number}" if self.number else ""

    @property
    def lease_name(self) -> str:
        """Return the name of its lease row."""
        return f"{'collector' if self.collects else 'hub'}{self.suffix}"

    @property
    def lease_number(self) -> int:
        """Return the number in its lease row: below zero where no command may find it."""
        return ~self.number if self.collects else self.number

    def has(self, site_id: int) -> bool:
        """Tell whether a site is one of its own."""
        return (site_id - 1) % self.count == self.number

    def holds(self, site_id: SQLColumnExpression[int]) -> ColumnElement[bool]:
        """Return the condition that a column names one of its sites."""
        return (site_id - 1) % self.count == self.number


ALL = Partition(0, 1)


def count(database: Database) -> int:
    """Return how many partitions a database has."""
    return 1 if database.is_sqlite else ON_POSTGRESQL


def all_of(database: Database) -> list[Partition]:
    """Return all partitions of a database."""
    parts = count(database)
    return [Partition(number, parts) for number in range(parts)]


def is_lease_of(site_id: SQLColumnExpression[int], database: Database) -> ColumnElement[bool]:
    """Return the condition that a lease row is the one of a site's partition."""
    return HubLease.partition == (site_id - 1) % count(database)


def is_collecting(session: Session) -> bool:
    """Tell whether this database is the one of a region, which only listens. It is so for ever."""
    return session.scalar(select(HubLease.name).where(HubLease.partition < 0).limit(1)) is not None


def is_commanding(session: Session) -> bool:
    """Tell whether this database has ever been the one of a hub that runs its devices itself."""
    return session.scalar(select(HubLease.name).where(HubLease.partition >= 0).limit(1)) is not None


def populated(session: Session, *, collects: bool = False) -> list[Partition]:
    """Return the partitions that have sites; the first one always, since it keeps the broker's accounts."""
    parts = count(session.info["database"])
    numbers = set(session.scalars(select(((Site.id - 1) % parts).label("number")).distinct()))
    return [Partition(number, parts, collects) for number in sorted(numbers | {0})]


def now(session: Session) -> datetime:
    """Return the time by which leases are judged: on PostgreSQL the database's, for machines disagree about it."""
    if session.info["database"].is_sqlite:
        return clock.now()
    return session.scalars(select(func.clock_timestamp(type_=UtcDateTime))).one()


def report(session: Session, owner: str) -> int:
    """Note that a process works, and return how many do, this one included."""
    moment = now(session)
    worker = session.get(HubWorker, owner)
    if worker is None:
        session.add(HubWorker(owner=owner, until=moment + PRESENT))
        session.execute(delete(HubWorker).where(HubWorker.until < moment - _FORGOTTEN))
    else:
        worker.until = moment + PRESENT
    session.flush()
    return _present(session, moment)


def leave(session: Session, owner: str) -> None:
    """Note that a process stops working."""
    session.execute(delete(HubWorker).where(HubWorker.owner == owner))


def fair_share(parts: int, workers: int) -> int:
    """Return how many partitions a process may hold at most."""
    return -(-parts // max(workers, 1))


def _present(session: Session, moment: datetime) -> int:
    is_present = (HubWorker.until >= moment) & (HubWorker.until <= moment + 2 * PRESENT)
    return session.scalar(select(func.count()).select_from(HubWorker).where(is_present)) or 1
