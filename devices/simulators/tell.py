"""The control port by hand: `python -m devices.simulators.tell PORT [DEVICE VERB [name=value …]]`.

    tell 4711                                      what can be done
    tell 4711 station break fault=jam place=box-03
    tell 4711 station mend fault=jam place=box-03
    tell 4711 station faults                       what can break, and what is broken

Values are JSON where they can be read as such, else words.
"""

import argparse
import json
import sys

from pydantic import JsonValue

from devices.simulators.control import ControlClient
from devices.simulators.world import ControlError


def main() -> int:
    """Do one thing and print what is answered."""
    parser = argparse.ArgumentParser(prog="python -m devices.simulators.tell", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("port", type=int)
    parser.add_argument("words", nargs="*", metavar="DEVICE VERB name=value")
    chosen = parser.parse_args()
    device, verb = (*chosen.words[:2], "", "")[:2]
    arguments = dict(word.partition("=")[::2] for word in chosen.words[2:])
    client = ControlClient(chosen.port)
    try:
        answer = client.do(device, verb or "faults", **{name: _value(text) for name, text in arguments.items()})
    except ControlError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    finally:
        client.close()
    sys.stdout.write(json.dumps(answer, indent=1, ensure_ascii=False) + "\n")
    return 0


def _value(text: str) -> JsonValue:
    try:
        value: JsonValue = json.loads(text)
    except ValueError:
        return text
    return value


if __name__ == "__main__":
    sys.exit(main())
