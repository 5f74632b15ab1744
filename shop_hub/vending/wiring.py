"""Ties vending to the checkout: paid goods of a machine go up as an event."""

from shop_hub.checkout import service as checkout
from shop_hub.core.web import ShopHub
from shop_hub.vending import service


def connect(_app: ShopHub) -> None:
    """Have the machine dispense what was paid."""
    checkout.on_paid(service.dispense)
