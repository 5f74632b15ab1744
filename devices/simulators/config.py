"""The configuration of the simulator process, as JSON or TOML."""

import json
import tomllib
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from devices.simulators.locker import STATION, Compartment


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class BrokerAddress(_Strict):
    """Where the broker listens."""

    host: str = "127.0.0.1"
    port: int
    ca_file: str = ""


class _Device(_Strict):
    id: str
    name: str = ""
    password: str
    key: str = Field(pattern=r"^([0-9a-f]{2}){16,}$")
    """Signs the device's commands: at least 16 bytes as hex digits."""
    user: str = ""
    """Empty: `<site>_<id>`."""
    map: int = 0


class Locker(_Device):
    """A parcel station; `occupied` names compartments with a parcel at the first start.

    Its agent waits `answer_s` for a board and `open_within_s` for a door.
    """

    kind: Literal["locker"]
    compartments: tuple[Compartment, ...] = STATION
    occupied: tuple[str, ...] = ()
    pulse_s: float = 0.2
    answer_s: float = 0.2
    open_within_s: float = 3.0


class Vending(_Device):
    """A vending machine."""

    kind: Literal["vending"]
    slots: int = 30
    capacity: int = 8
    first_stock: int = 6
    motor_s: float = 1.0
    driver: Literal["direct", "mdb"] = "direct"
    """mdb: behind an MDB interface on a pty, where someone has to `press` the number of what was paid."""
    chilled: tuple[str, ...] = ()
    """Slots with goods that must stay cold."""
    limit_milli: int = 7_000
    """Warmer than this for `grace_s` seconds, and the chilled slots sell no more."""
    grace_s: float = 1800.0


class Atm(_Device):
    """A cash machine; its state is read as from a real one, by XFS4IoT or from its operator's HTTP address."""

    kind: Literal["atm"]
    poll_s: float = 1.0
    source: Literal["xfs4iot", "http"] = "xfs4iot"
    port: int = 0


class OpeningWindow(_Strict):
    """When the shop door is free while the hub is away: weekday 0 = Monday, minutes since midnight."""

    weekday: int = Field(ge=0, le=6)
    from_minute: int = Field(ge=0, le=1440)
    to_minute: int = Field(ge=0, le=1440)


class Door(_Device):
    """The entrance."""

    kind: Literal["door"]
    windows: tuple[OpeningWindow, ...] = ()
    held_open_s: float = 60.0


class Thermometer(_Device):
    """A fridge sensor; temperatures in thousandths of a degree Celsius."""

    kind: Literal["thermometer"]
    milli: int = 5_000
    low_milli: int = 0
    high_milli: int = 8_000
    interval_s: float = 10.0


class Terminal(_Device):
    """A card terminal; `port` 0 = any free one."""

    kind: Literal["terminal"]
    port: int = 0
    card_after_s: float = 1.0
    process_s: float = 0.5
    decline_cents: tuple[int, ...] = (5,)


class Printer(_Device):
    """A slip printer of a kiosk; slips land in `folder`."""

    kind: Literal["printer"]
    kiosk: str
    folder: Path


class Scanner(_Device):
    """A serial scanner of a kiosk; `port` 0 = any free one."""

    kind: Literal["scanner"]
    kiosk: str
    port: int = 0


AnyDevice = Annotated[
    Locker | Vending | Atm | Door | Thermometer | Terminal | Printer | Scanner, Field(discriminator="kind")
]


class SimulatorConfig(_Strict):
    """All devices of one site in one process.

    `auto_close_s`: a simulated person uses each door that opens and shuts it after so long; 0 = nobody comes.
    `ready_file` gets one JSON object with the ports in use once everything runs.
    """

    site: str
    broker: BrokerAddress
    folder: Path
    """Journals and physical states."""
    devices: tuple[AnyDevice, ...]
    control_port: int = 0
    auto_close_s: float = 4.0
    ready_file: Path | None = None


def load(path: Path) -> SimulatorConfig:
    """Read a configuration from a `.json` or `.toml` file.

    Raises:
        pydantic.ValidationError: it names what is wrong.
    """
    text = path.read_text(encoding="utf-8")
    data = tomllib.loads(text) if path.suffix == ".toml" else json.loads(text)
    return SimulatorConfig.model_validate(data)
