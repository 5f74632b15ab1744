"""The hub's background work: devices, jobs and outbox, as threads of the process that serves or of a worker."""

import ctypes
import json
import logging
import signal
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from multiprocessing.util import Finalize

from shop_hub import features
from shop_hub.core import clock, outbox
from shop_hub.core.events import CHANNEL, bus
from shop_hub.core.jobs import Job, JobRunner
from shop_hub.core.web import ShopHub
from shop_hub.fleet.dispatch import Dispatcher
from shop_hub.fleet.worker import Worker

log = logging.getLogger(__name__)

BUILT_AFTER = datetime(2026, 11, 1, tzinfo=UTC)
PR_SET_PDEATHSIG = 1


class Runtime:
    """Starts and stops the threads of one hub process."""

    def __init__(self, hub: ShopHub) -> None:
        self._hub = hub
        self._stop = threading.Event()
        self._worker = Worker(hub, _dispatcher())
        self._handlers = {
            kind: send for module in features.load("mails") for kind, send in module.handlers(hub).items()
        }
        jobs: list[Job] = [job for module in features.load("jobs") for job in module.jobs(hub)]
        self._jobs = JobRunner(hub.database, jobs, clock.ClockWatch(BUILT_AFTER))

    def start(self) -> None:
        """Start everything; returns at once."""
        self._worker.start()
        self._run("jobs", lambda: self._jobs.loop(self._stop))
        self._run("outbox", self._send_outbox)
        if not self._hub.database.is_sqlite:
            self._run("listen", lambda: listen_for_events(self._hub.database.url, self._stop))
        # The server's worker is a process of multiprocessing, which runs no atexit functions.
        Finalize(None, self.stop, exitpriority=1)

    def stop(self) -> None:
        """End the threads; open streams end too."""
        self._stop.set()
        outbox.wake.set()
        bus.close()
        self._worker.stop()

    def _run(self, name: str, target: Callable[[], None]) -> None:
        threading.Thread(target=target, name=name, daemon=True).start()

    def _send_outbox(self) -> None:
        while not self._stop.is_set():
            outbox.wake.wait(timeout=2.0)
            outbox.wake.clear()
            try:
                outbox.send_due(self._hub.database, self._handlers)
            except Exception:
                log.exception("outbox loop")


def listen_for_events(url: str, stop: threading.Event) -> None:
    """Hand the events of other processes to this one's screens (PostgreSQL only)."""
    import psycopg  # noqa: PLC0415 - an optional extra

    address = url.replace("postgresql+psycopg://", "postgresql://")
    while not stop.is_set():
        try:
            with psycopg.connect(address, autocommit=True) as connection:
                connection.execute(f"LISTEN {CHANNEL}")
                while not stop.is_set():
                    for notice in connection.notifies(timeout=2.0):
                        bus.send(json.loads(notice.payload))
        except psycopg.Error:
            log.warning("event listener lost its connection")
            stop.wait(1.0)


def die_with_parent() -> None:
    """Ask the kernel to end this process when its parent dies, so that no orphan keeps the port or the devices."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _dispatcher() -> Dispatcher:
    dispatcher = Dispatcher()
    for module in features.load("listeners"):
        module.register(dispatcher)
    return dispatcher
