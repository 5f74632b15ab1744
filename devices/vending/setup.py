"""A real machine as its installer describes it, in a TOML file.

```toml
driver = "mdb"             # or "mqtt"
url = "/dev/ttyACM0"       # mdb: serial port or socket://host:port
limit_milli = 7000         # chilled goods may be so warm, for so many seconds
grace_s = 1800
audit_folder = "/srv/audits"   # files of a hand-held reader that are put here go to the hub

[[slots]]
number = 1
capacity = 8
item = 11                  # mdb: item number, mqtt: motor; without it the slot's number
chilled = true             # mqtt only: it tells its temperature
```
"""

import tomllib
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from devices.protocol.bus import BusConfig
from devices.vending.agent import VendingDevice
from devices.vending.auditfolder import AuditFolder
from devices.vending.cooling import ColdChain
from devices.vending.driver import Slot, VendingMachine
from devices.vending.driver_mqtt import MqttMachine, MqttMachineConfig


class SlotEntry(BaseModel):
    """One slot; `stock` lies in it when the machine is first seen, before the hub says otherwise."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    number: int = Field(ge=1, le=999)
    capacity: int = Field(ge=1, le=99)
    item: int = Field(default=0, ge=0, le=65_535)
    stock: int = Field(default=0, ge=0, le=99)
    chilled: bool = False

    @property
    def slot(self) -> Slot:
        """The slot as the agent knows it; named as the hub names its nodes."""
        return Slot(f"slot-{self.number:02d}", self.capacity, self.stock, self.chilled)


class MachineSetup(BaseModel):
    """The whole file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    driver: Literal["mdb", "mqtt"]
    slots: tuple[SlotEntry, ...] = Field(min_length=1, max_length=100)
    url: str = ""
    compares_prices: bool = True
    host: str = "127.0.0.1"
    port: int = 1883
    user: str = ""
    password: str = ""
    prefix: str = "machine"
    limit_milli: int = 7_000
    grace_s: float = Field(default=1800.0, gt=0)
    audit_folder: Path | None = None

    @model_validator(mode="after")
    def _tells_how_warm_it_is(self) -> Self:
        if self.driver == "mdb" and any(entry.chilled for entry in self.slots):
            raise ValueError("an MDB machine tells no temperature: its own controller has to stop the sale")
        return self


def load(path: Path) -> MachineSetup:
    """Read a machine's file.

    Raises:
        ValueError: no such file, no TOML, or what it says does not fit; the text says what.
    """
    try:
        return MachineSetup.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror}") from error


def device(setup: MachineSetup) -> VendingDevice:
    """Return the agent's half of a machine.

    Raises:
        ValueError: the part that its driver needs is not installed.
    """
    machine = _mdb(setup) if setup.driver == "mdb" else _mqtt(setup)
    if setup.audit_folder is not None:
        machine = AuditFolder(machine, setup.audit_folder)
    rule = ColdChain(setup.limit_milli, setup.grace_s)
    made = VendingDevice(machine, cold_chain=rule, is_chosen_there=setup.driver == "mdb")
    made.driver = setup.driver
    return made


def _mqtt(setup: MachineSetup) -> VendingMachine:
    bus = BusConfig(setup.host, setup.port, f"agent-of-{setup.prefix}", setup.user, setup.password)
    motors = {entry.item or entry.number: entry.slot for entry in setup.slots}
    return MqttMachine(MqttMachineConfig(bus, setup.prefix, motors))


def _mdb(setup: MachineSetup) -> VendingMachine:
    try:
        from devices.vending.driver_mdb import MdbConfig, MdbMachine, Spiral  # noqa: PLC0415 - pyserial is an extra
    except ImportError as error:
        raise ValueError('MDB needs pyserial: pip install "shop-hub[serial]"') from error
    spirals = [Spiral(entry.slot, entry.item or entry.number) for entry in setup.slots]
    return MdbMachine(MdbConfig(setup.url, spirals, compares_prices=setup.compares_prices))
