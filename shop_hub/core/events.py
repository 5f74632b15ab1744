"""Live events for open screens: dashboards, the cash machine's tile, a door that opens.

`publish` hands an event to the screens of this process after the commit of its transaction. Events only say what has
changed ("locker", compartment 7); screens then read the truth from the database. On PostgreSQL events also travel by
NOTIFY to the other processes.
"""

import json
import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from shop_hub.core.db import after_commit

CHANNEL = "shop_hub_events"


class EventBus:
    """Fan-out to the open screens of this process. A full queue ends its screen's stream; it connects anew."""

    QUEUE_LENGTH = 100

    def __init__(self, most_clients: int = 250) -> None:
        self._clients: set[queue.Queue[dict[str, Any] | None]] = set()
        self._lock = threading.Lock()
        self._most_clients = most_clients

    @contextmanager
    def listen(self) -> Iterator["queue.Queue[dict[str, Any] | None] | None"]:
        """Yield a queue of events; None in it ends the stream. Yields None when all places are taken."""
        client: queue.Queue[dict[str, Any] | None] = queue.Queue(self.QUEUE_LENGTH)
        with self._lock:
            if len(self._clients) >= self._most_clients:
                client_or_none = None
            else:
                self._clients.add(client)
                client_or_none = client
        try:
            yield client_or_none
        finally:
            with self._lock:
                self._clients.discard(client)

    def send(self, event: dict[str, Any]) -> None:
        """Hand `event` to all screens."""
        with self._lock:
            clients = list(self._clients)
        for client in clients:
            try:
                client.put_nowait(event)
            except queue.Full:
                with self._lock:
                    self._clients.discard(client)

    def close(self) -> None:
        """End all streams."""
        with self._lock:
            clients, self._clients = list(self._clients), set()
        for client in clients:
            try:
                client.put_nowait(None)
            except queue.Full:
                continue


bus = EventBus()


def publish(session: Session, topic: str, site_id: int, **data: Any) -> None:
    """Tell open screens that something of `topic` changed at a site, once the transaction is committed."""
    event = {"topic": topic, "site": site_id, **data}
    if session.info["database"].is_sqlite:
        after_commit(session, lambda: bus.send(event))
    else:
        session.execute(text("SELECT pg_notify(:channel, :event)"), {"channel": CHANNEL, "event": json.dumps(event)})
