"""Two hundred of the campaign's kills. The whole one is a command: see campaign.py."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

KILLS = 200


@pytest.mark.slow
def test_two_hundred_kills_break_no_promise():
    seed = os.getpid()
    command = [sys.executable, "-m", "tests.faults.campaign", "--kills", str(KILLS), "--seed", str(seed)]
    done = subprocess.run(command, cwd=Path.cwd(), capture_output=True, text=True, timeout=400, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
    assert f"seed {seed}: " in done.stdout
    assert "; 0 wrong" in done.stdout
