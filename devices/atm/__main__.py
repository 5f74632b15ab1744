"""`python -m devices.atm`: tell the hub how a cash machine does, read from its XFS4IoT services or its operator.

python -m devices.atm --xfs4iot ws://192.168.1.20:5846/xfs4iot/v1.0/CashDispenser --vendor-mode ws://…/VendorMode
python -m devices.atm --http https://operator.example/atm/4711 --token-file /etc/atm.token
"""

import sys

from devices.agent.run import parser, run
from devices.atm.agent import AtmDevice
from devices.atm.driver import AtmSource
from devices.atm.driver_http import HttpConfig, HttpSource
from devices.atm.driver_xfs4iot import Xfs4IotConfig, Xfs4IotSource


def main(arguments: list[str] | None = None) -> int:
    """Run until told to end; return the exit status."""
    made = parser("atm", __doc__)
    source = made.add_mutually_exclusive_group(required=True)
    source.add_argument("--xfs4iot", default="", metavar="URL", help="the machine's cash service, ws:// or wss://")
    source.add_argument("--http", default="", metavar="URL", help="the operator's address, https://")
    made.add_argument("--vendor-mode", default="", metavar="URL", help="the machine's vendor mode service, if apart")
    made.add_argument("--token-file", default="", help="bearer token for the operator")
    made.add_argument("--ca-file", default="", help="trust only this authority")
    made.add_argument("--poll-s", type=float, default=5.0, help="how often to look")
    options = made.parse_args(arguments)

    def chosen() -> AtmSource:
        if options.http:
            return HttpSource(HttpConfig(options.http, token_file=options.token_file, ca_file=options.ca_file))
        xfs = Xfs4IotConfig(options.xfs4iot, vendor_mode_url=options.vendor_mode, ca_file=options.ca_file)
        return Xfs4IotSource(xfs)

    def device() -> AtmDevice:
        made = AtmDevice(chosen(), poll_s=options.poll_s)
        made.driver = "http" if options.http else "xfs4iot"
        return made

    return run(options.folder, device)


if __name__ == "__main__":
    sys.exit(main())
