"""A cash machine as its bank's bridge shows it: cassettes that run low, service visits, faults."""

from dataclasses import replace
from typing import get_args

from pydantic import JsonValue

from devices.agent.device import NoAnswerError
from devices.atm.driver import AtmReading, CashUnit, DeviceStatus, Replenishment, UnitsStatus
from devices.simulators.world import ControlError, Verb

_UNITS = (
    CashUnit(id="cassette-1", currency="EUR", denomination_bucket="small", replenishment="ok"),
    CashUnit(id="cassette-2", currency="EUR", denomination_bucket="large", replenishment="ok"),
    CashUnit(id="reject", currency="EUR", denomination_bucket="mixed", replenishment="ok", is_dispensable=False),
)


class SimulatedAtm:
    """Keeps the contract `AtmSource`."""

    name = "simulator"

    def __init__(self) -> None:
        self.reading = AtmReading(device="online", units=_UNITS)
        self.is_silent = False

    def read(self) -> AtmReading:
        """Return the present state."""
        if self.is_silent:
            raise NoAnswerError
        return self.reading

    def close(self) -> None:
        """Do nothing: there is no connection."""

    def verbs(self) -> dict[str, Verb]:
        """Return what can happen to the machine."""
        return {
            "device": self.device,
            "level": self.level,
            "maintenance": self.maintenance,
            "dispenser": self.dispenser,
            "silent": self.silent,
        }

    def look(self) -> JsonValue:
        """Return the raw state."""
        reading = self.reading
        return {
            "device": reading.device,
            "vendor_mode": reading.vendor_mode,
            "dispenser": reading.dispenser,
            "units": {unit.id: unit.replenishment for unit in reading.units},
            "silent": self.is_silent,
        }

    def device(self, status: str, reason: str = "") -> None:
        """Set the machine's own word about itself (an XFS word such as hardwareError)."""
        found = next((word for word in get_args(DeviceStatus) if word == status), None)
        if found is None:
            raise ControlError(f"no such status: {status}")
        self.reading = replace(self.reading, device=found, reason=reason)

    def level(self, unit: str, level: str) -> None:
        """Set how full a cassette is."""
        found = next((word for word in get_args(Replenishment) if word == level), None)
        if found is None or all(known.id != unit for known in self.reading.units):
            raise ControlError(f"no such cassette or level: {unit} {level}")
        units = tuple(replace(u, replenishment=found) if u.id == unit else u for u in self.reading.units)
        self.reading = replace(self.reading, units=units)

    def maintenance(self, *, on: bool) -> None:
        """Begin or end a service visit."""
        self.reading = replace(self.reading, vendor_mode="active" if on else "inactive")

    def dispenser(self, status: str) -> None:
        """Set the dispenser: ok, attention, stop, unknown."""
        found = next((word for word in get_args(UnitsStatus) if word == status), None)
        if found is None:
            raise ControlError(f"no such status: {status}")
        self.reading = replace(self.reading, dispenser=found)

    def silent(self, *, on: bool) -> None:
        """Cut the bridge to the machine, or mend it."""
        self.is_silent = on
