"""A region's hub without a broker: the test says what it hears."""

from types import SimpleNamespace

from sqlalchemy import select

from devices.protocol import topics
from devices.protocol.bus import Incoming
from devices.protocol.description import Description
from devices.protocol.ids import new_ulid
from devices.protocol.messages import Event, PropertyValue, Result, ResultState
from shop_hub.core.settings import Mqtt
from shop_hub.core.sites import Site
from shop_hub.fleet import queries
from shop_hub.fleet.collecting import CollectingIngest
from shop_hub.fleet.dispatch import Dispatcher
from shop_hub.fleet.flights import Flights
from shop_hub.fleet.inbox import Inbox, Received
from shop_hub.fleet.links import VillageLinks
from shop_hub.fleet.means import Means, Setup
from shop_hub.fleet.models import MISSING, DeadLetter, Device, DeviceEvent
from shop_hub.fleet.registry import Registry

SITE = "lindenau"
FIRST, SECOND, OLD = "1" * 16, "2" * 16, "0" * 16


class Ear:
    """Hears, and keeps what it acknowledged."""

    def __init__(self, database) -> None:
        self.database, self.acked = database, []
        registry = Registry(database)
        registry.refresh()
        setup = Setup(database, Dispatcher(), Mqtt(collects=True), "region", lambda *_: b"", lambda _: None)
        bus = SimpleNamespace(ack=self.acked.append)
        self.refetched = 0
        means = Means(setup, None, bus, registry, VillageLinks(), Flights(), Inbox())
        self.ingest = CollectingIngest(means, self._refetch)

    def _refetch(self) -> None:
        self.refetched += 1

    def hear(self, *told: tuple[str, bytes], retained: bool = False) -> None:
        """Hear these words in one batch."""
        messages = [Incoming(topic, payload, 1, retained, False, 1, 1) for topic, payload in told]
        self.ingest.apply([Received(message, topics.parse(message.topic)) for message in messages])

    def describe(self, slug: str = "station", kind: str = "locker", site: str = SITE, **more) -> None:
        body = Description(name=more.pop("name", slug), kind=kind, **more).encode()
        self.hear((topics.description_topic(site, slug), body))

    def events(self, *numbers: int, epoch: str = FIRST, slug: str = "station") -> None:
        self.hear(*(event(number, epoch=epoch, slug=slug) for number in numbers))

    def history(self, slug: str = "station") -> list[tuple[str, int, str]]:
        """Return epoch, number and type of all that is stored, the missing as first number with its last."""
        with self.database.reading() as session:
            rows = session.scalars(
                select(DeviceEvent).join(Device, Device.id == DeviceEvent.device_id).where(Device.slug == slug)
            )
            found = [
                (row.epoch[0], row.seq, f"-{row.data['last']}" if row.type == MISSING else row.type) for row in rows
            ]
        return sorted(found)

    def device(self, slug: str = "station") -> Device:
        with self.database.reading() as session:
            return session.scalars(select(Device).where(Device.slug == slug)).one()

    def site(self) -> Site:
        with self.database.reading() as session:
            return session.scalars(select(Site).where(Site.slug == SITE)).one()

    def slugs(self) -> list[str]:
        with self.database.reading() as session:
            return sorted(session.scalars(select(Device.slug)))

    def letters(self) -> list[str]:
        with self.database.reading() as session:
            return list(session.scalars(select(DeadLetter.reason)))

    def value(self, node: str = "box-01", name: str = "door"):
        with self.database.reading() as session:
            found = queries.property(session, self.device().id, node, name)
            return None if found is None else found.value


def event(number: int, *, epoch: str = FIRST, boot: int = 1, slug: str = "station", **data) -> tuple[str, bytes]:
    message = Event(event=f"{epoch}/{boot}/{number}", node="box-01", type="opened", data=data)
    return topics.event_topic(SITE, slug), message.encode()


def answer(number: int, *, epoch: str = FIRST, node: str = "box-01", slug: str = "station") -> tuple[str, bytes]:
    message = Result(id=new_ulid(), state=ResultState.DONE, epoch=epoch, boot=1, seq=number)
    return topics.result_topic(SITE, slug, node), message.encode()


def door(value: str, seq: int, *, epoch: str = FIRST, boot: int = 1) -> tuple[str, bytes]:
    message = PropertyValue(epoch=epoch, boot=boot, seq=seq, value=value)
    return topics.property_topic(SITE, "station", "box-01", "door"), message.encode()
