"""Commands without a final answer, as the sender remembers them: when to send again, when to ask, when to give up."""

import threading
import time
from dataclasses import dataclass, field
from enum import Enum, auto

RESEND_AFTER_S = (0.5, 1.0, 2.0)
UNCONFIRMED_AFTER_S = 3.0
NOTE_SENT_AFTER_S = 0.1
"""An accept is usually faster; then one write says both."""
ASK_ACCEPTED_EVERY_S = 10.0
UNHEARD_ACCEPTED_S = 20.0
_FIRST_ASK_S = 1.0
_LONGEST_ASK_S = 30.0


class Due(Enum):
    """What a flight needs now."""

    RESEND = auto()
    NOTE_SENT = auto()
    UNCONFIRMED = auto()
    ASK = auto()


@dataclass(slots=True)
class Flight:
    """One unresolved command; `payload` is None when it was sent by an earlier process."""

    command_id: int
    ulid: str
    device_id: int
    place: tuple[str, str]
    node: str
    topic: str = ""
    payload: bytes | None = None
    dies_at: float = 0.0
    sent_at: float = field(default_factory=time.monotonic)
    resent: int = 0
    is_noted: bool = False
    is_accepted: bool = False
    is_unconfirmed: bool = False
    heard_at: float = 0.0
    ask_at: float = 0.0
    ask_wait_s: float = _FIRST_ASK_S

    def due(self, now: float) -> Due | None:
        """Return the next thing to do, if its time has come."""
        if self.is_accepted and not self.is_unconfirmed:
            return self._due_accepted(now)
        if self.is_unconfirmed:
            return Due.ASK if now >= self.ask_at else None
        age = now - self.sent_at
        if age >= UNCONFIRMED_AFTER_S:
            return Due.UNCONFIRMED
        is_left = self.resent < len(RESEND_AFTER_S) and now < self.dies_at
        if is_left and age >= RESEND_AFTER_S[self.resent]:
            return Due.RESEND
        return Due.NOTE_SENT if age >= NOTE_SENT_AFTER_S and not self.is_noted else None

    def asked(self, now: float) -> None:
        """Note a question; the next one waits longer."""
        self.ask_at = now + (self.ask_wait_s if self.is_unconfirmed else ASK_ACCEPTED_EVERY_S)
        self.ask_wait_s = min(self.ask_wait_s * 2, _LONGEST_ASK_S)

    def _due_accepted(self, now: float) -> Due | None:
        if now - self.heard_at >= UNHEARD_ACCEPTED_S:
            return Due.UNCONFIRMED
        return Due.ASK if now >= self.ask_at else None


class Flights:
    """Thread-safe: the sender walks through them, the network and ingest threads say what came back."""

    def __init__(self) -> None:
        self._flights: dict[str, Flight] = {}
        self._lock = threading.Lock()

    def add(self, flight: Flight) -> None:
        """Remember a command."""
        with self._lock:
            self._flights[flight.ulid] = flight

    def accepted(self, ulid: str, device_id: int) -> None:
        """Stop sending again: the device is at it."""
        with self._lock:
            flight = self._flights.get(ulid)
            if flight is not None and flight.device_id == device_id:
                flight.is_accepted, flight.is_unconfirmed = True, False
                flight.heard_at = time.monotonic()
                flight.ask_at = flight.heard_at + ASK_ACCEPTED_EVERY_S

    def over(self, ulid: str, device_id: int) -> None:
        """Forget a command that has its final answer; what another device says of it is nothing."""
        with self._lock:
            flight = self._flights.get(ulid)
            if flight is not None and flight.device_id == device_id:
                del self._flights[ulid]

    def due(self) -> list[tuple[Flight, Due]]:
        """Return what is to be done now."""
        now = time.monotonic()
        with self._lock:
            found = [(flight, flight.due(now)) for flight in self._flights.values()]
        return [(flight, due) for flight, due in found if due is not None]

    def __len__(self) -> int:
        return len(self._flights)
