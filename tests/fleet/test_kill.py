"""kill -9 of the worker at any moment: nothing lost, nothing doubled, nothing claimed that is not so."""

import os
import random
import subprocess
import sys
import time
from collections import Counter
from contextlib import contextmanager
from pathlib import Path

import pytest

from shop_hub.fleet.models import UNRESOLVED, CommandState, DeviceCommand, DeviceEvent, Link
from tests.fleet.kit import eventually

ROUNDS = 8


@contextmanager
def worker_process(village):
    """Run a worker until the block ends, then kill it."""
    url = village.database.url
    command = [sys.executable, "-m", "tests.fleet.worker_process", url, str(village.broker.port), str(village.folder)]
    process = subprocess.Popen(command, cwd=Path.cwd(), env=os.environ | {"PYTHONPATH": str(Path.cwd())})
    try:
        yield
    finally:
        process.kill()
        process.wait()


def open_once(pulses: Counter[str]):
    """Return a device that pulses a lock at most once for each id, as every device must."""

    def obey(device, command, node):
        if command.id not in device.verdicts:
            pulses[command.id] += 1
            device.accept(command, node)
            device.event(node, "opened", cause=command.id)
            device.result(command.id, node, "done")
        else:
            device.done(command, node)

    return obey


@pytest.mark.slow
def test_killed_again_and_again_the_hub_knows_what_happened(idle_village, subtests):
    village, pulses, asked = idle_village, Counter(), []
    village.device.obey = open_once(pulses)
    village.device.start()
    seed = random.randrange(10**6)  # noqa: S311 - moments, no secrets
    moments = random.Random(seed)  # noqa: S311 - as above

    for _ in range(ROUNDS):
        with worker_process(village):
            eventually(lambda: village.link() is Link.READY, 30)
            until = time.monotonic() + moments.uniform(0.05, 1.0)
            while time.monotonic() < until:
                village.device.event("box-24", "closed")
                node = f"box-{moments.randrange(20):02}"
                if village.can_order(node):
                    asked.append(node)
                time.sleep(moments.uniform(0.0, 0.1))

    with worker_process(village):
        eventually(lambda: village.stored().seq == village.device.seq, 60)
        eventually(lambda: not any(c.state in UNRESOLVED for c in village.all(DeviceCommand)), 60)

    commands, events = village.all(DeviceCommand), village.all(DeviceEvent)
    with subtests.test(seed=seed, asked=len(asked)):
        assert len(commands) == len(asked)
        assert set(pulses.values()) <= {1}
        assert {c.ulid for c in commands if c.state is CommandState.DONE} == set(pulses)
        assert {c.state for c in commands} <= {CommandState.DONE, CommandState.EXPIRED}
        told = [seq for seq, (topic, _) in village.device.journal.items() if topic.endswith("log/event")]
        assert sorted(event.seq for event in events) == sorted(told)
