"""A village that the broker does not let the hub hear, because nobody has told it the hub's new rights."""

import pytest

from shop_hub.fleet.models import Link
from tests.conftest import make_site
from tests.fleet.conftest import STAGES
from tests.fleet.kit import eventually


@pytest.mark.parametrize("stage", STAGES[:1], indirect=True)
def test_the_others_are_served_and_the_hub_does_not_call_itself_connected(idle_village, caplog):
    make_site(idle_village.database, "neudorf")
    worker = idle_village.start_worker(wait=False)
    idle_village.device.start()

    eventually(lambda: idle_village.link() is Link.READY)

    eventually(lambda: "neudorf/5/+/+" in caplog.text)
    assert not worker.is_connected
    assert worker.is_leading
    assert worker.is_healthy()
