"""Periodic work of the checkout."""

from datetime import timedelta

from shop_hub.checkout import service
from shop_hub.core.jobs import Job
from shop_hub.core.web import ShopHub


def jobs(_hub: ShopHub) -> list[Job]:
    """Return the job that drives every sale to its end; it also runs right after every start."""
    return [Job("checkout-recover", timedelta(seconds=5), service.recover)]
