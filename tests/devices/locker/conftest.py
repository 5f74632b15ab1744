"""A bench for each test of a line."""

import contextlib

import pytest

from devices.locker import line as line_module
from devices.simulators import lockwire
from tests.devices.locker.bench import Bench


@pytest.fixture
def patient(monkeypatch):
    """Let these waits end only when a test says so: see `Bench.later`."""
    for module, name in ((line_module, "_LATE_S"), (line_module, "_REOPEN_S"), (lockwire, "_REBOOT_S")):
        monkeypatch.setattr(module, name, 3600)


@pytest.fixture
def bench():
    with contextlib.ExitStack() as stack:

        def make(make, connect=None):
            made = Bench(make, connect)
            stack.callback(made.close)
            return made

        yield make
