"""Periodic work of payments."""

from datetime import timedelta

from shop_hub.core.jobs import Job
from shop_hub.core.web import ShopHub
from shop_hub.payments import service


def jobs(_hub: ShopHub) -> list[Job]:
    """Return the job that looks for the ends of lost payments."""
    return [Job("payments-recover", timedelta(seconds=2), service.recover)]
