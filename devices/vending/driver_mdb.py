"""A vending machine with an MDB bus, through an interface that speaks the Qibixx text protocol.

We are the machine's cashless device: the customer has paid at the kiosk, presses the number at the machine, and the
machine asks whether that is paid. Only then do we approve, and its own controller turns the motor and reads the drop
sensor. Nothing is ever approved twice, and what the machine did not say in so many words is unknown.
"""

import logging
import threading
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto

import serial

from devices.agent.device import NoAnswerError
from devices.agent.sockets import never_late
from devices.vending import mdb
from devices.vending.driver import Drop, MachineListener, NotTurnedError, Planned, Slot

log = logging.getLogger(__name__)

_READ_S = 0.2
_READ_BYTES = 256


@dataclass(frozen=True, slots=True)
class Spiral:
    """A slot behind an MDB bus: the item number the machine sends, and its price there (None: not compared)."""

    slot: Slot
    item: int
    price_cents: int | None = None


@dataclass(frozen=True, slots=True)
class MdbConfig:
    """Where the interface is and how long to wait, in seconds.

    `url` is a serial port (`/dev/ttyACM0`), a pty, or `socket://host:port` of a serial-to-network converter.
    `choose_s` is how long the customer may take to press the number, `motor_s` how long the machine may take after
    the approval; both together stay below the 60 s in which a vend must end.
    """

    url: str
    spirals: Sequence[Spiral]
    baud: int = 115_200
    ready_s: float = 2.0
    choose_s: float = 28.0
    motor_s: float = 28.0
    retry_s: float = 1.0
    compares_prices: bool = True
    """Whether a machine that wants another price than ours gets nothing; off where its prices cannot be set."""
    most_cents: int = 10_000
    """Credit of a session whose price is not compared."""


class _Phase(Enum):
    OFFERED = auto()
    APPROVED = auto()
    OVER = auto()


@dataclass(slots=True)
class _Session:
    """One vend, from the credit to the machine's last word."""

    spiral: Spiral
    turn: str
    phase: _Phase = _Phase.OFFERED
    drop: Drop | None = None
    code: str = ""
    is_open: bool = False
    """The machine has taken the credit; what it said before belongs to an earlier session."""
    was_denied: bool = False


