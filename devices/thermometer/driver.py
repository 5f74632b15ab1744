"""What a thermometer driver must offer."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class ProbeReading:
    """One reading: thousandths of a degree Celsius, thousandths of relative humidity and of a full battery."""

    temperature_milli: int
    humidity_permille: int | None = None
    battery_permille: int | None = None


class Probe(Protocol):
    """A probe that is asked."""

    def read(self) -> ProbeReading:
        """Return the present reading.

        Raises:
            NoAnswerError: the probe is silent.
        """
