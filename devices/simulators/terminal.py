"""A card terminal on its own TCP port that approves, declines, dawdles and hangs up as told."""

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

from pydantic import JsonValue

from devices.simulators import zvt_bytes as zvt
from devices.simulators.world import ControlError, StateFile, Verb

_DECLINED = 0x05
_BY_KEY = 0x6C
_NOT_REVERSIBLE = 0xB5
_WAIT_FOR_CARD_S = 60.0
_YIELD_S = 0.3
"""A transaction that is just ending is waited for before an order is refused as busy."""
OUTCOMES = ("approve", "decline", "cancel", "busy", "refuse", "drop_early", "drop_before", "drop_after")
"""drop_early: hangs up before the card is charged; drop_before and drop_after: charged, then hangs up before or after
the status information, and in both cases before the completion."""


@dataclass(slots=True)
class Booking:
    """A transaction in the terminal's memory."""

    cents: int
    trace: int
    receipt: int
    is_reversed: bool = False
    is_reversal: bool = False


class _HangUpError(OSError):
    """The terminal ends the connection on purpose."""


class SimulatedTerminal:
    """Speaks ZVT on a loopback port. Amounts whose cents end as in `decline_cents` (5 = …,05) are declined.

    `card_after_s`: when the simulated customer presents a card; 0 = only on `present_card`.
    """

    def __init__(
        self,
        *,
        file: StateFile,
        port: int = 0,
        card_after_s: float = 1.0,
        process_s: float = 0.5,
        decline_cents: Sequence[int] = (5,),
    ) -> None:
        self._file, self._card_after_s, self._process_s = file, card_after_s, process_s
        self._decline_cents = tuple(decline_cents)
        self._next = "approve"
        self._is_dead = False
        self._in_use = threading.Lock()
        self._card = threading.Event()
        self._stop_key = threading.Event()
        self._bookings = _recalled(file.load().get("bookings"))
        self._server = socket.create_server(("127.0.0.1", port))
        self.port: int = self._server.getsockname()[1]
        self._clients: set[socket.socket] = set()
        threading.Thread(target=self._accept, name="zvt-port", daemon=True).start()

    @property
    def charged_cents(self) -> int:
        """What the cards were charged in all, reversals taken off."""
        return sum(b.cents for b in self._bookings if not b.is_reversal and not b.is_reversed)

    def verbs(self) -> dict[str, Verb]:
        """Return what can be done at the terminal."""
        return {
            "next": self.next,
            "present_card": self._card.set,
            "press_stop": self._stop_key.set,
            "card_after": self.card_after,
            "dead": self.dead,
        }

    def look(self) -> JsonValue:
        """Return its memory."""
        bookings: list[JsonValue] = [asdict(booking) for booking in self._bookings[-20:]]
        return {"port": self.port, "next": self._next, "charged_cents": self.charged_cents, "bookings": bookings}

    def next(self, outcome: str) -> None:
        """Decide how the next transaction ends; after it `approve` again."""
        if outcome not in OUTCOMES:
            raise ControlError(f"no such outcome: {outcome}")
        self._next = outcome

    def card_after(self, seconds: float) -> None:
        """Have the customer present a card after so many seconds; 0 = only on `present_card`."""
        self._card_after_s = seconds

    def dead(self, *, on: bool) -> None:
        """Have it hang up on everybody from now on, as without power, or answer again."""
        self._is_dead = on
        if on:
            self._hang_up()

    def close(self) -> None:
        """Switch the terminal off."""
        with contextlib.suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self._hang_up()

    def _hang_up(self) -> None:
        for client in list(self._clients):
            with contextlib.suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._server.accept()
            except OSError:
                return
            if self._is_dead:
                client.close()
                continue
            threading.Thread(target=self._serve, args=(client,), name="zvt", daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        self._clients.add(client)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        wire = zvt.Wire(client)
        with client, contextlib.suppress(OSError):
            while True:
                self._answer(wire, wire.read())
        self._clients.discard(client)

    def _answer(self, wire: zvt.Wire, order: bytes) -> None:
        steps: dict[str, Callable[[zvt.Wire, bytes], None]] = {
            "0600": self._register,
            "0501": self._enquiry,
            "0620": self._repeat,
            "0601": self._pay,
            "0630": self._reverse,
        }
        step = steps.get(order[:2].hex())
        if step is None:
            wire.write(zvt.NOT_POSSIBLE)
        elif not self._in_use.acquire(timeout=_YIELD_S):
            wire.write(zvt.BUSY)
        else:
            try:
                step(wire, order)
            finally:
                self._in_use.release()

    def _register(self, wire: zvt.Wire, _order: bytes) -> None:
        wire.write(zvt.ACKNOWLEDGED)
        wire.tell(zvt.registered())

    def _enquiry(self, wire: zvt.Wire, _order: bytes) -> None:
        wire.write(zvt.ACKNOWLEDGED)
        wire.tell(zvt.READY)

    def _repeat(self, wire: zvt.Wire, _order: bytes) -> None:
        if not self._bookings:
            wire.write(zvt.NOT_POSSIBLE)
            return
        last = self._bookings[-1]
        wire.write(zvt.ACKNOWLEDGED)
        wire.tell(zvt.paid_status(last.cents, last.trace, last.receipt))
        wire.tell(zvt.DONE)

    def _pay(self, wire: zvt.Wire, order: bytes) -> None:
        outcome, self._next = self._next, "approve"
        if outcome in ("busy", "refuse"):
            wire.write(zvt.BUSY if outcome == "busy" else zvt.NOT_POSSIBLE)
            return
        cents = int(order[4:10].hex())
        wire.write(zvt.ACKNOWLEDGED)
        if outcome == "drop_early":
            raise _HangUpError
        if outcome == "cancel" or not self._customer_pays(wire):
            self._fail(wire, _BY_KEY)
        elif outcome == "decline" or cents % 100 in self._decline_cents:
            self._fail(wire, _DECLINED)
        else:
            self._succeed(wire, self._book(cents), outcome)

    def _customer_pays(self, wire: zvt.Wire) -> bool:
        """Wait for the card; False when the customer pressed stop or never came."""
        self._card.clear()
        self._stop_key.clear()
        wire.tell(zvt.INSERT_CARD)
        limit_s = self._card_after_s or _WAIT_FOR_CARD_S
        deadline = time.monotonic() + limit_s
        while not self._card.wait(0.05) and time.monotonic() < deadline:
            if self._stop_key.is_set():
                return False
        if not self._card.is_set() and not self._card_after_s:
            return False
        wire.tell(zvt.PROCESSING)
        time.sleep(self._process_s)
        return True

    def _reverse(self, wire: zvt.Wire, order: bytes) -> None:
        outcome, self._next = self._next, "approve"
        receipt = int(order[7:9].hex())
        found = next((b for b in self._bookings if b.receipt == receipt and not b.is_reversal), None)
        wire.write(zvt.ACKNOWLEDGED)
        if found is None or found.is_reversed or outcome == "decline":
            self._fail(wire, _NOT_REVERSIBLE)
            return
        found.is_reversed = True
        self._succeed(wire, self._book(found.cents, is_reversal=True), outcome)

    def _fail(self, wire: zvt.Wire, result: int) -> None:
        wire.tell(zvt.failed_status(result))
        wire.tell(zvt.aborted(result))

    def _succeed(self, wire: zvt.Wire, booking: Booking, outcome: str) -> None:
        if outcome == "drop_before":
            raise _HangUpError
        status = zvt.paid_status(booking.cents, booking.trace, booking.receipt)
        if outcome == "drop_after":
            wire.write(status)
            raise _HangUpError
        wire.tell(status)
        wire.tell(zvt.DONE)

    def _book(self, cents: int, *, is_reversal: bool = False) -> Booking:
        number = self._bookings[-1].trace + 1 if self._bookings else 1
        booking = Booking(cents, number, number % 10_000, is_reversal=is_reversal)
        self._bookings.append(booking)
        self._file.save({"bookings": [asdict(kept) for kept in self._bookings[-500:]]})
        return booking


def _recalled(saved: JsonValue) -> list[Booking]:
    entries = saved if isinstance(saved, list) else []
    return [
        Booking(
            cents=_whole(entry.get("cents")),
            trace=_whole(entry.get("trace")),
            receipt=_whole(entry.get("receipt")),
            is_reversed=bool(entry.get("is_reversed")),
            is_reversal=bool(entry.get("is_reversal")),
        )
        for entry in entries
        if isinstance(entry, dict)
    ]


def _whole(value: JsonValue) -> int:
    return value if isinstance(value, int) else 0
