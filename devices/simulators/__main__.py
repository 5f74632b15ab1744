"""`python -m devices.simulators --config FILE`: all simulated devices of a site until SIGTERM or SIGINT."""

import argparse
import json
import logging
import signal
import threading
from pathlib import Path

from devices.simulators.config import load
from devices.simulators.control import ControlPort
from devices.simulators.village import Village

_STACK_BYTES = 512 * 1024
_ENDS = {signal.SIGTERM, signal.SIGINT}


def main() -> None:
    """Run until told to end."""
    arguments = argparse.ArgumentParser(prog="python -m devices.simulators", description=__doc__)
    arguments.add_argument("--config", type=Path, required=True, help="JSON or TOML, see devices/simulators/config.py")
    config = load(arguments.parse_args().config)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    threading.stack_size(_STACK_BYTES)
    # Blocked before the first thread is made and waited for below: a handler may never run while the main thread
    # sleeps and another thread got the signal (seen under load).
    signal.pthread_sigmask(signal.SIG_BLOCK, _ENDS)
    village = Village(config)
    control = ControlPort(village, config.control_port)
    village.start()
    ready = {"control_port": control.port, "ports": village.ports()}
    if config.ready_file is not None:
        fresh = config.ready_file.with_suffix(".new")
        fresh.write_text(json.dumps(ready))
        fresh.replace(config.ready_file)
    logging.getLogger("devices.simulators").info("ready: %s", ready)
    signal.sigwait(_ENDS)
    control.close()
    village.stop()


if __name__ == "__main__":
    main()
