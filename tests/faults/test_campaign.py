"""Two hundred of the campaign's kills. The whole one is a command: see campaign.py."""

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from tests.devices.kit import eventually
from tests.faults.campaign import Actor, die

KILLS = 200


@pytest.mark.slow
def test_two_hundred_kills_break_no_promise():
    seed = os.getpid()
    command = [sys.executable, "-m", "tests.faults.campaign", "--kills", str(KILLS), "--seed", str(seed)]
    done = subprocess.run(command, cwd=Path.cwd(), capture_output=True, text=True, timeout=400, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
    assert f"seed {seed}: " in done.stdout
    assert "; 0 wrong" in done.stdout


@pytest.mark.parametrize(("work", "said"), [(lambda _: sys.exit(3), ["hub ended by itself: 1"]), (lambda _: die(), [])])
def test_only_a_kill_is_counted_as_one(work, said):
    actor = Actor("hub", work, points=1)
    actor.start(random.Random(1), mortal=False)  # noqa: S311 - no secret
    eventually(actor.is_dead)
    assert actor.wrong == said
