"""`make bench`: one table of ratios, measured in one run on this machine, against the stated aims."""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.benchmarks import edge, village
from tests.fleet import measure as fleet
from tests.fleet import measure_scale
from tests.journeys.conftest import Village, wait_until


def main() -> None:
    """Measure, printing each part when it is done."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--only", choices=PARTS, action="append", help="measure only this part; may be repeated")
    for name in parser.parse_args().only or PARTS:
        for line in PARTS[name]():
            print(line, flush=True)  # noqa: T201


def _requests() -> Iterator[str]:
    with village.made() as made:
        purchase, look_up = edge.measure(made)
    yield _row("purchase, CPU against bare Flask + sqlite3", purchase.cpu_ratio, 2.7)
    yield _row("purchase, wall against bare Flask + sqlite3", purchase.wall_ratio, 2.7)
    yield _row("purchase, CPU", statistics.median(purchase.ours.cpu_ms), 2.0, "ms")
    yield _row("look-up, CPU against bare Flask + sqlite3", look_up.cpu_ratio, 2.2)
    statements = sum(purchase.our_statements.values()), sum(purchase.bare_statements.values())
    yield f"statements of a purchase: ours {statements[0]}, bare {statements[1]}"


def _devices() -> Iterator[str]:
    door = fleet.door_round_trip()
    yield _row("door, touch to accept against raw round trip with its fsyncs", door.ratio, 2.0)
    ingest = fleet.ingest_rate()
    yield _row("durable messages per second against a bare subscriber", ingest.ratio, 0.25, is_least=True)


def _scale() -> Iterator[str]:
    """Yield the same door beside a crowd: the aim is that of the door alone."""
    for devices, sites in measure_scale.STEPS:
        step = measure_scale.door_round_trips(devices, sites)
        yield _row(f"the same, {devices} devices at {sites} sites, p50", step.ratio(50), 2.0)
        yield f"    {step}"


def _village() -> Iterator[str]:
    for name, figure, aim, unit in _running_village():
        yield _row(name, figure, aim, unit)


def _row(name: str, figure: float, aim: float, unit: str = "x", *, is_least: bool = False) -> str:
    is_met = figure >= aim if is_least else figure <= aim
    sign = ">=" if is_least else "<="
    return f"{name:<62} {figure:8.2f} {unit:<4} aim {sign} {aim:<5g} {'met' if is_met else 'MISSED'}"


PARTS: dict[str, Callable[[], Iterator[str]]] = {
    "requests": _requests,
    "devices": _devices,
    "scale": _scale,
    "village": _village,
}


def _running_village() -> list[tuple[str, float, float, str]]:
    with tempfile.TemporaryDirectory(prefix="shop-hub-bench-") as folder:
        place = Village(Path(folder))
        place.start()
        place.stop()
        began = time.monotonic()
        place.start()
        started_s = time.monotonic() - began
        wait_until(place.is_whole, within_s=60)
        sizes = {name: _memory_mib(pid) for name, pid in place.about["pids"].items()}
        assert place._process is not None
        whole = sum(sizes.values()) + _memory_mib(place._process.pid)
        place.stop()
    return [
        ("later start of the village", started_s, 5.0, "s"),
        ("memory of the hub (PSS)", sizes["hub"], 120.0, "MiB"),
        ("memory of the whole village (PSS)", whole, 300.0, "MiB"),
    ]


def _memory_mib(pid: int) -> float:
    """Return the proportional set size of a process and its hub worker, if it has one."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    own = Path(f"/proc/{pid}/smaps_rollup").read_text()
    pss = next(int(line.split()[1]) for line in own.splitlines() if line.startswith("Pss:")) / 1024
    is_supervisor = "demo" in Path(f"/proc/{pid}/cmdline").read_text()
    return pss if is_supervisor else pss + sum(_memory_mib(int(child)) for child in children)


if __name__ == "__main__":
    main()
