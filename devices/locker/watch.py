"""Reads all boards all the time, quicker while a door is expected to open; a silent board holds up nobody else."""

import logging
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

from devices.agent.device import NoAnswerError
from devices.locker.driver import ChannelReading, TooSoonError
from devices.locker.station import Station

log = logging.getLogger(__name__)

_POLL_S = 0.1
_HURRIED_POLL_S = 0.03
_LOST_AFTER = 3
"""So many silent polls in a row make a board lost."""
_ASK_LOST_EVERY = 10
"""A lost board is asked at every tenth poll only: waiting for it slows the others down."""


class Watcher(Protocol):
    """Who wants to know; called by the watching thread only."""

    def heard(self, board: str, readings: Sequence[ChannelReading]) -> None:
        """A board has spoken."""

    def back(self, board: str) -> None:
        """A board speaks for the first time, or again."""

    def missed(self, board: str) -> None:
        """A board did not answer this once."""

    def lost(self, board: str) -> None:
        """A board has been silent for several polls; told once."""

    def turned(self) -> None:
        """All boards have been asked."""


class Watch:
    """The polling thread."""

    def __init__(self, station: Station, watcher: Watcher) -> None:
        self._station, self._watcher = station, watcher
        self._silent: dict[str, int] = {}
        self._answers: Counter[str] = Counter()
        self._turns = 0
        self._nudged = threading.Event()
        self._ended = threading.Event()
        self._hurrying = 0
        self._counting = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="locker", daemon=True)

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def stop(self) -> None:
        """End the reading."""
        self._ended.set()
        self._nudged.set()
        self._thread.join(timeout=5)

    def is_silent(self, board: str) -> bool:
        """Tell whether a board did not answer the last question."""
        return self._silent.get(board, 0) > 0

    def is_lost(self, board: str) -> bool:
        """Tell whether a board has been silent for several polls."""
        return self._silent.get(board, 0) >= _LOST_AFTER

    def answers(self, board: str) -> int:
        """Return how often a board has answered so far."""
        return self._answers[board]

    @contextmanager
    def hurry(self) -> Iterator[None]:
        """Read more often."""
        with self._counting:
            self._hurrying += 1
        self.nudge()
        try:
            yield
        finally:
            with self._counting:
                self._hurrying -= 1

    def nudge(self) -> None:
        """Read now."""
        self._nudged.set()

    def turn(self) -> None:
        """Ask each board once."""
        for board in self._station.boards:
            if self._silent.get(board, 0) < _LOST_AFTER or self._turns % _ASK_LOST_EVERY == 0:
                self._ask(board)
        self._turns += 1
        self._watcher.turned()

    def _run(self) -> None:
        while not self._ended.is_set():
            try:
                self.turn()
            except Exception:
                log.exception("reading the boards failed")
            self._nudged.wait(_HURRIED_POLL_S if self._hurrying else _POLL_S)
            self._nudged.clear()

    def _ask(self, board: str) -> None:
        try:
            readings = self._station.read(board)
        except TooSoonError:
            return
        except NoAnswerError:
            self._miss(board)
            return
        if self._silent.get(board) != 0:
            self._watcher.back(board)
        self._silent[board] = 0
        self._answers[board] += 1
        self._watcher.heard(board, readings)

    def _miss(self, board: str) -> None:
        self._silent[board] = self._silent.get(board, 0) + 1
        self._watcher.missed(board)
        if self._silent[board] == _LOST_AFTER:
            self._watcher.lost(board)
