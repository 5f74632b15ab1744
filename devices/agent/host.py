"""One process full of devices: one network thread, one desk thread, a few hands.

The desk owns every agent's state and journal, so that nothing needs a lock: the network thread and the drivers
only post work to it. What takes time (a pulse, a card payment) is done by the hands.
"""

import heapq
import itertools
import logging
import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from devices.protocol.loop import NetworkLoop

log = logging.getLogger(__name__)

Work = Callable[[], object]
_HANDS = 16
"""A jammed door keeps a hand for three seconds, a card payment for a minute; threads are made only when needed."""


class Timer:
    """A piece of work due later; `cancel` makes it do nothing."""

    def __init__(self, work: Work) -> None:
        self._work: Work | None = work

    def cancel(self) -> None:
        """Forget the work."""
        self._work = None

    def fire(self) -> None:
        """Do the work, unless cancelled."""
        if self._work is not None:
            self._work()


class Host:
    """Runs the work of all agents of a process."""

    def __init__(self) -> None:
        self.network = NetworkLoop()
        self._inbox: queue.SimpleQueue[Work | None] = queue.SimpleQueue()
        self._due: list[tuple[float, int, Timer]] = []
        self._order = itertools.count()
        self._hands = ThreadPoolExecutor(_HANDS, thread_name_prefix="hand")
        self._desk = threading.Thread(target=self._run, name="desk", daemon=True)
        self._desk.start()

    def post(self, work: Work) -> None:
        """Have the desk do this as soon as it can (from any thread)."""
        self._inbox.put(work)

    def call(self, work: Work, timeout_s: float = 5.0) -> None:
        """Have the desk do this and wait for the end; on the desk itself do it at once.

        Raises:
            TimeoutError: the desk did not get there in time.
        """
        if threading.current_thread() is self._desk:
            work()
            return
        done = threading.Event()

        def step() -> None:
            try:
                work()
            finally:
                done.set()

        self.post(step)
        if not done.wait(timeout_s):
            raise TimeoutError

    def later(self, delay_s: float, work: Work) -> Timer:
        """Have the desk do this after `delay_s` seconds (from any thread)."""
        timer = Timer(work)
        due = time.monotonic() + delay_s
        self.post(lambda: heapq.heappush(self._due, (due, next(self._order), timer)))
        return timer

    def every(self, period_s: float, work: Work, *, until: Callable[[], bool]) -> None:
        """Have the desk do this every `period_s` seconds until `until()` is true; a failure does not stop it."""

        def step() -> None:
            if not until():
                self.later(period_s, step)
                work()

        self.later(period_s, step)

    def run_by_hand(self, work: Work) -> None:
        """Have a hand do what takes time."""
        self._hands.submit(_logged, work)

    def close(self) -> None:
        """End all threads; what is being done by hand is not waited for."""
        self._inbox.put(None)
        self._desk.join(timeout=5)
        self._hands.shutdown(wait=False, cancel_futures=True)
        self.network.close()

    def _run(self) -> None:
        while True:
            try:
                work = self._inbox.get(timeout=self._pause_s())
            except queue.Empty:
                _logged(heapq.heappop(self._due)[2].fire)
                continue
            if work is None:
                return
            _logged(work)

    def _pause_s(self) -> float | None:
        return max(0.0, self._due[0][0] - time.monotonic()) if self._due else None


def _logged(work: Work) -> None:
    try:
        work()
    except Exception:
        log.exception("a step of a device failed")
