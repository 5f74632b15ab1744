"""Periodic work of the parcel station."""

from datetime import timedelta

from shop_hub.core.jobs import Job
from shop_hub.core.web import ShopHub
from shop_hub.lockers import doors, setups


def jobs(hub: ShopHub) -> list[Job]:  # noqa: ARG001 - the shape that the runtime calls
    """Return the jobs of this feature."""
    return [
        Job("lockers.settle-doors", timedelta(seconds=5), doors.settle),
        Job("lockers.end-idle-setups", timedelta(minutes=1), setups.end_idle),
    ]
