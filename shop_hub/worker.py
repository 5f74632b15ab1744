"""A worker process on PostgreSQL: devices, jobs and outbox, without web."""

import signal
import threading

from shop_hub.app import create_app
from shop_hub.core import logs
from shop_hub.core.settings import Settings
from shop_hub.runtime import Runtime


def run(settings: Settings) -> None:
    """Work until SIGINT or SIGTERM."""
    logs.set_up(settings.log_level)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda _number, _frame: stop.set())
    runtime = Runtime(create_app(settings))
    runtime.start()
    stop.wait()
    runtime.stop()
