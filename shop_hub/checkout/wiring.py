"""Ties the checkout to what lies below it: outcomes of payments go up as events."""

from shop_hub.checkout import rules, service
from shop_hub.core.web import ShopHub
from shop_hub.payments import service as payments


def connect(app: ShopHub) -> None:
    """Take the shop's rules, and hear of payments."""
    rules.use(app.settings.shop, app.hasher.derive("receipt"))
    payments.on_outcome("checkout", service.settle)
