"""A worker in a process of its own, to be killed by tests: `python -m tests.fleet.worker_process URL PORT FOLDER`."""

import sys
import threading
from datetime import timedelta
from pathlib import Path

from shop_hub.core import audit, clock
from shop_hub.core.db import Database
from shop_hub.core.settings import Mqtt, Settings
from shop_hub.fleet.dispatch import Dispatcher
from shop_hub.fleet.worker import Worker
from tests.fleet.kit import TestHub


def main(url: str, port: str, folder: str, wrong_s: str = "0") -> None:
    audit.use_key(b"fleet-tests")
    mqtt = Mqtt(port=int(port), user="hub", password="hub-secret")
    worker = Worker(TestHub(Settings(data=Path(folder), mqtt=mqtt), Database(url)), Dispatcher())
    with clock.shifted(timedelta(seconds=float(wrong_s))):
        worker.start()
        threading.Event().wait()


if __name__ == "__main__":
    main(*sys.argv[1:])
