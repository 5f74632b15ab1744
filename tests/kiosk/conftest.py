"""The hub over a fresh database, asked without a browser."""

from pathlib import Path

import pytest
from flask.testing import FlaskClient

from shop_hub.app import create_app
from shop_hub.core.db import Database
from shop_hub.core.settings import Kiosk, Settings
from tests.conftest import make_site


@pytest.fixture
def client(page_database: Database, tmp_path: Path) -> FlaskClient:
    make_site(page_database)
    settings = Settings(data=tmp_path, production=False, kiosk=Kiosk(auto_pair_loopback=True))
    return create_app(settings, page_database).test_client()
