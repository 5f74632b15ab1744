"""The worker's picture of the devices: nothing that a device says about itself may keep it from being read."""

import pytest

from shop_hub.fleet.models import DeviceKind
from shop_hub.fleet.registry import Registry
from tests.machines import connect_device


@pytest.mark.parametrize(
    ("told", "interval_ms"),
    [
        ({}, 0),
        ({"interval_ms": 60_000}, 60_000),
        ({"interval_ms": 3_000_000_000}, 0),
        ({"interval_ms": 10**30}, 0),
        ({"interval_ms": -1}, 0),
        ({"interval_ms": 1.5}, 0),
        ({"interval_ms": None}, 0),
        ({"interval_ms": "soon"}, 0),
    ],
)
def test_whatever_interval_a_device_tells_all_are_known(database, site, told, interval_ms):
    with database.transaction() as session:
        connect_device(session, site.id, DeviceKind.THERMOMETER, "probe", description=told)
        connect_device(session, site.id, DeviceKind.DOOR, "door")
    registry = Registry(database)

    registry.refresh()

    assert {(info.slug, info.interval_ms) for info in registry.all()} == {("probe", interval_ms), ("door", 0)}