class MdbMachine:
    """Keeps the contract `VendingMachine`.

    One thread reads the port; it and `vend` share one lock, so that what the machine says is heard before or after a
    step of a vend, never in the middle.
    """

    def __init__(self, config: MdbConfig) -> None:
        self._config = config
        self._spirals: dict[str, Spiral] = {spiral.slot.node: spiral for spiral in config.spirals}
        self._changed = threading.Condition(threading.RLock())
        self._port: serial.SerialBase | None = None
        self._mode: mdb.Mode | None = None
        self._session: _Session | None = None
        self._late = ""
        self._listener: MachineListener | None = None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="mdb", daemon=True)

    def slots(self) -> Sequence[Slot]:
        """Return all slots, in order."""
        return [spiral.slot for spiral in self._config.spirals]

    def plan(self, slots: Mapping[str, Planned]) -> None:
        """Take over the hub's item numbers and prices; a slot without one keeps its own."""
        with self._changed:
            for node, planned in slots.items():
                spiral = self._spirals[node]
                item = planned.item or spiral.item
                price = planned.price_cents if self._config.compares_prices and planned.price_cents else None
                self._spirals[node] = replace(spiral, item=item, price_cents=price)

    def watch(self, listener: MachineListener, doubts: Collection[str] = ()) -> None:
        """Open the port, again and again if need be, and listen: a machine still at work may tell of the last turn."""
        self._listener, self._late = listener, max(doubts, default="")
        self._thread.start()

    def close(self) -> None:
        """End the thread and free the port."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join(timeout=5)

    def vend(self, slot: str, turn: str) -> Drop:
        """Give credit, wait for the number, approve it once, and wait for the machine's last word."""
        with self._changed:
            session = self._offer(slot, turn)
            self._changed.wait_for(lambda: session.phase is not _Phase.OFFERED, self._config.choose_s)
            if session.phase is _Phase.OFFERED:
                self._end(session, code="cancelled")
                self._write(mdb.STOP)
                self._write(mdb.DENY)  # a request that the line has swallowed would wait for ever
            if not self._changed.wait_for(lambda: session.phase is _Phase.OVER, self._config.motor_s):
                self._end(session)
            self._session = None
        if session.drop is not None:
            return session.drop
        if session.code:
            raise NotTurnedError(session.code)
        raise NoAnswerError

    def drop_of(self, turn: str) -> Drop | None:  # noqa: ARG002
        """Return None: the bus has no memory."""
        return None

    def _offer(self, slot: str, turn: str) -> _Session:
        """Open a session; the lock is held."""
        if self._session is not None:
            raise NotTurnedError("busy")
        if self._mode is not mdb.Mode.ENABLED:
            self._write(mdb.ENABLE)
            self._changed.wait_for(lambda: self._mode is mdb.Mode.ENABLED, self._config.ready_s)
        spiral = self._spirals[slot]
        if self._session is not None or self._mode is not mdb.Mode.ENABLED or not self._start(spiral):
            raise NotTurnedError("not_ready")
        self._session = _Session(spiral, turn)
        return self._session

    def _start(self, spiral: Spiral) -> bool:
        price = spiral.price_cents
        return self._write(mdb.start(self._config.most_cents if price is None else price))

    def _end(self, session: _Session, *, drop: Drop | None = None, code: str = "") -> None:
        """Close a session: with a drop or a code it is certain what happened, with neither it is unknown."""
        session.drop, session.code, session.phase = drop, code, _Phase.OVER
        if drop is None and not code:
            self._late = session.turn
        self._changed.notify_all()

    # The reading thread

    def _run(self) -> None:
        while not self._ended.is_set():
            try:
                self._serve()
            except (OSError, serial.SerialException) as error:
                log.warning("the MDB interface is gone: %s", error)
            except Exception:
                log.exception("reading the MDB interface failed")
            self._ended.wait(self._config.retry_s)

    def _serve(self) -> None:
        with serial.serial_for_url(self._config.url, self._config.baud, timeout=_READ_S, write_timeout=1.0) as port:
            sock = getattr(port, "_socket", None)  # a converter's: pySerial offers no other way to it
            if sock is not None:
                never_late(sock)  # an approval must not reach the machine when its verdict is long given
            with self._changed:
                self._port = port
                self._write(mdb.ENABLE)
            try:
                self._listen(port)
            finally:
                self._lose()  # before the port is closed: nobody may be writing to it then

    def _listen(self, port: serial.Serial) -> None:
        lines = mdb.Lines()
        while not self._ended.is_set():
            # at least one byte, then whatever else has come: never waits for more than there is
            for line in lines.feed(port.read(max(1, min(port.in_waiting, _READ_BYTES)))):
                said = mdb.parse(line)
                if said is not None:
                    self._hear(said)

    def _hear(self, said: mdb.Said) -> None:
        with self._changed:
            match said:
                case mdb.Request():
                    self._decide(said)
                case mdb.Result():
                    self._finish(Drop.VENDED if said.is_success else Drop.JAM)
                case mdb.Status():
                    self._change(said)
                case mdb.Refusal():
                    self._refused(said)

    def _decide(self, request: mdb.Request) -> None:
        """Approve exactly what is being bought; everything else at the machine is not paid."""
        session = self._session
        if session is not None and session.phase is _Phase.APPROVED:
            return  # an echo of the request that was just approved: what turns is not contradicted
        if session is None or session.phase is _Phase.OVER or session.spiral.item != request.item:
            if session is not None:
                session.was_denied = True
            self._write(mdb.DENY)
            return
        if session.spiral.price_cents not in (None, request.cents):
            self._end(session, code="price_differs")
            self._write(mdb.DENY)
            return
        # From the first byte on the motor may turn: whatever happens now, this session is never "not vended" by itself.
        session.phase, self._late = _Phase.APPROVED, ""
        self._changed.notify_all()
        self._write(mdb.approve(request.cents))

    def _finish(self, drop: Drop) -> None:
        session = self._session
        if session is not None and session.phase is _Phase.APPROVED:
            self._end(session, drop=drop)
        elif self._late and self._listener is not None:
            turn, self._late = self._late, ""
            self._listener.settled(turn, drop)

    def _change(self, status: mdb.Status) -> None:
        self._mode = status.mode
        self._changed.notify_all()
        session = self._session
        if session is None or session.phase is _Phase.OVER:
            return
        if status.mode is mdb.Mode.IDLE and status.credit_cents is not None:
            session.is_open = True
        elif session.phase is _Phase.APPROVED:
            # The machine has ended the session, or was reset, without a word about the piece.
            self._end(session)
        elif status.mode is mdb.Mode.ENABLED and session.was_denied:
            session.was_denied = session.is_open = False
            self._start(session.spiral)
        elif session.is_open and status.mode is not mdb.Mode.IDLE:
            self._end(session, code="cancelled" if status.mode is mdb.Mode.ENABLED else "offline")

    def _refused(self, refusal: mdb.Refusal) -> None:
        log.warning("the MDB interface refused: %s", refusal.text)
        session = self._session
        if session is not None and session.phase is _Phase.OFFERED:
            self._end(session, code="not_ready")

    def _lose(self) -> None:
        with self._changed:
            self._port, self._mode = None, None
            session = self._session
            if session is not None and session.phase is not _Phase.OVER:
                self._end(session, code="" if session.phase is _Phase.APPROVED else "offline")

    def _write(self, order: bytes) -> bool:
        if self._port is None:
            return False
        try:
            self._port.write(order)
        except (OSError, serial.SerialException) as error:
            log.warning("the MDB interface does not take %r: %s", order, error)
            return False
        return True
