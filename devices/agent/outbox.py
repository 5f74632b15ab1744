"""Events and results on their way to the hub: numbered, on disk, sent in order until the hub has committed them.

None is too large for a message: it would block all that come after it. What does not fit is left out and named.
"""

import json
from collections.abc import Mapping
from typing import Protocol, TypeVar

from pydantic import JsonValue

from devices.agent.clock import WallClock, boot_ms
from devices.agent.device import Outcome
from devices.agent.host import Host
from devices.agent.journal import Journal, StoredMessage
from devices.protocol.limits import MAX_PAYLOAD_BYTES
from devices.protocol.messages import Event, Message, Result

_M = TypeVar("_M", Event, Result)
_WINDOW = 200
"""So many may be on their way without the hub's ack."""
_FIRST_RESEND_S = 10.0
_LONGEST_RESEND_S = 300.0
_LONGEST_CODE = 40
_LONGEST_NAMES = 200
DROPPED = "dropped"
"""Field of `data` that names what was left out."""


class Sender(Protocol):
    """Publishes a result (with its node) or an event; tells whether there was a connection."""

    def __call__(self, node: str, message: Message) -> bool:
        """Publish it."""


class Outbox:
    """Owned by the desk."""

    def __init__(self, journal: Journal, host: Host, send: Sender, clock: WallClock) -> None:
        self._journal, self._host, self._send, self._clock = journal, host, send, clock
        self._sent = 0
        self._floor = 0
        self._happened: dict[int, int] = {}
        self._resend_s = _FIRST_RESEND_S
        self._silent_since = boot_ms()

    def event(self, node: str, event_type: str, cause: str = "", data: dict[str, JsonValue] | None = None) -> None:
        """Write an event and send it."""
        journal = self._journal
        seq = journal.next_seq()
        event = Event(
            event=f"{journal.epoch}/{journal.boot}/{seq}",
            node=node,
            type=event_type,
            cause=cause,
            at_ms=self._clock.now_ms(),
        )
        journal.add_event(seq, node, with_data(event, data or {}).model_dump_json())
        self._happened[seq] = boot_ms()
        self.pump()

    def result(self, command_id: str, node: str, op: str, outcome: Outcome, *, tries: int | None = None) -> None:
        """Write the final verdict on a command and send it.

        Args:
            tries: how often the machine was moved for it; None: the command was never accepted.
        """
        journal = self._journal
        result = Result(
            id=command_id,
            state=outcome.state,
            code=outcome.code[:_LONGEST_CODE],
            epoch=journal.epoch,
            boot=journal.boot,
            seq=journal.next_seq(),
            tries=tries or 0,
            accepted=tries is not None,
        )
        journal.finish(with_data(result, outcome.data), node, op)
        self.pump()

    def connected(self) -> None:
        """Send everything again that the hub has not acknowledged."""
        oldest = self._journal.oldest_open()
        self._rewind(self._journal.seq if oldest is None else oldest - 1)

    def send_after(self, seq: int) -> None:
        """Send everything after this number again, acknowledged or not."""
        self._rewind(min(seq, self._journal.seq))

    def acknowledged(self, seq: int) -> None:
        """Take the hub's ack up to `seq`, which must have been issued."""
        self._journal.acknowledge(seq)
        for old in [number for number in self._happened if number <= seq]:
            del self._happened[old]
        self._floor = max(self._floor, seq)
        self._progress()
        self.pump()

    def begin_again(self) -> None:
        """Number from the start, in a new life of the journal."""
        self._happened.clear()
        self._rewind(0)

    def remind(self) -> None:
        """Send again when the hub has been silent for long; called every few seconds."""
        oldest = self._journal.oldest_open()
        if oldest is None or boot_ms() - self._silent_since < self._resend_s * 1000:
            return
        self._resend_s = min(self._resend_s * 2, _LONGEST_RESEND_S)
        self._silent_since = boot_ms()
        self._rewind(oldest - 1)

    def pump(self) -> None:
        """Send what may be on its way."""
        room = _WINDOW - (self._sent - self._floor)
        if room <= 0:
            return
        for stored in self._journal.messages_after(self._sent, room):
            if not self._send(stored.node, self._revive(stored)):
                return
            self._sent = stored.seq

    def _rewind(self, seq: int) -> None:
        self._sent = self._floor = seq
        self.pump()

    def _progress(self) -> None:
        self._resend_s = _FIRST_RESEND_S
        self._silent_since = boot_ms()

    def _revive(self, stored: StoredMessage) -> Message:
        if stored.kind == "result":
            result = Result.model_validate_json(stored.body)
            return with_data(result, result.data) if _is_large(stored) else result
        event = Event.model_validate_json(stored.body)
        happened = self._happened.get(stored.seq)
        event = event.model_copy(update={"age_ms": None if happened is None else boot_ms() - happened})
        return with_data(event, event.data) if _is_large(stored) else event


def with_data(message: _M, data: Mapping[str, JsonValue]) -> _M:
    """Return a message with its data; the largest fields, and what is no JSON, give way to their names."""
    aged: dict[str, int] = {"age_ms": 2**53} if isinstance(message, Event) else {}
    room = MAX_PAYLOAD_BYTES - len(message.model_copy(update={"data": {}, **aged}).encode())
    return message.model_copy(update={"data": _fitting(data, room)})


def _fitting(data: Mapping[str, JsonValue], room: int) -> dict[str, JsonValue]:
    sizes = {name: _size(name, value) for name, value in data.items()}
    if sum(sizes.values()) <= room:
        return dict(data)
    room -= _size(DROPPED, "\\" * _LONGEST_NAMES)
    kept: dict[str, JsonValue] = {}
    for name in sorted(data, key=sizes.__getitem__):
        if sizes[name] <= room:
            kept[name], room = data[name], room - sizes[name]
    names = (name if name.isascii() and name.isprintable() else "?" for name in sorted(data.keys() - kept.keys()))
    return {**kept, DROPPED: ", ".join(names)[:_LONGEST_NAMES]}


def _size(name: str, value: JsonValue) -> int:
    """Return the bytes of a field in a message; more than any message holds if it is no JSON."""
    try:
        return len(json.dumps({name: value}, ensure_ascii=False, separators=(",", ":")).encode())
    except (TypeError, ValueError, RecursionError):
        return MAX_PAYLOAD_BYTES + 1


def _is_large(stored: StoredMessage) -> bool:
    """Tell whether a stored message might not fit: earlier versions stored any; its age is added when it is sent."""
    return len(stored.body.encode()) > MAX_PAYLOAD_BYTES - len(str(2**53))
