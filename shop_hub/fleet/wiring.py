"""Ties the device registry to the application."""

from shop_hub.core.web import ShopHub
from shop_hub.fleet import kiosks
from shop_hub.people import principals


def connect(app: ShopHub) -> None:  # noqa: ARG001 - the same for every hub
    """Tell who asks which kiosk a browser on this computer is."""
    principals.find_first_kiosk = kiosks.first
