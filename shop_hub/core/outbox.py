"""Outbox: what must happen outside (mail, webhook, print) is a row written in the transaction that wants it.

A worker sends rows after the commit, at least once; receivers drop repeats by key. Doors, vends and charges have their
own table with stricter rules (fleet): nothing physical is ever sent late.
"""

import logging
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Index, or_, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from shop_hub.core import clock
from shop_hub.core.db import Base, BigKey, Database, after_commit, enum_column

log = logging.getLogger(__name__)
wake = threading.Event()

LONGEST_WAIT = timedelta(hours=6)
MOST_TRIES = 20
LEASE = timedelta(minutes=2)


class OutboxState(StrEnum):
    """Where a message stands."""

    NEW = "new"
    SENT = "sent"
    FAILED = "failed"


class OutboxMessage(Base):
    """One thing to do outside. `key` makes a repeated enqueue harmless."""

    __tablename__ = "outbox_message"
    __table_args__ = (Index("ix_outbox_message_due", "state", "next_try_at"),)

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    site_id: Mapped[int | None]
    kind: Mapped[str]
    key: Mapped[str] = mapped_column(unique=True)
    payload: Mapped[dict[str, Any]]
    state: Mapped[OutboxState] = mapped_column(enum_column(OutboxState), default=OutboxState.NEW)
    tries: Mapped[int] = mapped_column(default=0)
    next_try_at: Mapped[datetime]
    created_at: Mapped[datetime]
    sent_at: Mapped[datetime | None]
    error: Mapped[str] = mapped_column(default="")


Handler = Callable[[dict[str, Any]], None]


def enqueue(session: Session, kind: str, key: str, payload: dict[str, Any], *, site_id: int | None = None) -> None:
    """Write a message to be sent after the commit, unless one with this key exists."""
    if session.scalar(select(OutboxMessage.id).where(OutboxMessage.key == key)) is not None:
        return
    now = clock.now()
    session.add(OutboxMessage(site_id=site_id, kind=kind, key=key, payload=payload, next_try_at=now, created_at=now))
    after_commit(session, wake.set)


def send_due(database: Database, handlers: dict[str, Handler]) -> int:
    """Send what is due, each message claimed for two minutes so that no twin sends it; return how many were tried."""
    with database.reading() as session:
        due = session.scalars(
            select(OutboxMessage)
            .where(OutboxMessage.state == OutboxState.NEW, _is_due(clock.now()))
            .order_by(OutboxMessage.id)
            .limit(50)
        ).all()
    return sum(_send(database, handlers, message) for message in due if message.kind in handlers)


def _send(database: Database, handlers: dict[str, Handler], message: OutboxMessage) -> bool:
    with database.transaction() as session:
        claimed = session.execute(
            update(OutboxMessage)
            .where(
                OutboxMessage.id == message.id,
                OutboxMessage.state == OutboxState.NEW,
                OutboxMessage.tries == message.tries,
            )
            .values(tries=message.tries + 1, next_try_at=clock.now() + LEASE)
        )
    if not claimed.rowcount:  # type: ignore[attr-defined]
        return False
    try:
        handlers[message.kind](message.payload)
    except Exception as error:  # noqa: BLE001 - whatever a foreign server does, the message is kept and tried again
        _failed(database, message.id, message.tries + 1, error)
    else:
        _finish(database, message.id, state=OutboxState.SENT, sent_at=clock.now(), payload={}, error="")
    return True


def _failed(database: Database, message_id: int, tries: int, error: Exception) -> None:
    log.warning("outbox message not sent", extra={"outbox_id": message_id, "error": type(error).__name__})
    wait = min(timedelta(seconds=5) * 2 ** min(tries, 16), LONGEST_WAIT)
    state = OutboxState.FAILED if tries >= MOST_TRIES else OutboxState.NEW
    _finish(database, message_id, state=state, next_try_at=clock.now() + wait, error=type(error).__name__)


def _finish(database: Database, message_id: int, **values: Any) -> None:
    with database.transaction() as session:
        session.execute(update(OutboxMessage).where(OutboxMessage.id == message_id).values(**values))


def _is_due(now: datetime) -> ColumnElement[bool]:
    """Tell whether a try is due; one further away than two of the longest waits stems from a clock that ran ahead."""
    return or_(OutboxMessage.next_try_at <= now, OutboxMessage.next_try_at > now + 2 * LONGEST_WAIT)
