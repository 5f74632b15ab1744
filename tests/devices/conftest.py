"""A broker of each kind, a hub that speaks the contract by hand, and villages of simulators."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from devices.broker.child import ChildBroker
from devices.broker.dynsec_broker import DynsecBroker
from devices.broker.mosquitto import MosquittoBroker
from devices.broker.nats import NatsBroker
from devices.protocol import topics
from devices.protocol.channels import Sender
from devices.simulators.village import Village
from tests.contract import problems
from tests.devices.kit import SITE, HandHub, Listen, Listener, accounts, config, connect, eventually
from tests.servers import MUST_NOT_SKIP

PATHS = "/usr/sbin:/usr/bin"
MOSQUITTO = ("mosquitto", "dynsec")
KINDS_OF_BROKER: dict[str, type[ChildBroker]] = {"nats": NatsBroker, "mosquitto": MosquittoBroker}


@pytest.fixture(scope="session", params=["nats", pytest.param("mosquitto", marks=pytest.mark.mosquitto)])
def broker(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChildBroker]:
    if request.param == "mosquitto" and not MUST_NOT_SKIP and shutil.which("mosquitto", path=PATHS) is None:
        pytest.skip("mosquitto is not installed: apt-get install mosquitto")
    running = KINDS_OF_BROKER[request.param](tmp_path_factory.mktemp(request.param), accounts())
    running.start()
    yield running
    running.stop()


@pytest.fixture(scope="session", params=["nats", *(pytest.param(n, marks=pytest.mark.mosquitto) for n in MOSQUITTO)])
def any_broker(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChildBroker]:
    """Each broker in each way in which it can keep accounts."""
    if request.param in MOSQUITTO and not MUST_NOT_SKIP and shutil.which("mosquitto", path=PATHS) is None:
        pytest.skip("mosquitto is not installed: apt-get install mosquitto")
    kind = {**KINDS_OF_BROKER, "dynsec": DynsecBroker}[request.param]
    running = kind(tmp_path_factory.mktemp(request.param), accounts())
    running.start()
    yield running
    running.stop()


@pytest.fixture
def listen(any_broker: ChildBroker) -> Iterator[Listen]:
    made: list[Listener] = []

    def make(user: str, password: str, topic_filter: str) -> Listener:
        made.append(Listener(any_broker, user, password, topic_filter))
        return made[-1]

    yield make
    for listener in made:
        listener.bus.stop()


@pytest.fixture
def hub(broker: ChildBroker) -> Iterator[HandHub]:
    bus = connect(broker, "hub", "hub-secret")
    found = HandHub(bus)
    bus.subscribe(f"{SITE}/5/#", found.hear)
    bus.start()
    assert bus.wait_connected(5)
    yield found
    wrong = problems(list(found.seen), sender=Sender.DEVICE)
    _clear_retained(found)
    bus.stop()
    assert wrong == []  # whatever a test is about, what devices send keeps the contract


def _clear_retained(hub: HandHub) -> None:
    """Remove what the test left at the shared broker."""
    if hub.bus.wait_connected(10):
        for topic in {message.topic for message in list(hub.seen)}:
            hub.bus.publish(topic, b"", qos=1, retain=True)
        hub.bus.publish(topics.clock_topic(SITE), b"cleared", qos=1)
        eventually(lambda: any(message.payload == b"cleared" for message in list(hub.seen)))


class Villages:
    """Starts villages on the broker; a second one of the same test is a restart with the same journals."""

    def __init__(self, broker: ChildBroker, folder: Path) -> None:
        self._broker, self.folder = broker, folder
        self._running: list[Village] = []

    def start(self, *names: str, port: int = 0, auto_close_s: float = 0.0, **options: dict[str, Any]) -> Village:
        made = config(self._broker, self.folder, names, port=port, auto_close_s=auto_close_s, options=options)
        village = Village(made)
        self._running.append(village)
        village.start()
        eventually(village.is_connected)
        return village

    def stop(self, village: Village) -> None:
        self._running.remove(village)
        village.stop()

    def stop_all(self) -> None:
        for village in list(self._running):
            self.stop(village)


@pytest.fixture
def villages(broker: ChildBroker, hub: HandHub, tmp_path: Path) -> Iterator[Villages]:
    assert hub.bus.connected  # the hub outlives the village and cleans up behind it
    made = Villages(broker, tmp_path)
    yield made
    made.stop_all()
