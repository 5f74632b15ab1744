"""How long until the broker knows: `python -m tests.fleet.measure_accounts` prints it for both brokers.

Measured from the commit of the hub to what the device sees: let in with a first try every 50 ms, or its session cut.
"""

import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from devices.protocol.bus import Bus, BusConfig
from shop_hub.core import audit
from shop_hub.core.db import Database
from shop_hub.core.settings import Settings
from shop_hub.core.sites import Site
from shop_hub.demo.supervisor import Child, Supervisor
from shop_hub.models import Base
from tests.fleet.kit import SITE, TestHub
from tests.fleet.test_provisioning import Stage, mosquitto, nats, watch

ROUNDS = 10


def main() -> None:
    """Measure and print."""
    audit.use_key(b"benchmark")
    for name, make in (("nats-server", nats), ("mosquitto, dynamic-security", mosquitto)):
        with tempfile.TemporaryDirectory(prefix="shop-hub-accounts-") as folder:
            let_in, cut = _measure(Path(folder), make)
        for what, times in (("new device let in", let_in), ("revoked session cut", cut)):
            middle, worst = statistics.median(times), max(times)
            print(f"{name:<28} {what:<20} median {middle:5.2f} s, worst {worst:5.2f} s of {ROUNDS}")  # noqa: T201


def _measure(folder: Path, make: Callable[[Path], tuple]) -> tuple[list[float], list[float]]:
    broker, watched, mqtt = make(folder / "broker")
    broker.prepare()
    supervisor, end = Supervisor(), threading.Event()
    supervisor.start(Child("broker", broker.argv(), broker.log, broker.environment(), watched))
    watching = threading.Thread(target=lambda: watch(supervisor, end))
    watching.start()
    broker.wait_ready()
    database = Database(f"sqlite:///{folder / 'hub.sqlite3'}")
    Base.metadata.create_all(database.write_engine)
    with database.transaction() as session:
        site = Site(slug=SITE, name="Dorfladen")
        session.add(site)
    settings = Settings(data=folder, mqtt=mqtt.model_copy(update={"port": broker.port}))
    stage = Stage(broker, supervisor, TestHub(settings, database), site.id)
    worker = stage.start_hub()
    try:
        rounds = [_round(stage, f"probe-{number}") for number in range(ROUNDS)]
    finally:
        worker.stop()
        end.set()
        watching.join()
        supervisor.stop()
        database.dispose()
    return [let_in for let_in, _ in rounds], [cut for _, cut in rounds]


def _round(stage: Stage, slug: str) -> tuple[float, float]:
    known = stage.register(slug)
    began = time.perf_counter()
    bus = _first_let_in(stage, known)
    let_in = time.perf_counter() - began
    stage.revoke(known)
    began = time.perf_counter()
    while bus.connected:
        time.sleep(0.001)
    cut = time.perf_counter() - began
    bus.stop()
    return let_in, cut


def _first_let_in(stage: Stage, known) -> Bus:
    while True:
        bus = Bus(BusConfig(stage.broker.host, stage.broker.port, known.user, known.user, known.password))
        bus.start()
        if bus.wait_connected(0.05):
            return bus
        bus.stop()


if __name__ == "__main__":
    main()
