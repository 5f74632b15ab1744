"""How a fresh command wakes the worker: a signal in this process, or NOTIFY to another."""

import threading
import weakref

from sqlalchemy import text
from sqlalchemy.orm import Session

from shop_hub.core.db import Database, after_commit

CHANNEL = "shop_hub_commands"

_signals: "weakref.WeakKeyDictionary[Database, threading.Event]" = weakref.WeakKeyDictionary()
_lock = threading.Lock()


def signal(database: Database) -> threading.Event:
    """Return the signal of a database in this process."""
    with _lock:
        return _signals.setdefault(database, threading.Event())


def wake(session: Session) -> None:
    """Wake the worker once the transaction of `session` is committed; it then looks for fresh commands."""
    database: Database = session.info["database"]
    if database.is_sqlite:
        after_commit(session, signal(database).set)
    else:
        session.execute(text("SELECT pg_notify(:channel, '')"), {"channel": CHANNEL})
