"""How a fresh command reaches the worker: handed over in this process, or by NOTIFY to another that looks for it."""

import threading
import weakref
from collections import deque
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from shop_hub.core.db import Database, after_commit

CHANNEL = "shop_hub_commands"
CHANGED = "changed"


@dataclass(frozen=True, slots=True)
class Fresh:
    """A command as the sender needs it."""

    id: int
    ulid: str
    device_id: int
    node: str
    op: str
    args: dict[str, Any]
    by: str
    ttl_ms: int
    epoch: str
    touched_at: datetime
    hub_boot: int


class Mailbox:
    """Where touches are handed over to one sender of this process."""

    def __init__(self) -> None:
        self.signal = threading.Event()
        self._waiting: deque[Fresh] = deque(maxlen=1000)
        self.is_changed = False
        """Whether a device was registered, changed or revoked here."""

    def put(self, fresh: Fresh) -> None:
        """Hand a committed command over."""
        self._waiting.append(fresh)
        self.signal.set()

    def take(self) -> list[Fresh]:
        """Return what was handed over since the last time."""
        found = []
        while self._waiting:
            found.append(self._waiting.popleft())
        return found


class Counter:
    """The senders of this process that look into one database."""

    def __init__(self) -> None:
        self._mailboxes: weakref.WeakSet[Mailbox] = weakref.WeakSet()

    def join(self) -> Mailbox:
        """Return the mailbox of one more sender; it leaves by being forgotten."""
        mailbox = Mailbox()
        self._mailboxes.add(mailbox)
        return mailbox

    def put(self, fresh: Fresh) -> None:
        """Hand a committed command over."""
        for mailbox in list(self._mailboxes):
            mailbox.put(fresh)

    def wake(self, *, is_changed: bool) -> None:
        """Have all senders look into the database, and into their devices if one changed."""
        for mailbox in list(self._mailboxes):
            mailbox.is_changed |= is_changed
            mailbox.signal.set()


_counters: "weakref.WeakKeyDictionary[Database, Counter]" = weakref.WeakKeyDictionary()
_lock = threading.Lock()


def counter(database: Database) -> Counter:
    """Return the counter of a database in this process."""
    with _lock:
        return _counters.setdefault(database, Counter())


def tell_change(session: Session) -> None:
    """Let the worker look at its devices anew once the transaction of `session` is committed."""
    if not session.info["database"].is_sqlite:
        session.execute(text("SELECT pg_notify(:channel, :what)"), {"channel": CHANNEL, "what": CHANGED})
    found = counter(session.info["database"])
    after_commit(session, lambda: found.wake(is_changed=True))


def hand_over(session: Session, fresh: Fresh) -> None:
    """Give a command to the worker once the transaction of `session` is committed."""
    database: Database = session.info["database"]
    if database.is_sqlite:
        after_commit(session, lambda: counter(database).put(fresh))
    else:
        session.execute(text("SELECT pg_notify(:channel, '')"), {"channel": CHANNEL})
