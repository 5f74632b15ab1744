"""Ties the noticeboard to the application."""

from shop_hub.board import personal
from shop_hub.core.web import ShopHub
from shop_hub.people import privacy


def connect(app: ShopHub) -> None:  # noqa: ARG001 - the same for every hub
    """Tell people what the board keeps of a person."""
    privacy.register("board", personal.export, personal.erase)
