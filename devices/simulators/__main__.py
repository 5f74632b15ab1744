"""`python -m devices.simulators --config FILE`: all simulated devices of a site until SIGTERM or SIGINT.

`python -m devices.simulators load FILE …`: a thousand of them, see there.
"""

import argparse
import sys
from pathlib import Path

from devices.simulators import load
from devices.simulators.config import load as load_config
from devices.simulators.process import run
from devices.simulators.village import Village


def main() -> int:
    """Run until told to end; return the exit status."""
    if sys.argv[1:2] == ["load"]:
        return load.main(sys.argv[2:])
    parser = argparse.ArgumentParser(prog="python -m devices.simulators", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--config", type=Path, required=True, help="JSON or TOML, see devices/simulators/config.py")
    config = load_config(parser.parse_args().config)
    run(lambda: Village(config), control_port=config.control_port, ready_file=config.ready_file)
    return 0


if __name__ == "__main__":
    sys.exit(main())
