"""Reads a DS18B20 probe through the Linux kernel's 1-Wire driver (Documentation/w1/slaves/w1_therm).

The kernel's file `w1_slave` has two lines: the nine bytes with their checksum ("crc=xx YES"), then `t=` with
thousandths of a degree. 85 °C is what the chip says after a power cut before its first measurement: no answer.
"""

import re
from pathlib import Path

from devices.agent.device import NoAnswerError
from devices.thermometer.driver import ProbeReading

DEVICES = Path("/sys/bus/w1/devices")
_POWER_ON_MILLI = 85_000
_COLDEST_MILLI, _WARMEST_MILLI = -55_000, 125_000
_READING = re.compile(r"crc=[0-9a-f]{2} YES\n.*\bt=(-?[0-9]{1,6})\s*$", re.DOTALL)


class OneWireProbe:
    """Keeps the contract `Probe`. `file` is the probe's `w1_slave`; reading it takes up to a second.

    Raises:
        ValueError: that is no file of a probe.
    """

    def __init__(self, file: Path) -> None:
        if file.name != "w1_slave":
            raise ValueError(f"{file} is no 1-Wire probe; it should be like {DEVICES}/28-0123456789ab/w1_slave")
        self._file = file

    def read(self) -> ProbeReading:
        """Measure.

        Raises:
            NoAnswerError: the probe is away, its bytes were garbled, or it has not measured since a power cut.
        """
        try:
            found = _READING.search(self._file.read_text(encoding="ascii"))
        except (OSError, UnicodeDecodeError) as error:
            raise NoAnswerError from error
        milli = int(found[1]) if found else _POWER_ON_MILLI
        if milli == _POWER_ON_MILLI or not _COLDEST_MILLI <= milli <= _WARMEST_MILLI:
            raise NoAnswerError
        return ProbeReading(milli)
