"""One line with lock boards: asks one thing at a time, believes only whole and valid answers, never sends twice."""

import logging
import threading
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager

from devices.agent.device import NoAnswerError
from devices.locker.dialect import Dialect, Question
from devices.locker.driver import ChannelReading, Finding, Found, NotSentError, TooSoonError
from devices.locker.port import Port

log = logging.getLogger(__name__)

_GAP_S = 0.02
"""Between an unlock that is not answered and the question after it."""
_LATE_S = 0.5
"""So long after a missing answer its board is not asked: an answer this late could be taken for a newer one."""
_MOST_BYTES = 512
"""A line that says more than this between two questions is noise, not a board."""
_SCANS = 3
_REOPEN_S = 1.0
_CLEAR_S = 0.3
"""A network acknowledges within this; what waits longer is stuck, and an unlock behind it would come late."""
_CLEAR_STEP_S = 0.01


class LockLine:
    """Keeps the contract `LockBoards` for any dialect.

    `answer_s` is how long a board may think; `pulse_ms` how long a lock is energised: boards that can be told are told.
    """

    def __init__(self, port: Port, dialect: Dialect, *, answer_s: float = 0.2, pulse_ms: int = 500) -> None:
        self._port, self._dialect = port, dialect
        self._answer_s, self._pulse_ms = answer_s, pulse_ms
        self._turn = threading.RLock()
        self._is_open = False
        self._reopen_at = 0.0
        self._echoes: bool | None = None
        """Whether the line repeats what we send (two-wire RS-485 adapters do); None: not known yet."""
        self._not_before: dict[int, float] = {}
        self._prepared: set[int] = set()
        self._energised_until: dict[int, float] = {}

    @property
    def addresses(self) -> range:
        """Return what the make of board allows."""
        return self._dialect.addresses

    @property
    def channels(self) -> int:
        """Return the locks of one board."""
        return self._dialect.channels

    @property
    def has_presence(self) -> bool:
        """Tell whether there are light barriers."""
        return self._dialect.has_presence

    @property
    def pulse_s(self) -> float:
        """Return the length of a pulse."""
        return self._pulse_ms / 1000

    def hold(self) -> AbstractContextManager[object]:
        """Keep the line."""
        return self._turn

    def ready(self, address: int) -> None:
        """Open and drain the line and wait until nothing is held back; on a fresh line the board speaks first."""
        with self._turn:
            is_fresh = not self._is_open
            try:
                self._open()
                self._drain()
                if is_fresh:
                    self._exchange(address, self._dialect.ask(address))
                self._clear()
            except (OSError, NoAnswerError) as error:
                self._hang_up()
                raise NotSentError("the line cannot be got ready") from error

    def pulse(self, address: int, channel: int) -> None:
        """Fire, and have the board say something. Without an answer the line is closed: nothing leaves it later."""
        fire = self._dialect.fire(address, channel, self._pulse_ms)
        with self._turn:
            if not self._is_idle():
                self._hang_up()
                raise NotSentError("the line is not ready")
            self._energised_until[address] = time.monotonic() + self.pulse_s + self._answer_s
            try:
                self._fire(address, fire)
            except NoAnswerError:
                self._hang_up()
                raise

    def read(self, address: int) -> Sequence[ChannelReading]:
        """Ask for the doors."""
        with self._turn:
            if time.monotonic() < self._not_before.get(address, 0.0):
                raise TooSoonError
            answer = self._exchange(address, self._dialect.ask(address))
            if address not in self._prepared and time.monotonic() >= self._energised_until.get(address, 0.0):
                self._prepare(address)  # not sooner: all relays off would cut a pulse short
        return self._dialect.readings(answer)

    def scan(self) -> Sequence[Found]:
        """Ask each address, and those that speak three times over."""
        with self._turn:
            findings = {address: self._probe(address) for address in self.addresses}
        return [Found(address, finding) for address, finding in findings.items() if finding is not None]

    def close(self) -> None:
        """Close the port."""
        with self._turn:
            self._hang_up()

    def _is_idle(self) -> bool:
        """Tell whether the line is open, drained and holds nothing back."""
        if not self._is_open:
            return False
        try:
            self._drain()
            return self._port.is_clear()
        except OSError:
            return False

    def _fire(self, address: int, fire: Question) -> None:
        """Send the unlock.

        Raises:
            NoAnswerError: no valid answer, or one that may belong to an older question.
        """
        is_doubtful = time.monotonic() < self._not_before.get(address, 0.0)
        question = fire
        if not fire.length:
            self._send(fire)
            time.sleep(_GAP_S)
            question = self._dialect.ask(address)
        self._exchange(address, question)
        if is_doubtful:
            self._not_before[address] = time.monotonic() + _LATE_S
            raise NoAnswerError(f"a late answer from {address} cannot be told from a new one")

    def _probe(self, address: int) -> Finding | None:
        """Listen for the whole time each time: a twin may answer after the first one."""
        question = self._dialect.ask(address)
        heard = []
        for _ in range(_SCANS):
            self._send(question)
            heard.append(self._listen(question))
            if not heard[0]:
                return None
        answers = [question.answers(received) for received in heard]
        if any(len(found) > 1 for found in answers):
            return Finding.TWINS
        whole = all(len(received) == question.length and found for received, found in zip(heard, answers, strict=True))
        return Finding.OK if whole else Finding.GARBLED

    def _listen(self, question: Question) -> bytes:
        received = b""
        deadline = time.monotonic() + self._answer_s
        try:
            while (left := deadline - time.monotonic()) > 0 and len(received) <= _MOST_BYTES:
                received += self._port.read(left)
        except OSError as error:
            self._hang_up()
            raise NoAnswerError("the line broke") from error
        return received.removeprefix(question.payload)

    def _prepare(self, address: int) -> None:
        for question in self._dialect.prepare(address):
            self._exchange(address, question)
        self._prepared.add(address)

    def _exchange(self, address: int, question: Question) -> bytes:
        """Send once and return the valid answer.

        Raises:
            NoAnswerError: there was none in time.
        """
        self._send(question)
        try:
            answer = self._await(question)
        except OSError as error:
            self._hang_up()
            raise NoAnswerError("the line broke") from error
        if answer is None:
            self._not_before[address] = time.monotonic() + _LATE_S
            self._prepared.discard(address)
            raise NoAnswerError(f"no valid answer from {address}")
        return answer

    def _send(self, question: Question) -> None:
        try:
            self._open()
            self._drain()
            self._port.write(question.payload)
        except OSError as error:
            self._hang_up()
            raise NoAnswerError("the line is gone") from error

    def _open(self) -> None:
        if self._is_open:
            return
        if time.monotonic() < self._reopen_at:
            raise ConnectionError
        self._reopen_at = time.monotonic() + _REOPEN_S
        self._port.open()
        self._is_open, self._echoes = True, None
        self._prepared.clear()

    def _clear(self) -> None:
        deadline = time.monotonic() + _CLEAR_S
        while not self._port.is_clear():
            if time.monotonic() >= deadline:
                raise ConnectionError("the line holds back what was sent")
            time.sleep(_CLEAR_STEP_S)

    def _hang_up(self) -> None:
        self._is_open = False
        self._port.close()

    def _drain(self) -> None:
        """Drop what nobody has asked for: late answers, noise."""
        dropped = 0
        while chunk := self._port.read(0):
            dropped += len(chunk)
            if dropped > _MOST_BYTES:
                raise ConnectionError("the line is never silent")

    def _await(self, question: Question) -> bytes | None:
        received = b""
        deadline = time.monotonic() + self._answer_s
        while (left := deadline - time.monotonic()) > 0 and len(received) <= _MOST_BYTES:
            received += self._port.read(left)
            found = question.answers(self._without_echo(question, received))
            if found:
                self._learn(question, received)
                return found[0]
        return None

    def _without_echo(self, question: Question, received: bytes) -> bytes:
        """Return what the board said. Where its answer looks like our own words, only a known line is believed."""
        if not question.is_echoed_by_board:
            return received.removeprefix(question.payload)
        if self._echoes is None or (self._echoes and not received.startswith(question.payload)):
            return b""
        return received[len(question.payload) :] if self._echoes else received

    def _learn(self, question: Question, received: bytes) -> None:
        if not question.is_echoed_by_board:
            self._echoes = received.startswith(question.payload)
