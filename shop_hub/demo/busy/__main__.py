"""`python -m shop_hub.demo.busy DATA BASE_URL CONTROL_PORT`: people live in a running village until they are ended."""

import sys
import time
from pathlib import Path

from devices.simulators.world import ControlError
from shop_hub.demo.browser import NotThereError, RefusedError
from shop_hub.demo.busy import acts
from shop_hub.demo.busy.world import NotNowError, World

SHORTEST_PAUSE_S, LONGEST_PAUSE_S = 2.0, 6.0


def live(world: World) -> None:
    """Do one thing after the other, with pauses; whatever fails is told, and life goes on."""
    while True:
        time.sleep(world.random.uniform(SHORTEST_PAUSE_S, LONGEST_PAUSE_S))
        name = acts.choose(world)
        print(f"{time.strftime('%H:%M:%S')} {name}: {_attempt(world, name)}", flush=True)


def _attempt(world: World, name: str) -> str:
    try:
        return acts.perform(world, name)
    except NotNowError as reason:
        return f"not now, {reason}"
    except (NotThereError, RefusedError, ControlError) as problem:
        return f"did not work: {problem}"
    except OSError as problem:
        return f"the shop does not answer ({problem}); waiting"


if __name__ == "__main__":
    live(World(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])))
