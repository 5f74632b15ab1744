"""Periodic work: one lease row per job, so that a job runs in one process at a time and survives kill -9.

Semantics are at least once: each job is idempotent. After an outage a job runs once, not once per missed slot.
"""

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, or_, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from shop_hub.core import clock
from shop_hub.core.db import Base, Database
from shop_hub.core.ids import random_base32

log = logging.getLogger(__name__)

LEASE = timedelta(minutes=5)


class JobLease(Base):
    """When a job runs next and who runs it now."""

    __tablename__ = "job_lease"

    name: Mapped[str] = mapped_column(primary_key=True)
    next_run: Mapped[datetime]
    owner: Mapped[str] = mapped_column(default="")
    lease_until: Mapped[datetime | None]
    last_error: Mapped[str] = mapped_column(default="")


@dataclass(frozen=True)
class Job:
    """A piece of periodic work: a function of one transaction."""

    name: str
    every: timedelta
    run: Callable[[Session], None]
    needs_trusted_clock: bool = False


class JobRunner:
    """Runs due jobs; call `run_due` from a loop."""

    def __init__(self, database: Database, jobs: Sequence[Job], watch: clock.ClockWatch) -> None:
        self._database = database
        self._jobs = {job.name: job for job in jobs}
        self._watch = watch
        self._owner = random_base32()
        with database.transaction() as session:
            for job in jobs:
                if session.get(JobLease, job.name) is None:
                    session.add(JobLease(name=job.name, next_run=clock.now(), lease_until=None))

    def run_due(self) -> int:
        """Run every due job once; return how many ran."""
        now = clock.now()
        with self._database.reading() as session:
            slots = session.execute(select(JobLease.name, JobLease.next_run).where(_is_unheld(now))).all()
        return sum(
            self._run(name, slot) for name, slot in slots if name in self._jobs and self._is_due(name, slot, now)
        )

    def _is_due(self, name: str, slot: datetime, now: datetime) -> bool:
        """Tell whether a slot has come; one further away than two periods stems from a clock that ran ahead.

        Two, since another runner may have set it a moment after `now` was read.
        """
        return slot <= now or slot > now + 2 * self._jobs[name].every

    def loop(self, stop: threading.Event, every_s: float = 1.0) -> None:
        """Run due jobs until `stop` is set."""
        while not stop.wait(every_s):
            try:
                self.run_due()
            except Exception:
                log.exception("job loop")

    def _run(self, name: str, slot: datetime) -> bool:
        job = self._jobs[name]
        if (job.needs_trusted_clock and self._watch.is_suspect()) or not self._claim(name, slot):
            return False
        error = ""
        try:
            with self._database.transaction() as session:
                job.run(session)
        except Exception as caught:
            log.exception("job failed", extra={"job": name})
            error = type(caught).__name__
        with self._database.transaction() as session:
            session.execute(
                update(JobLease)
                .where(JobLease.name == name, JobLease.owner == self._owner)
                .values(next_run=clock.now() + job.every, owner="", lease_until=None, last_error=error)
            )
        return True

    def _claim(self, name: str, slot: datetime) -> bool:
        now = clock.now()
        with self._database.transaction() as session:
            result = session.execute(
                update(JobLease)
                .where(
                    JobLease.name == name,
                    JobLease.next_run == slot,
                    _is_unheld(now),
                )
                .values(owner=self._owner, lease_until=now + LEASE)
            )
        return bool(result.rowcount)  # type: ignore[attr-defined]


def _is_unheld(now: datetime) -> ColumnElement[bool]:
    lease = JobLease.lease_until
    return or_(lease.is_(None), lease <= now, lease > now + 2 * LEASE)
