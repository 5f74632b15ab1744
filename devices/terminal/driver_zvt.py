"""A card terminal spoken to by ZVT 700 over TCP (port 20007 on most machines)."""

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from devices.agent.device import NoAnswerError
from devices.terminal import zvt
from devices.terminal.driver import (
    PaymentOutcome,
    TerminalBusyError,
    TerminalLostError,
    TerminalRefusedError,
    Transaction,
)

_BUSY = 0x849C
_CONFIG = 0x86
"""The register prints payment and administration receipts and gets print lines."""
_READY_STATES = frozenset({0x00})
_INSERT_CARD = 0x0A
_RESULT_ABORTED = frozenset({0x6C})
"""Ended by the customer's stop key or by time: an abort, not a decline."""


@dataclass(frozen=True, slots=True)
class ZvtConfig:
    """Where the terminal is. Times in seconds: `answer_s` for its acknowledgement, `customer_s` for a whole payment."""

    host: str
    port: int = 20007
    password: int = 0
    connect_s: float = 3.0
    answer_s: float = 5.0
    customer_s: float = 120.0


class ZvtTerminal:
    """One connection per operation: connect, register, ask, go. Nothing is ever sent a second time."""

    def __init__(self, config: ZvtConfig) -> None:
        self._config = config

    def is_idle(self) -> bool:
        """Ask with 05 01; the last byte of the completion is the terminal's state."""
        try:
            with self._session() as session:
                end = session.run(zvt.status_enquiry(self._config.password), self._config.answer_s)
        except TerminalBusyError:
            return False
        except (TerminalLostError, TerminalRefusedError) as error:
            raise NoAnswerError(str(error)) from error
        return not end.completion or end.completion[-1] in _READY_STATES

    def last(self) -> Transaction | None:
        """Ask with 06 20."""
        with self._session() as session:
            return session.last(self._config)

    def authorise(self, cents: int, on_progress: Callable[[str], None]) -> Transaction:
        """Charge with 06 01."""
        with self._session() as session:
            end = session.run(zvt.authorisation(cents), self._config.customer_s, on_progress)
            return end.transaction()

    def reverse(self, receipt: int) -> Transaction:
        """Cancel with 06 30."""
        with self._session() as session:
            end = session.run(zvt.reversal(self._config.password, receipt), self._config.customer_s)
            return end.transaction()

    @contextmanager
    def _session(self) -> Iterator["_Session"]:
        config = self._config
        try:
            sock = socket.create_connection((config.host, config.port), timeout=config.connect_s)
        except OSError as error:
            raise NoAnswerError(str(error)) from error
        with sock:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            session = _Session(sock, config.answer_s)
            try:
                session.run(zvt.registration(config.password, _CONFIG), config.answer_s)
            except TerminalLostError as error:
                raise NoAnswerError("no answer to the registration") from error
            yield session


@dataclass(slots=True)
class _End:
    """What a terminal said until it was done: its last status information, and how it ended."""

    status: dict[int, bytes]
    completion: bytes = b""
    aborted: int | None = None

    def transaction(self) -> Transaction:
        """Return the transaction this was.

        Raises:
            TerminalLostError: the terminal ended without saying how.
        """
        if self.aborted is None and zvt.RESULT not in self.status:
            raise TerminalLostError(None)
        try:
            return _transaction(self.status, self.aborted)
        except zvt.ZvtError as error:
            raise TerminalLostError(None) from error


class _Session:
    def __init__(self, sock: socket.socket, answer_s: float) -> None:
        self._sock, self._answer_s = sock, answer_s
        self._buffer = b""

    def run(self, order: zvt.Apdu, limit_s: float, on_progress: Callable[[str], None] | None = None) -> _End:
        """Send one order and follow it to its end, acknowledging every message of the terminal.

        Raises:
            TerminalBusyError: refused, in a transaction.
            TerminalRefusedError: refused.
            TerminalLostError: connection, time or understanding lost.
        """
        end = _End(status={})
        try:
            self._begin(order)
            self._follow(end, time.monotonic() + limit_s, on_progress)
        except (OSError, zvt.ZvtError) as error:
            raise TerminalLostError(_seen(end.status)) from error
        return end

    def last(self, config: ZvtConfig) -> Transaction | None:
        """Return the last transaction; a terminal without one aborts the question."""
        try:
            end = self.run(zvt.repeat_receipt(config.password), config.answer_s)
            return None if end.aborted is not None or not end.status else end.transaction()
        except TerminalRefusedError:
            return None
        except TerminalLostError as error:
            raise NoAnswerError("no answer to 06 20") from error

    def _begin(self, order: zvt.Apdu) -> None:
        self._sock.sendall(order.encode())
        answer = self._receive(time.monotonic() + self._answer_s)
        if answer.code == _BUSY:
            raise TerminalBusyError
        if answer.is_refusal:
            raise TerminalRefusedError(f"{answer.code:04X}")
        if answer.encode() != zvt.POSITIVE:
            raise zvt.ZvtError(f"instead of an acknowledgement: {answer.code:04X}")

    def _follow(self, end: _End, deadline: float, on_progress: Callable[[str], None] | None) -> None:
        while True:
            message = self._receive(deadline)
            self._sock.sendall(zvt.POSITIVE)
            if message.code == zvt.STATUS_INFORMATION:
                end.status = zvt.fields(message.data)
            elif message.code == zvt.INTERMEDIATE_STATUS and on_progress is not None:
                on_progress("insert-card" if message.data[:1] == bytes([_INSERT_CARD]) else "processing")
            elif message.code == zvt.COMPLETION:
                end.completion = message.data
                return
            elif message.code == zvt.ABORT:
                end.aborted = message.data[0] if message.data else 0
                return

    def _receive(self, deadline: float) -> zvt.Apdu:
        while True:
            message, self._buffer = zvt.split(self._buffer)
            if message is not None:
                return message
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError
            self._sock.settimeout(left)
            chunk = self._sock.recv(4096)
            if not chunk:
                raise ConnectionResetError
            self._buffer += chunk


def _transaction(status: dict[int, bytes], aborted: int | None) -> Transaction:
    result = status[zvt.RESULT][0] if zvt.RESULT in status else aborted or 0
    if aborted is None and result == 0:
        outcome = PaymentOutcome.APPROVED
    else:
        outcome = PaymentOutcome.ABORTED if result in _RESULT_ABORTED else PaymentOutcome.DECLINED
    return Transaction(
        outcome=outcome,
        cents=_number(status, zvt.AMOUNT),
        trace=_number(status, zvt.TRACE),
        receipt=_number(status, zvt.RECEIPT),
        result_code=result,
        card_name=status.get(zvt.CARD_NAME, b"").rstrip(b"\0").decode("cp437", "replace").strip(),
    )


def _seen(status: dict[int, bytes]) -> Transaction | None:
    try:
        return _transaction(status, None) if status else None
    except zvt.ZvtError:
        return None


def _number(status: dict[int, bytes], tag: int) -> int | None:
    return zvt.number(status[tag]) if tag in status else None
