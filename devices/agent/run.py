"""Runs one real device in a process of its own until it is told to end: what `python -m devices.<kind>` calls."""

import argparse
import dataclasses
import logging
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from devices.agent.agent import Agent
from devices.agent.device import Device
from devices.agent.host import Host
from devices.agent.pairing import PairingError, load

_ENDS = {signal.SIGTERM, signal.SIGINT}
_STACK_BYTES = 512 * 1024


def parser(name: str, about: str | None) -> argparse.ArgumentParser:
    """Return the parser of a kind's command, with the folder of its keys."""
    made = argparse.ArgumentParser(
        prog=f"python -m devices.{name}", description=about, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument("--folder", type=Path, default=Path("device"), help="where `devices.agent pair` has put the keys")
    return made


def run(folder: Path, make: Callable[[], Device], *, interval_s: float = 0.0) -> int:
    """Run the device whose keys lie in `folder` until SIGTERM or SIGINT; return the exit status.

    Args:
        make: makes the device's half; its refusal (ValueError) is shown to whoever started the command.
        interval_s: how often a sensor speaks, so that the hub knows when it has fallen silent.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    try:
        config, device = load(folder), make()
    except (PairingError, ValueError) as error:
        print(error, file=sys.stderr)  # noqa: T201 - a command talks to its user
        return 1
    threading.stack_size(_STACK_BYTES)
    signal.pthread_sigmask(signal.SIG_BLOCK, _ENDS)  # waited for below, whichever thread would get it
    host = Host()
    agent = Agent(dataclasses.replace(config, interval_ms=round(interval_s * 1000)), device, host)
    agent.start()
    signal.sigwait(_ENDS)
    agent.stop()
    host.close()
    return 0
