"""`python -m devices.vending`: run a vending machine that a TOML file describes (see devices/vending/setup.py).

python -m devices.vending --machine machine.toml
"""

import sys
from pathlib import Path

from devices.agent.run import parser, run
from devices.vending.setup import device, load


def main(arguments: list[str] | None = None) -> int:
    """Run until told to end; return the exit status."""
    made = parser("vending", __doc__)
    made.add_argument("--machine", type=Path, default=Path("machine.toml"), help="the machine's description")
    options = made.parse_args(arguments)
    return run(options.folder, lambda: device(load(options.machine)))


if __name__ == "__main__":
    sys.exit(main())
