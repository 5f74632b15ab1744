"""Periodic work of the cash machine."""

from datetime import timedelta

from shop_hub.atm import service
from shop_hub.core.jobs import Job
from shop_hub.core.web import ShopHub


def jobs(hub: ShopHub) -> list[Job]:  # noqa: ARG001 - every feature's jobs get the hub
    """Return the watch for silence."""
    return [Job("atm-silence", timedelta(seconds=5), service.look_at_all)]
