"""The door's round trip with 1, 100 and 1,000 devices at 1 and 100 sites: `python -m tests.fleet.measure_scale`.

A person's touch at one station while all other devices speak: leases every two seconds, and people who leave by each
door. Measured in turns, in the same run under the same load, with a bare exchange that does the same fsyncs between two
processes of its own. Each device has its own account, connection and journal; the journals of the crowd lie in memory
where that is possible, because the disks of a hundred villages are not this one.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from shop_hub.fleet.errors import DeviceOfflineError
from tests.fleet import measure
from tests.fleet.measure import Bench

STEPS = ((1, 1), (100, 1), (1000, 1), (100, 100), (1000, 100))
EXITS_A_MINUTE = 2
_MEMORY = Path("/dev/shm")  # noqa: S108 - made unguessable below
_SETTLE_S = 3.0


@dataclass(frozen=True)
class Step:
    """Times in ms from touch to accept at so many devices and sites, the bare exchange's, and the hub's CPU share."""

    devices: int
    sites: int
    bare: list[float]
    ours: list[float]
    cpu: float
    refused: int
    """Touches to which the hub said that the station is not connected; the person tries again."""

    def times(self, percent: int) -> tuple[float, float]:
        """Return this percentile of the bare exchange and of ours."""
        bare, ours = (sorted(times)[len(times) * percent // 100] for times in (self.bare, self.ours))
        return bare, ours

    def ratio(self, percent: int) -> float:
        """Return how ours stands to the bare exchange."""
        bare, ours = self.times(percent)
        return ours / bare

    def __str__(self) -> str:
        (bare_50, ours_50), (bare_99, ours_99) = self.times(50), self.times(99)
        return (
            f"{self.devices:5} devices, {self.sites:3} sites: "
            f"p50 bare {bare_50:6.2f} ours {ours_50:6.2f} ms = {self.ratio(50):4.2f} x, "
            f"p99 bare {bare_99:6.2f} ours {ours_99:6.2f} ms = {self.ratio(99):4.2f} x, hub {self.cpu:4.0%} of a core, "
            f"{self.refused} refused"
        )


def door_round_trips(devices: int, sites: int, *, broker: str = "nats", count: int = 100) -> Step:
    """Measure one step."""
    with ExitStack() as stack:
        bench = stack.enter_context(measure.running(broker, sites=sites, doors=devices - 1))
        bench.worker.start()
        stack.enter_context(_crowd(bench))
        for role in ("station", "bare-device"):
            stack.enter_context(measure.child(bench, role))
        bare_hub = stack.enter_context(_bare_hub(bench))
        bench.wait_ready(devices - devices // 50)  # on a busy machine some always miss a lease
        time.sleep(_SETTLE_S)
        bare: list[float] = []
        ours: list[float] = []
        wall, cpu, touches = time.perf_counter(), time.process_time(), 0
        while len(ours) < count:
            bare.append(_exchange(bare_hub))
            touches += 1
            try:
                ours.append(measure.touch(bench, touches))
            except DeviceOfflineError:
                time.sleep(_SETTLE_S)
        share = (time.process_time() - cpu) / (time.perf_counter() - wall)
    return Step(devices, sites, bare, ours, share, touches - count)


@contextmanager
def _crowd(bench: Bench) -> Iterator[None]:
    """Have all doors of all sites live in one other process."""
    if not bench.doors:
        yield
        return
    with tempfile.TemporaryDirectory(dir=_MEMORY if _MEMORY.is_dir() else None) as folder:
        ready = Path(folder) / "ready.json"
        files = [str(path) for path in _site_files(bench, Path(folder))]
        rate = ("--exits", str(EXITS_A_MINUTE), "--ready-file", str(ready))
        with measure.process("devices.simulators", "load", *files, *rate) as crowd:
            while not ready.exists():
                assert crowd.poll() is None, "the crowd has ended"
                time.sleep(0.1)
            yield


def _site_files(bench: Bench, folder: Path) -> Iterator[Path]:
    for site in {door.site for door in bench.doors}:
        doors = [
            {"id": door.slug, "kind": "door", "password": door.password, "key": door.key_hex}
            for door in bench.doors
            if door.site == site
        ]
        path = folder / f"{site}.json"
        place = {"site": site, "broker": {"port": bench.broker.port}, "folder": str(folder / site)}
        path.write_text(json.dumps(place | {"auto_close_s": 1.0, "devices": doors}))
        yield path


@contextmanager
def _bare_hub(bench: Bench) -> Iterator["subprocess.Popen[str]"]:
    command = ("tests.fleet.measure_scale", "bare-hub", str(bench.broker.port), str(bench.folder))
    with measure.process(*command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        yield process


def _exchange(bare_hub: "subprocess.Popen[str]") -> float:
    """Have the bare hub make one exchange; return ms."""
    assert bare_hub.stdin is not None
    assert bare_hub.stdout is not None
    bare_hub.stdin.write("go\n")
    bare_hub.stdin.flush()
    took_ms = float(bare_hub.stdout.readline())
    time.sleep(measure.BREATH_S)
    return took_ms


def _serve_bare_hub(port: int, folder: Path) -> None:
    hub = measure.BareHub(port, folder)
    for _ in sys.stdin:
        sys.stdout.write(f"{hub.exchange()}\n")
        sys.stdout.flush()


def _main(arguments: list[str]) -> None:
    if arguments[:1] == ["bare-hub"]:
        _serve_bare_hub(int(arguments[1]), Path(arguments[2]))
        return
    for broker in arguments or measure.BROKERS:
        for devices, sites in STEPS:
            sys.stdout.write(f"{broker:<9} {door_round_trips(devices, sites, broker=broker)}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    _main(sys.argv[1:])
