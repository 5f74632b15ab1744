"""Live events for open screens: dashboards, the cash machine's tile, a door that opens.

`publish` hands an event to the screens of this process after the commit of its transaction. Events only say what has
changed ("locker", compartment 7); screens then read the truth from the database. On PostgreSQL events also travel by
NOTIFY to the other processes.
"""

import json
import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from shop_hub.core.db import after_commit

CHANNEL = "shop_hub_events"


Screen = queue.Queue[dict[str, Any] | None]


class EventBus:
    """Fan-out to the open screens of this process. A full queue ends its screen's stream; it connects anew."""

    QUEUE_LENGTH = 100

    def __init__(self, most_clients: int = 250) -> None:
        self._clients: set[Screen] = set()
        self._lock = threading.Lock()
        self.most_clients = most_clients

    def join(self) -> Screen | None:
        """Return a queue of events for one screen; None in it ends the stream. None when all places are taken."""
        screen: Screen = queue.Queue(self.QUEUE_LENGTH)
        with self._lock:
            if len(self._clients) >= self.most_clients:
                return None
            self._clients.add(screen)
        return screen

    def leave(self, screen: Screen) -> None:
        """Give the place of a screen back."""
        with self._lock:
            self._clients.discard(screen)

    @contextmanager
    def listen(self) -> Iterator[Screen | None]:
        """Take a place for the time of a with block."""
        screen = self.join()
        try:
            yield screen
        finally:
            if screen is not None:
                self.leave(screen)

    def send(self, event: dict[str, Any]) -> None:
        """Hand `event` to all screens; one that does not keep up is ended, so that it connects anew and reads all."""
        with self._lock:
            screens = list(self._clients)
        for screen in screens:
            try:
                screen.put_nowait(event)
            except queue.Full:
                self.leave(screen)
                _end(screen)

    def close(self) -> None:
        """End all streams."""
        with self._lock:
            clients, self._clients = list(self._clients), set()
        for client in clients:
            _end(client)


def _end(screen: Screen) -> None:
    while True:
        try:
            screen.put_nowait(None)
        except queue.Full:
            with suppress(queue.Empty):
                screen.get_nowait()
        else:
            return


bus = EventBus()


def publish(session: Session, topic: str, site_id: int, **data: Any) -> None:
    """Tell open screens that something of `topic` changed at a site, once the transaction is committed."""
    event = {"topic": topic, "site": site_id, **data}
    if session.info["database"].is_sqlite:
        after_commit(session, lambda: bus.send(event))
    else:
        session.execute(text("SELECT pg_notify(:channel, :event)"), {"channel": CHANNEL, "event": json.dumps(event)})
