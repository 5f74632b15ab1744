"""A broker with an account for Home Assistant."""

import pytest

from devices.broker.accounts import Account, Role
from shop_hub.fleet import home as fleet_home
from tests.fleet.conftest import KINDS_OF_BROKER
from tests.fleet.home.side import HomeSide
from tests.fleet.kit import (
    SITE,
    accounts,
    connect,
)


@pytest.fixture
def broker(stage, tmp_path):
    """As usual, with an account for Home Assistant."""
    home = Account("ha", "ha-secret", Role.HOME, (SITE,))
    running = KINDS_OF_BROKER[stage[1]](tmp_path / "broker", [*accounts(), home])
    running.start()
    yield running
    running.stop()


@pytest.fixture(autouse=True)
def quickly(monkeypatch):
    monkeypatch.setattr(fleet_home, "_LOOK_S", 0.3)


@pytest.fixture
def home(broker):
    side = HomeSide(connect(broker, "ha", "ha-secret", client_id="ha")).start(
        "homeassistant/device/+/config", "homeassistant/shop_hub/+/service"
    )
    yield side
    side.bus.stop()


@pytest.fixture
def at_each_turn(monkeypatch):
    monkeypatch.setattr(fleet_home, "_LOOK_S", 0)
