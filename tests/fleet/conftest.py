"""A broker for each test, a worker, and devices that follow a script."""

import shutil
from collections.abc import Callable, Iterator

import pytest

from devices.broker.child import ChildBroker
from devices.broker.mosquitto import MosquittoBroker
from devices.broker.nats import NatsBroker
from shop_hub.core import audit
from shop_hub.fleet.models import Link
from tests.conftest import _fresh_postgresql, _fresh_sqlite, make_site
from tests.fleet.kit import STATION, Scripted, Village, accounts, eventually, register
from tests.servers import MUST_NOT_SKIP

KINDS_OF_BROKER: dict[str, type[ChildBroker]] = {"nats": NatsBroker, "mosquitto": MosquittoBroker}
STAGES = [
    pytest.param(("sqlite", "nats"), id="sqlite-nats"),
    pytest.param(
        ("postgresql", "mosquitto"), id="postgresql-mosquitto", marks=[pytest.mark.postgresql, pytest.mark.mosquitto]
    ),
]


@pytest.fixture(params=STAGES)
def stage(request) -> tuple[str, str]:
    """Database and broker, in the two pairings in which a village runs."""
    if request.param[1] == "mosquitto" and shutil.which("mosquitto", path="/usr/sbin:/usr/bin") is None:
        assert not MUST_NOT_SKIP
        pytest.skip("mosquitto is not installed: apt-get install mosquitto")
    return request.param


@pytest.fixture
def database(stage, request, tmp_path):
    if stage[0] == "sqlite":
        yield from _fresh_sqlite(request.getfixturevalue("sqlite_template"), tmp_path)
    else:
        yield from _fresh_postgresql(request.getfixturevalue("postgresql_server"))


@pytest.fixture
def site(database):
    audit.use_key(b"fleet-tests")
    return make_site(database)


@pytest.fixture
def broker(stage, tmp_path) -> Iterator[ChildBroker]:
    running = KINDS_OF_BROKER[stage[1]](tmp_path / "broker", accounts())
    running.start()
    yield running
    running.stop()


@pytest.fixture
def make_village(broker, database, site, tmp_path) -> Iterator[Callable[[], Village]]:
    """Return a maker of a village whose device is registered and whose worker does not run yet."""
    made: list[Village] = []

    def make(slug: str = STATION, **more) -> Village:
        row = register(database, site, slug, **more)
        village = Village(broker, database, row, Scripted(broker, slug), folder=tmp_path / "hub")
        made.append(village)
        return village

    yield make
    for village in made:
        village.end()


@pytest.fixture
def idle_village(make_village) -> Village:
    """A village whose worker and station do not run yet."""
    return make_village(map_revision=7)


@pytest.fixture
def village(idle_village) -> Village:
    """A running worker and a station that is ready."""
    idle_village.start_worker()
    idle_village.device.start()
    eventually(lambda: idle_village.link() is Link.READY)
    return idle_village


@pytest.fixture
def heard(idle_village) -> list[tuple[str, str]]:
    """The outcomes that reached the feature."""
    return idle_village.outcomes
