"""Fridge thermometers: a compressor that switches on and off, and a battery that slowly ends."""

import math
import time

from pydantic import JsonValue

from devices.agent.device import NoAnswerError
from devices.simulators.world import Verb
from devices.thermometer.driver import ProbeReading

_CYCLE_S = 900.0
_SWING_MILLI = 600
_STEP_MILLI = 100


class SimulatedProbe:
    """Keeps the contract `Probe`: swings around `milli` as a fridge does, in steps of a tenth of a degree."""

    def __init__(self, milli: int, *, phase: float = 0.0) -> None:
        self._milli, self._usual_milli, self._phase = milli, milli, phase
        self._is_silent = False
        self._battery_permille = 870

    def read(self) -> ProbeReading:
        """Return the present reading."""
        if self._is_silent:
            raise NoAnswerError
        swing = _SWING_MILLI * math.sin(2 * math.pi * (time.monotonic() / _CYCLE_S + self._phase))
        milli = round((self._milli + swing) / _STEP_MILLI) * _STEP_MILLI
        return ProbeReading(milli, humidity_permille=520, battery_permille=self._battery_permille)

    def verbs(self) -> dict[str, Verb]:
        """Return what can happen to the fridge."""
        return {
            "temperature": self.temperature,
            "as_usual": lambda: self.temperature(self._usual_milli),
            "battery": self.battery,
            "silent": self.silent,
        }

    def look(self) -> JsonValue:
        """Return the middle temperature and the battery."""
        return {"milli": self._milli, "battery_permille": self._battery_permille, "silent": self._is_silent}

    def temperature(self, milli: int) -> None:
        """Set the temperature around which the fridge swings, in thousandths of a degree Celsius."""
        self._milli = milli

    def battery(self, permille: int) -> None:
        """Set the battery."""
        self._battery_permille = permille

    def silent(self, *, on: bool) -> None:
        """Have the probe stop answering, or answer again."""
        self._is_silent = on
