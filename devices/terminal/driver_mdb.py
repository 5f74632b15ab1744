"""A card reader on an MDB bus, through an interface that speaks the Qibixx text protocol: we are its controller.

An approved amount is held, not taken: money goes only at `D,END` (money-and-machines.md 3.9). It is sent when the next
sale begins or nobody has taken the sale back for a while; until then `reverse` sends `D,END,-1`, and the card is not
charged. A reader whose controller vanishes after its approval is taken to keep the money (to be confirmed on real
readers), so an approval that we heard stays one.

The bus has no memory. Whatever was lost on the line is unknown for good: every try has a number of its own, and the
last one proves nothing unless its end was heard.
"""

import logging
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import serial

from devices.agent.device import NoAnswerError
from devices.terminal.driver import PaymentOutcome, TerminalLostError, TerminalRefusedError, Transaction
from devices.vending import mdb
from devices.vending.mdb import ReaderMode, ReaderSaid, ReaderStatus, Refusal, Verdict

log = logging.getLogger(__name__)

_READ_S = 0.05
_READ_BYTES = 256


@dataclass(frozen=True, slots=True)
class ReaderConfig:
    """Where the interface is and how long to wait, in seconds.

    `url` is a serial port or `socket://host:port`; `item` is the number under which the reader's books show our sales.
    `hold_s` is how long an approved sale can be taken back: longer than a machine needs to hand out goods.
    """

    url: str
    baud: int = 115_200
    item: int = 1
    answer_s: float = 3.0
    customer_s: float = 60.0
    hold_s: float = 75.0


