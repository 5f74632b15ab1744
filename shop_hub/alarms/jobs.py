"""Periodic work of the alarms."""

from datetime import timedelta

from shop_hub.alarms import service, wiring
from shop_hub.core.jobs import Job
from shop_hub.core.web import ShopHub


def jobs(hub: ShopHub) -> list[Job]:  # noqa: ARG001 - every feature's jobs get the hub
    """Return the look at all conditions, and the forgetting of old alarms."""
    return [
        Job("alarms", timedelta(seconds=15), lambda session: service.look(session, wiring.sources)),
        Job("alarms-old", timedelta(hours=24), service.forget_old, needs_trusted_clock=True),
    ]
