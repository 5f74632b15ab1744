"""The hub of a region in a process of its own, to be killed: `python -m tests.fleet.region_process URL PORT FOLDER`."""

import sys
import threading
from pathlib import Path

from shop_hub.core import audit
from shop_hub.core.db import Database
from shop_hub.core.settings import Mqtt, Settings
from shop_hub.fleet.dispatch import Dispatcher
from shop_hub.fleet.worker import Worker
from tests.fleet.kit import TestHub


def main(url: str, port: str, folder: str) -> None:
    audit.use_key(b"fleet-tests")
    mqtt = Mqtt(port=int(port), user="hub", password="hub-secret", collects=True)
    Worker(TestHub(Settings(data=Path(folder), mqtt=mqtt), Database(url)), Dispatcher()).start()
    threading.Event().wait()


if __name__ == "__main__":
    main(*sys.argv[1:])
