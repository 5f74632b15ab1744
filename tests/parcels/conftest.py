"""A village with a parcel station on each kind of database."""

import pytest

from shop_hub.core.db import Database
from shop_hub.core.sites import Site
from tests.conftest import make_site
from tests.parcels.village import Village


@pytest.fixture
def village(database: Database, site: Site) -> Village:
    """Nine compartments with light barriers."""
    return Village(database, site)


@pytest.fixture
def blind_village(sqlite_database: Database) -> Village:
    """Nine compartments without light barriers."""
    return Village(sqlite_database, make_site(sqlite_database), has_presence=False)
