"""Periodic work of vending."""

from datetime import timedelta

from shop_hub.core.jobs import Job
from shop_hub.core.web import ShopHub
from shop_hub.vending import service


def jobs(_hub: ShopHub) -> list[Job]:
    """Return the job that drives every vend to its end; it also runs right after every start."""
    return [Job("vending-watch", timedelta(seconds=2), service.watch)]
