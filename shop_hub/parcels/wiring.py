"""Ties parcels to the application: the operator's rules, news of doors, which flow upwards, and personal data."""

from shop_hub.core.web import ShopHub
from shop_hub.lockers import service as lockers
from shop_hub.parcels import doors, personal, rules
from shop_hub.people import privacy


def connect(app: ShopHub) -> None:
    """Take the settings, and listen to doors."""
    rules.use(app.settings.parcels)
    lockers.on_door(doors.on_door)
    privacy.register("parcels", personal.export, personal.erase)
