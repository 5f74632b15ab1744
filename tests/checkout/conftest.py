"""A village shop on each kind of database."""

import pytest

from shop_hub.core.db import Database
from shop_hub.core.sites import Site
from tests.checkout.shop import Shop


@pytest.fixture
def shop(database: Database, site: Site) -> Shop:
    """One kiosk, one card terminal, seven products with ten pieces each, one member with 100 euros."""
    return Shop(database, site)
