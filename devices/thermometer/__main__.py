"""`python -m devices.thermometer`: tell the hub the temperature of a fridge, read from a DS18B20 probe.

python -m devices.thermometer --probe /sys/bus/w1/devices/28-0123456789ab/w1_slave --low 1 --high 7
"""

import sys
from pathlib import Path

from devices.agent.run import parser, run
from devices.thermometer.agent import Limits, ThermometerDevice
from devices.thermometer.driver_onewire import OneWireProbe


def main(arguments: list[str] | None = None) -> int:
    """Run until told to end; return the exit status."""
    made = parser("thermometer", __doc__)
    made.add_argument("--probe", type=Path, required=True, metavar="FILE", help="the probe's w1_slave")
    made.add_argument("--low", type=float, required=True, help="lowest allowed, in degrees Celsius")
    made.add_argument("--high", type=float, required=True, help="highest allowed, in degrees Celsius")
    made.add_argument("--interval-s", type=float, default=30.0, help="how often to measure")
    options = made.parse_args(arguments)
    limits = Limits(round(options.low * 1000), round(options.high * 1000))

    def device() -> ThermometerDevice:
        made = ThermometerDevice(OneWireProbe(options.probe), limits, interval_s=options.interval_s)
        made.driver = "onewire"
        return made

    return run(options.folder, device, interval_s=options.interval_s)


if __name__ == "__main__":
    sys.exit(main())
