"""`demo --busy`: each thing that simulated people do works on the real pages, and the books add up afterwards."""

from contextlib import closing

import pytest

from shop_hub.demo.busy.acts import ACTS, run_acts
from shop_hub.demo.busy.world import World
from tests.journeys.conftest import Village, wait_until

pytestmark = pytest.mark.slow


def test_each_act_of_the_simulated_people_succeeds_and_everything_adds_up(village: Village) -> None:
    wait_until(village.is_whole)
    with closing(World(village.data, village.url, village.about["simulators"]["port"])) as world:
        done = run_acts(world, ACTS)
    assert done.keys() == ACTS.keys()
    wait_until(village.is_whole)
    assert village.verify() == "Everything adds up."
