"""`python -m devices.agent pair CODE --hub URL`: get the keys of this device, once."""

import argparse
import sys
from pathlib import Path

from devices.agent.pairing import KEYS_FILE, Code, PairingError, pair


def main(arguments: list[str] | None = None) -> int:
    """Run one command; return the exit status."""
    options = _parser().parse_args(arguments)
    try:
        code = Code.read(options.code, options.hub)
        paired = pair(code, options.folder, insecure=options.insecure, ca_file=options.ca_file)
    except PairingError as error:
        print(error, file=sys.stderr)  # noqa: T201 - a command talks to its user
        return 1
    print(f"This is now {paired.device} of {paired.site}. Its keys: {options.folder / KEYS_FILE}")  # noqa: T201 - as above
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m devices.agent", description=__doc__)
    commands = parser.add_subparsers(required=True)
    command = commands.add_parser("pair", help="trade a one-time code of the office for the keys of this device")
    command.add_argument("code", help="as typed, or the whole text of the picture")
    command.add_argument("--hub", default="", help="address of the hub, like https://shop.example")
    command.add_argument("--folder", type=Path, default=Path("device"), help="where keys and journal lie")
    command.add_argument("--ca-file", default="", help="trust only this authority for the hub's certificate")
    command.add_argument("--insecure", action="store_true", help="without TLS, on a wire that nobody else reads")
    return parser


if __name__ == "__main__":
    sys.exit(main())
