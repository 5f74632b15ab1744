"""Ties people to the application."""

from shop_hub.core.web import ShopHub
from shop_hub.people import principals


def connect(app: ShopHub) -> None:
    """Set operators' sign-in up."""
    principals.init_login(app)
