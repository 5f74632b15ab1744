"""The backoffice over SQLite: its pages ask nothing special of the database."""

import pytest
from flask.testing import FlaskClient

from shop_hub.core.db import Database
from tests.backoffice.office import Browser


@pytest.fixture
def database(page_database: Database) -> Database:
    return page_database


@pytest.fixture
def browser(client: FlaskClient) -> Browser:
    return Browser(client)
