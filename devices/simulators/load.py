"""Many devices in one process, to see what a broker and a hub bear.

Each FILE is the configuration of one site (devices/simulators/config.py), as `shop-hub devices add` writes it. Nothing
is left out: every device is a whole agent on the twin of its machine, with an account, a connection and a journal of
its own. They share one network thread (epoll) and one desk; a door takes 0.2 MiB.

    python -m devices.simulators load --plan 1000 > load.toml
    shop-hub devices add load.toml --keys keys
    python -m devices.simulators load keys/simulators.json --exits 2 --cuts 0.1
"""

import argparse
import contextlib
import random
import resource
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import JsonValue

from devices.agent.host import Host
from devices.simulators import process
from devices.simulators.config import Door, SimulatorConfig
from devices.simulators.config import load as load_config
from devices.simulators.village import Village
from devices.simulators.world import ControlError

_T = TypeVar("_T")
_STEP_S = 0.1
_FILES_A_DEVICE = 6
_FILES_BESIDES = 200
_PROBE_EVERY = 10
_DOOR = '[[device]]\nid = "door-{0:04}"\nkind = "door"\nname = "Door {0}"\n'
_PROBE = '[[device]]\nid = "probe-{0:04}"\nkind = "thermometer"\nname = "Probe {0}"\nmin_milli = 0\nmax_milli = 8000\n'


@dataclass(frozen=True, slots=True)
class Bustle:
    """What happens by itself, times per minute at each device.

    `exits`: a person leaves by a door, which is an event. `cuts`: the connection breaks and comes back.
    """

    exits: float = 0.0
    cuts: float = 0.0


class Crowd:
    """The devices of any number of sites. A device is called `site/device`; everything can be broken on demand."""

    def __init__(self, configs: Sequence[SimulatorConfig], bustle: Bustle) -> None:
        _allow_files(sum(len(config.devices) for config in configs))
        self._bustle = bustle
        self._host = Host()
        self._villages = {config.site: Village(config, self._host) for config in configs}
        entries = [(f"{config.site}/{entry.id}", entry) for config in configs for entry in config.devices]
        self._all = [name for name, _ in entries]
        self._doors = [name for name, entry in entries if isinstance(entry, Door)]
        self._stopped = False

    def start(self) -> None:
        """Switch all devices on; they connect by themselves."""
        for village in self._villages.values():
            village.start()
        self._have(self._doors, "leave", self._bustle.exits)
        self._have(self._all, "cut", self._bustle.cuts)

    def stop(self) -> None:
        """Switch everything off."""
        self._stopped = True
        for village in self._villages.values():
            village.stop()
        self._host.close()

    def is_connected(self) -> bool:
        """Tell whether every device has reached the broker."""
        return all(village.is_connected() for village in self._villages.values())

    def control(self, device: str, verb: str, arguments: dict[str, JsonValue]) -> JsonValue:
        """Do one thing at one device.

        Raises:
            ControlError: no such device or verb, wrong arguments, or not possible now.
        """
        site, _, name = device.partition("/")
        if site not in self._villages:
            raise ControlError(f"no site {site!r}; a device is called site/device")
        return self._villages[site].control(name, verb, arguments)

    def verbs(self) -> dict[str, JsonValue]:
        """Return what can be done at each device."""
        return self._of_all(Village.verbs)

    def faults(self) -> dict[str, JsonValue]:
        """Return what can break at each device, and what is broken."""
        return self._of_all(Village.faults)

    def ports(self) -> dict[str, int]:
        """Return the TCP ports of the machines that have one."""
        return self._of_all(Village.ports)

    def _of_all(self, tell: Callable[[Village], dict[str, _T]]) -> dict[str, _T]:
        told = ((site, tell(village)) for site, village in self._villages.items())
        return {f"{site}/{name}": value for site, found in told for name, value in found.items()}

    def _have(self, devices: Sequence[str], verb: str, per_minute: float) -> None:
        """Have this happen at some of the devices, evenly in time."""
        a_step = len(devices) * per_minute / 60 * _STEP_S
        due = 0.0

        def step() -> None:
            nonlocal due
            due += a_step
            while due >= 1:
                due -= 1
                with contextlib.suppress(ControlError):  # it may be switched off
                    self.control(random.choice(devices), verb, {})  # noqa: S311 - no secret

        if a_step:
            self._host.every(_STEP_S, step, until=lambda: self._stopped)


def plan(devices: int) -> str:
    """Return a machines file for `shop-hub devices add`: doors, and a thermometer in every tenth place."""
    kinds = [_PROBE if number % _PROBE_EVERY == 0 else _DOOR for number in range(1, devices + 1)]
    return "\n".join(kind.format(number) for number, kind in enumerate(kinds, 1))


def main(arguments: list[str]) -> int:
    """Run until told to end; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m devices.simulators load", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE", help="one for each site")
    parser.add_argument("--plan", type=int, default=0, metavar="N", help="print a machines file for so many devices")
    parser.add_argument("--exits", type=float, default=0.0, help="people leaving by each door, per minute")
    parser.add_argument("--cuts", type=float, default=0.0, help="broken connections of each device, per minute")
    parser.add_argument("--control-port", type=int, default=0, help="0: any")
    parser.add_argument("--ready-file", type=Path, help="gets the ports in use once everything runs")
    chosen = parser.parse_args(arguments)
    if chosen.plan:
        sys.stdout.write(plan(chosen.plan))
        return 0
    if not chosen.files:
        parser.error("give the FILE of at least one site")
    configs = [load_config(file) for file in chosen.files]
    bustle = Bustle(chosen.exits, chosen.cuts)
    process.run(lambda: Crowd(configs, bustle), control_port=chosen.control_port, ready_file=chosen.ready_file)
    return 0


def _allow_files(devices: int) -> None:
    """Let this process open as many files as the devices need, as far as the system allows."""
    now, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = devices * _FILES_A_DEVICE + _FILES_BESIDES
    if most != resource.RLIM_INFINITY and wanted > most:
        raise SystemExit(f"{devices} devices need {wanted} open files, and this user may have {most}: ulimit -Hn")
    if resource.RLIM_INFINITY != now < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))
