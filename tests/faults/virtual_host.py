"""A device's threads and timers in the world's own time."""

from collections.abc import Callable

from devices.agent.host import Timer
from tests.faults.virtual import Process, World


class VirtualHost:
    """Stands for `devices.agent.host.Host`: desk and hands of one device."""

    network = None

    def __init__(self, world: World, process: Process) -> None:
        self._world, self._process = world, process
        self._lag = 0.0

    def post(self, work: Callable[[], object]) -> None:
        self._world.at(self._lag, work, self._process)

    def call(self, work: Callable[[], object], timeout_s: float = 5.0) -> None:
        del timeout_s
        work()

    def later(self, delay_s: float, work: Callable[[], object]) -> Timer:
        timer = Timer(work)
        self._world.at(delay_s, timer.fire, self._process)
        return timer

    def every(self, period_s: float, work: Callable[[], object], *, until: Callable[[], bool]) -> None:
        def step() -> None:
            if not until():
                self._world.at(period_s, step, self._process)
                work()

        self._world.at(period_s, step, self._process)

    def run_by_hand(self, work: Callable[[], object]) -> None:
        """Begin after a while, as behind another pulse; what comes of it is seen after a while, too."""
        chance = self._world.chance

        def by_hand() -> None:
            self._lag = chance.uniform(0.0, 3.0)
            try:
                work()
            finally:
                self._lag = 0.0

        queue_s = chance.uniform(0, 5) if chance.random() < 0.2 else chance.uniform(0, 0.3)
        self._world.at(queue_s, by_hand, self._process)
