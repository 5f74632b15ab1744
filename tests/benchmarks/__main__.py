"""`make bench`: one table of ratios, measured in one run on this machine, against the stated aims."""

import statistics
import tempfile
import time
from pathlib import Path

from tests.benchmarks import edge, village
from tests.fleet import measure as fleet
from tests.journeys.conftest import Village, wait_until


def main() -> None:
    """Measure, then print."""
    with village.made() as made:
        purchase, look_up = edge.measure(made)
    rows = [
        ("purchase, CPU against bare Flask + sqlite3", purchase.cpu_ratio, 2.7, "x"),
        ("purchase, wall against bare Flask + sqlite3", purchase.wall_ratio, 2.7, "x"),
        ("purchase, CPU", statistics.median(purchase.ours.cpu_ms), 2.0, "ms"),
        ("look-up, CPU against bare Flask + sqlite3", look_up.cpu_ratio, 2.2, "x"),
    ]
    door = fleet.door_round_trip()
    rows.append(("door, touch to accept against raw round trip with its fsyncs", door.ours / door.bare, 2.0, "x"))
    rows += _running_village()
    for name, figure, aim, unit in rows:
        print(f"{name:<62} {figure:8.2f} {unit:<4} aim {aim:g}  {'met' if figure <= aim else 'MISSED'}")  # noqa: T201
    ingest = fleet.ingest_rate()
    share = ingest.ours / ingest.bare
    print(f"{'durable messages per second against a bare subscriber':<62} {share:8.2f} x    aim >= 0.25")  # noqa: T201
    statements = sum(purchase.our_statements.values()), sum(purchase.bare_statements.values())
    print(f"statements of a purchase: ours {statements[0]}, bare {statements[1]}")  # noqa: T201


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