class MdbReader:
    """Keeps the contract `PaymentTerminal`. The number of a try is its trace and, once approved, its receipt."""

    def __init__(self, config: ReaderConfig) -> None:
        self._config = config
        self._lock = threading.RLock()
        self._port: serial.Serial | None = None
        self._mode: ReaderMode | None = None
        self._lines = mdb.Lines()
        self._heard: deque[ReaderSaid] = deque()
        # another life must never take its own first number for one of this life
        self._number = secrets.randbelow(1_000_000) * 1_000
        self._last = Transaction(PaymentOutcome.ABORTED, trace=self._number)
        self._held: int | None = None

    def is_idle(self) -> bool:
        """Look whether the reader waits for a sale; one that can still be taken back does not keep it from that."""
        with self._lock:
            if self._held is None:
                self._make_ready()
            return True

    def last(self) -> Transaction | None:
        """Return the last try as far as its end was heard."""
        with self._lock:
            return self._last

    def authorise(self, cents: int, on_progress: Callable[[str], None]) -> Transaction:
        """Ask for an amount and wait for a card; what is approved is held."""
        with self._lock:
            self._capture()
            self._make_ready()
            with self._in_doubt():
                self._write(mdb.ask(cents, self._config.item))
                on_progress("insert-card")
                outcome = self._outcome(cents)
            return self._over(outcome, cents)

    def reverse(self, receipt: int) -> Transaction:
        """Let an approved sale fail, as long as it is held."""
        with self._lock:
            if self._held is None or self._held != receipt:
                raise TerminalRefusedError
            cents, self._held = self._last.cents, None
            with self._in_doubt():
                self._revert()
            self._last = Transaction(PaymentOutcome.APPROVED, cents, self._number, receipt)
            return self._last

    def close(self) -> None:
        """Take what is held and free the port."""
        with self._lock:
            self._capture()
            self._hang_up()

    # One sale

    @contextmanager
    def _in_doubt(self) -> Iterator[None]:
        """Give a try its number; until its end is heard, it proves nothing."""
        self._number += 1
        self._last = Transaction(PaymentOutcome.ABORTED, trace=self._number)
        try:
            yield
        except (OSError, serial.SerialException, _SilentError) as error:
            self._hang_up()
            raise TerminalLostError(None) from error

    def _over(self, outcome: PaymentOutcome, cents: int) -> Transaction:
        if outcome is PaymentOutcome.APPROVED:
            self._held = number = self._number
            self._last = Transaction(outcome, cents, number, number)
            timer = threading.Timer(self._config.hold_s, self._capture, (number,))
            timer.daemon = True
            timer.start()
        else:
            self._last = Transaction(outcome, cents, self._number)
        return self._last

    def _outcome(self, cents: int) -> PaymentOutcome:
        """Wait for the reader's word.

        Raises:
            TerminalRefusedError: it did not take the request.
            _SilentError: it may have approved.
        """
        has_begun = False
        deadline = time.monotonic() + self._config.customer_s
        while (said := self._next(deadline)) is not None:
            match said:
                case Verdict(cents=None):
                    return PaymentOutcome.DECLINED
                case Verdict():
                    return self._granted(said, cents)
                case ReaderStatus(mode=ReaderMode.VEND):
                    has_begun = True
                case ReaderStatus(mode=ReaderMode.IDLE):
                    if has_begun:  # after an approval it would wait for our end
                        return PaymentOutcome.ABORTED
                case ReaderStatus():
                    raise _SilentError
                case Refusal() if not has_begun:
                    raise TerminalRefusedError
        return self._given_up()

    def _granted(self, verdict: Verdict, cents: int) -> PaymentOutcome:
        if verdict.cents == cents:
            return PaymentOutcome.APPROVED
        log.error("the reader granted another amount than it was asked for: taken back")
        self._revert()
        return PaymentOutcome.ABORTED

    def _given_up(self) -> PaymentOutcome:
        """Take a request back; an approval that crosses it is reverted."""
        self._write(mdb.CANCEL)
        deadline = time.monotonic() + self._config.answer_s
        while (said := self._next(deadline)) is not None:
            if isinstance(said, Verdict) and said.cents is not None:
                self._revert()
                return PaymentOutcome.ABORTED
            if isinstance(said, Verdict) or said == ReaderStatus(ReaderMode.IDLE):
                return PaymentOutcome.ABORTED
        raise _SilentError

    def _revert(self) -> None:
        self._write(mdb.REVERT)
        self._wait_for(ReaderMode.IDLE)

    def _capture(self, number: int | None = None) -> None:
        """Have the money of the held sale taken, if there is one (still the one with this number)."""
        with self._lock:
            if self._held is None or number not in (None, self._held):
                return
            self._held = None
            try:
                self._write(mdb.CAPTURE)
                self._wait_for(ReaderMode.IDLE)
            except (OSError, serial.SerialException, _SilentError):
                log.warning("the reader did not confirm that it took the money")
                self._hang_up()

    # The line

    def _make_ready(self) -> None:
        """Open the port and switch controller and reader on, as far as they are not.

        Raises:
            NoAnswerError: the interface or the reader does not answer.
        """
        try:
            if self._port is not None:
                while self._next(0.0) is not None:
                    pass  # what it told by itself
                if self._mode is ReaderMode.IDLE:
                    return
                self._hang_up()
            self._open()
        except (OSError, serial.SerialException, _SilentError) as error:
            self._hang_up()
            raise NoAnswerError(str(error)) from error

    def _open(self) -> None:
        self._port = serial.serial_for_url(self._config.url, self._config.baud, timeout=_READ_S, write_timeout=1.0)
        self._lines, self._mode = mdb.Lines(), None
        self._heard.clear()
        self._write(mdb.MASTER_OFF)
        self._write(mdb.MASTER_ON)
        if not self._wait_for(ReaderMode.INIT).is_askable:
            raise _SilentError("the reader wants a card first")
        self._write(mdb.READER_ON)
        self._wait_for(ReaderMode.IDLE)

    def _hang_up(self) -> None:
        port, self._port, self._mode = self._port, None, None
        if port is not None:
            port.close()

    def _wait_for(self, mode: ReaderMode) -> ReaderStatus:
        deadline = time.monotonic() + self._config.answer_s
        while (said := self._next(deadline)) is not None:
            if isinstance(said, ReaderStatus) and said.mode is mode:
                return said
        raise _SilentError

    def _next(self, deadline: float) -> ReaderSaid | None:
        """Return what the reader says next; None when the time is up."""
        while not self._heard:
            port = self._opened()
            if time.monotonic() >= deadline and not port.in_waiting:
                return None
            # at least one byte, then whatever else has come: never waits for more than there is
            chunk = port.read(max(1, min(port.in_waiting, _READ_BYTES)))
            said = (mdb.parse_reader(line) for line in self._lines.feed(chunk))
            self._heard.extend(one for one in said if one is not None)
        found = self._heard.popleft()
        if isinstance(found, ReaderStatus):
            self._mode = found.mode
        return found

    def _write(self, order: bytes) -> None:
        self._opened().write(order)

    def _opened(self) -> serial.Serial:
        if self._port is None:
            raise _SilentError("not connected")
        return self._port


class _SilentError(Exception):
    """The reader does not say what it must."""
