"""`python -m devices.locker`: run a parcel station of real lock boards.

python -m devices.locker --line kerong-cu16=/dev/ttyUSB0
python -m devices.locker --line cu48-modbus=/dev/ttyUSB0@9600 --line waveshare=192.168.1.40:4196 --pulse-ms 300

Which lock opens which compartment is told in the backoffice, under "Station set-up"; it holds for the lines as they
were then, in that order. Several adapters are named as in /dev/serial/by-id or by-path.
"""

import sys

from devices.agent.run import parser, run
from devices.locker.agent import LockerDevice
from devices.locker.makes import MAKES, lines
from devices.locker.station import Station


def main(arguments: list[str] | None = None) -> int:
    """Run until told to end; return the exit status."""
    made = parser("locker", __doc__)
    made.add_argument(
        "--line",
        action="append",
        required=True,
        metavar="MAKE=WHERE",
        help=f"boards on a serial port (with @speed, if not the maker's) or at host:port; makes: {', '.join(MAKES)}",
    )
    made.add_argument("--pulse-ms", type=int, default=500, help="how long a lock is energised")
    made.add_argument("--open-within-s", type=float, default=3.0, help="how long a door may take to open")
    options = made.parse_args(arguments)

    def device() -> LockerDevice:
        made = lines(options.line, pulse_ms=options.pulse_ms)
        station = LockerDevice(Station(made, places=options.line), open_within_s=options.open_within_s)
        station.driver = ", ".join(dict.fromkeys(line.partition("=")[0] for line in options.line))
        return station

    return run(options.folder, device)


if __name__ == "__main__":
    sys.exit(main())
