"""A village with a vending machine, on each kind of database."""

import pytest

from shop_hub.checkout.service import saga
from shop_hub.vending import service
from tests.vending.world import Village


@pytest.fixture
def village(database, site, monkeypatch):
    """A kiosk, a card terminal, a member with 100 euros, and a machine with three filled slots of six."""
    monkeypatch.setattr(saga, "_on_paid", [service.dispense])
    return Village(database, site)
