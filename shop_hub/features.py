"""The features of the hub. Each is one folder; what it offers is found by the name of its files.

`models` brings tables; `views`, `api`, `courier_views` and `public_views` bring a `blueprint`; `wiring` brings
`connect(app)` for data that flows upwards; `listeners` brings `register(dispatcher)`; `jobs` brings `jobs(hub)`;
`mails` brings `handlers(hub)` for the outbox; `alarms` brings `conditions(session, site_id)`; `checks` brings `CHECKS`
for `shop-hub verify`.
"""

from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType

FEATURES = (
    "people",
    "catalog",
    "ledger",
    "fleet",
    "stock",
    "payments",
    "fiscal",
    "lockers",
    "atm",
    "entrance",
    "climate",
    "checkout",
    "parcels",
    "vending",
    "board",
    "alarms",
    "backoffice",
)


def load(part: str) -> Iterator[ModuleType]:
    """Yield the module `part` of each feature that has one, in the order of the layers."""
    for feature in FEATURES:
        if find_spec(f"shop_hub.{feature}") and find_spec(f"shop_hub.{feature}.{part}"):
            yield import_module(f"shop_hub.{feature}.{part}")
