"""A village that tells people what is the matter."""

from pathlib import Path

import pytest

from shop_hub.core import clock
from shop_hub.core.settings import Mail, Settings
from tests.alarms.watchman import NOON, Watchman


@pytest.fixture
def app(database, tmp_path):
    from shop_hub.app import create_app

    mail = Mail(folder=str(tmp_path / "mails"))
    return create_app(Settings(data=tmp_path / "data", production=False, mail=mail), database)


@pytest.fixture
def village(app, database, site, tmp_path):
    with clock.shifted(NOON - clock.now()):
        yield Watchman(app, database, site, Path(tmp_path / "mails"))
