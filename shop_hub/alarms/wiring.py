"""Collects what the features watch: each offers `conditions(session, site_id)` in its module `alarms`."""

from shop_hub import features
from shop_hub.core.conditions import Source
from shop_hub.core.web import ShopHub

sources: list[Source] = []


def connect(_hub: ShopHub) -> None:
    """Find the features' conditions."""
    sources[:] = [module.conditions for module in features.load("alarms")]
