"""Binds a probe to the protocol: speaks at its interval, and tells when a limit is passed for some time."""

from dataclasses import dataclass
from typing import ClassVar

from devices.agent.agent import Agent
from devices.agent.device import Device, NoAnswerError
from devices.protocol.description import NodeDescription, PropertyDescription
from devices.thermometer.driver import Probe, ProbeReading

NODE = "probe"
_IN_A_ROW = 3
"""So many readings in a row make a limit exceeded or a probe silent: an open fridge door is no alarm."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Allowed temperature in thousandths of a degree Celsius."""

    low_milli: int
    high_milli: int


class ThermometerDevice(Device):
    """A sensor: takes no commands and gives out no leases."""

    kind: ClassVar[str] = "thermometer"
    actuates: ClassVar[bool] = False

    def __init__(self, probe: Probe, limits: Limits, *, interval_s: float) -> None:
        self._probe, self._limits, self._interval_s = probe, limits, interval_s
        self._outside = 0
        self._silent = 0
        self._exceeded = False
        self._reading = False

    def describe(self) -> dict[str, NodeDescription]:
        """Return the one node."""
        properties = {
            "temperature": PropertyDescription(datatype="integer", unit="m°C"),
            "humidity": PropertyDescription(datatype="integer", unit="‰"),
            "battery": PropertyDescription(datatype="integer", unit="‰"),
            "limits": PropertyDescription(datatype="json"),
        }
        return {NODE: NodeDescription(name=NODE, type="climate", properties=properties)}

    def start(self, agent: Agent) -> None:
        """Read now and then at the interval."""
        self._agent = agent
        agent.set(NODE, "limits", {"low": self._limits.low_milli, "high": self._limits.high_milli})
        agent.host.post(self._ask)
        agent.every(self._interval_s, self._ask)

    def _ask(self) -> None:
        if not self._reading:  # a probe that hangs must not pile up hands
            self._reading = True
            self._agent.host.run_by_hand(self._read)

    def _read(self) -> None:
        try:
            self._take(self._probe.read())
        except NoAnswerError:
            self._silent += 1
            if self._silent == _IN_A_ROW:
                self._agent.set(NODE, "temperature", None)
                self._agent.alert("probe", "no answer")
        finally:
            self._reading = False

    def _take(self, reading: ProbeReading) -> None:
        if self._silent >= _IN_A_ROW:
            self._agent.alert("probe", "")
        self._silent = 0
        self._agent.refresh(NODE, "temperature", reading.temperature_milli)
        if reading.humidity_permille is not None:
            self._agent.set(NODE, "humidity", reading.humidity_permille)
        if reading.battery_permille is not None:
            self._agent.set(NODE, "battery", reading.battery_permille)
        self._watch_limits(reading.temperature_milli)

    def _watch_limits(self, milli: int) -> None:
        inside = self._limits.low_milli <= milli <= self._limits.high_milli
        self._outside = 0 if inside else self._outside + 1
        if self._outside == _IN_A_ROW and not self._exceeded:
            self._exceeded = True
            self._agent.event(NODE, "limit-exceeded", temperature=milli)
        elif inside and self._exceeded:
            self._exceeded = False
            self._agent.event(NODE, "back-to-normal", temperature=milli)
