"""A process full of simulated machines, from its start to SIGTERM or SIGINT."""

import json
import logging
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from devices.simulators.control import Controlled, ControlPort

_STACK_BYTES = 512 * 1024
_ENDS = {signal.SIGTERM, signal.SIGINT}


class Machines(Controlled, Protocol):
    """What runs in the process."""

    def start(self) -> None:
        """Switch everything on."""

    def stop(self) -> None:
        """Switch everything off."""

    def ports(self) -> dict[str, int]:
        """Return the TCP ports of the machines that have one."""


def run(make: Callable[[], Machines], *, control_port: int = 0, ready_file: Path | None = None) -> None:
    """Run the machines until told to end; `ready_file` gets one JSON object with the ports once everything runs."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    threading.stack_size(_STACK_BYTES)
    # Blocked before the first thread is made and waited for below: a handler may never run while the main thread
    # sleeps and another thread got the signal (seen under load).
    signal.pthread_sigmask(signal.SIG_BLOCK, _ENDS)
    machines = make()
    control = ControlPort(machines, control_port)
    machines.start()
    ready = {"control_port": control.port, "ports": machines.ports()}
    if ready_file is not None:
        fresh = ready_file.with_suffix(".new")
        fresh.write_text(json.dumps(ready))
        fresh.replace(ready_file)
    logging.getLogger("devices.simulators").info("ready: %s", ready)
    signal.sigwait(_ENDS)
    control.close()
    machines.stop()
