"""The queue between the network and the database: bounded, in order, with a fast lane for what a person waits for."""

import threading
import time
from collections import deque
from dataclasses import dataclass

from devices.protocol.bus import Incoming
from devices.protocol.topics import Topic
from shop_hub.fleet.models import CommandState, Link

_MOST_UNACKNOWLEDGED = 20_000
_MOST_QOS0 = 5_000


@dataclass(frozen=True, slots=True)
class Received:
    """A message from the broker; `problem` says why it cannot be used, if that is known already."""

    message: Incoming
    topic: Topic | None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class CommandNote:
    """The sender's word about a command: it went out, has expired unsent, or got no answer."""

    command_id: int
    state: CommandState
    code: str = ""


@dataclass(frozen=True, slots=True)
class LinkNote:
    """A device's link has changed."""

    device_id: int
    link: Link


@dataclass(frozen=True, slots=True)
class LifeNote:
    """A lease was heard of another life of the device's journal."""

    device_id: int
    epoch: str
    boot: int


@dataclass(frozen=True, slots=True)
class SkipNote:
    """Numbers up to `seq` never came, though asked for often: go on without them."""

    device_id: int
    epoch: str
    seq: int


@dataclass(frozen=True, slots=True)
class WriteOffNote:
    """Nobody waits for this command any more."""

    command_id: int


Item = Received | WriteOffNote | CommandNote | LinkNote | LifeNote | SkipNote


class Inbox:
    """Many threads put, one takes batches."""

    def __init__(self) -> None:
        self._fast: deque[Item] = deque()
        self._slow: deque[Item] = deque()
        self._changed = threading.Condition()
        self._is_closed = False
        self._connection = 0
        self.dropped = 0

    def put(self, item: Item, *, is_urgent: bool = False) -> bool:
        """Add an item; False if there is no room (the broker keeps what is not acknowledged)."""
        with self._changed:
            if isinstance(item, Received) and not self._has_room(item.message.qos):
                self._forget_before(item.message)
                if not self._has_room(item.message.qos):
                    self.dropped += 1
                    return False
            (self._fast if is_urgent else self._slow).append(item)
            self._changed.notify()
            return True

    def take(self, most: int, timeout_s: float) -> list[Item]:
        """Return up to `most` items, urgent ones first; waits up to `timeout_s` for the first."""
        with self._changed:
            deadline = time.monotonic() + timeout_s
            while not self._fast and not self._slow:
                left = deadline - time.monotonic()
                if self._is_closed or left <= 0 or not self._changed.wait(left):
                    return []
            batch: list[Item] = []
            for lane in (self._fast, self._slow):
                while lane and len(batch) < most:
                    batch.append(lane.popleft())
            return batch

    def __len__(self) -> int:
        """Return how many items wait."""
        return len(self._fast) + len(self._slow)

    def close(self) -> None:
        """End a waiting `take`; later ones do not wait."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    def _forget_before(self, message: Incoming) -> None:
        """Drop what came by an earlier connection: nobody can acknowledge it any more, so the broker sends it again.

        Without this a broker that sends more at once than fits here would be heard for ever and never acknowledged:
        mosquitto 2.0.11 after a restart sends all that it has kept.
        """
        if not message.qos or self._connection == message.connection:
            return
        self._connection = message.connection
        for lane in (self._fast, self._slow):
            kept = [item for item in lane if not _is_of_earlier(item, message.connection)]
            lane.clear()
            lane.extend(kept)

    def _has_room(self, qos: int) -> bool:
        return len(self) < (_MOST_UNACKNOWLEDGED if qos else _MOST_QOS0)


def _is_of_earlier(item: Item, connection: int) -> bool:
    return isinstance(item, Received) and item.message.qos > 0 and item.message.connection < connection
