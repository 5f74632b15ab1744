"""A station with its hub for tests: real tables and the real dispatcher; only the machine's part is played here.

Each method that plays the machine is one transaction, as the worker's is.
"""

from dataclasses import dataclass, field
from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from shop_hub.core import clock
from shop_hub.core.db import Database
from shop_hub.core.hashing import SecretHasher
from shop_hub.core.sites import Site
from shop_hub.fleet.dispatch import Dispatcher
from shop_hub.fleet.models import (
    UNRESOLVED,
    CommandState,
    Device,
    DeviceCommand,
    DeviceEvent,
    DeviceKind,
    HubLease,
    Link,
)
from shop_hub.lockers import listeners
from shop_hub.lockers import service as lockers
from shop_hub.lockers.layout import NewCompartment, create_locker
from shop_hub.lockers.models import Compartment, Locker, Size
from shop_hub.parcels import doors, sessions
from shop_hub.parcels import service as parcels
from shop_hub.parcels.models import Channel, CourierSession, Parcel
from shop_hub.people import service as people
from shop_hub.people.models import Carrier, Courier, Notify, Person

HASHER = SecretHasher(b"a pepper for tests")
EPOCH = "0123456789abcdef"
LABELS = (
    "00340434161094042557",
    "00340433836442636597",
    "00340999962275326938",
    "00340999991894951221",
    "00340999908263821979",
    "00340999903896158430",
    "00340999946862145218",
    "00340999953220081309",
    "00340999924464895861",
    "00340999951969316256",
    "00340999954556386052",
    "00340999932302921832",
)


def layout(sizes: str, columns: tuple[int, ...], *, accessible: int = 5) -> list[NewCompartment]:
    """Return compartments 1, 2, … of these sizes (X is XL), so many in each column; one is within easy reach."""
    places = [(column + 1, row + 1) for column, length in enumerate(columns) for row in range(length)]
    return [
        NewCompartment(
            number=i + 1,
            node=f"box-{i + 1:02}",
            size=Size("XL" if letter == "X" else letter),
            column=places[i][0],
            row=places[i][1],
            is_accessible=i + 1 == accessible,
        )
        for i, letter in enumerate(sizes)
    ]


@dataclass
class Village:
    """One site with a station, two carriers, two couriers and two people."""

    database: Database
    site: Site
    sizes: str = "SSSMMMLLX"
    columns: tuple[int, ...] = (3, 3, 3)
    has_presence: bool = True
    seq: int = 0
    dispatcher: Dispatcher = field(default_factory=Dispatcher)

    def __post_init__(self) -> None:
        listeners.register(self.dispatcher)
        lockers.on_door(doors.on_door)
        with self.database.transaction() as session:
            session.add(
                HubLease(name="hub", owner="test", boot=1, generation=1, until=clock.now() + timedelta(days=400))
            )
            device = Device(
                site_id=self.site.id, slug="station", kind=DeviceKind.LOCKER, name="Station", link=Link.READY,
                link_at=clock.now(), epoch=EPOCH, boot=1,
            )  # fmt: skip
            session.add(device)
            session.flush()
            self.device_id = device.id
            self.locker_id = create_locker(session, device.id, "Paketstation", layout(self.sizes, self.columns)).id
            self.carrier_id = people.create_carrier(
                session, Carrier(code="kranichpost", name="Kranichpost", label_format="sscc20")
            ).id
            other = people.create_carrier(
                session, Carrier(code="blauerbote", name="Blauer Bote", label_format="numeric14")
            )
            self.courier_id = people.create_courier(session, self.carrier_id, "Ramona Schlieben").id
            self.other_courier_id = people.create_courier(session, other.id, "Kevin Rothkirch").id
            self.person_id = self.add_person(session, "Ute", "Wegener", email="ute@example.org").id
            self.neighbour_id = self.add_person(session, "Jochen", "Wald").id
        for number in range(1, len(self.sizes) + 1):
            self.property(number, "door", "closed")
            if self.has_presence:
                self.property(number, "occupied", False)

    def add_person(
        self, session: Session, first: str, last: str, *, email: str = "", accessible: bool = False
    ) -> Person:
        """Enter a villager."""
        return people.create_person(
            session,
            people.NewPerson(
                home_site_id=self.site.id,
                first_name=first,
                last_name=last,
                street="Dorfanger",
                house_number="2",
                email=email,
                notify=Notify.MAIL if email else Notify.KIOSK,
                accessible=accessible,
            ),
        )

    # What people do

    def start_work(self, courier_id: int | None = None) -> int:
        """Sign a courier in at the kiosk; return the session's number."""
        with self.database.transaction() as session:
            locker = session.get_one(Locker, self.locker_id)
            courier = session.get_one(Courier, courier_id or self.courier_id)
            return sessions.start(session, locker, courier, Channel.KIOSK).id

    def announce(self, number: str = LABELS[0], *, size: Size | None = Size.S, person_id: int | None = None) -> int:
        """Announce a parcel for Ute, or for `person_id`; 0 means that nobody knows for whom."""
        with self.database.transaction() as session:
            new = parcels.NewParcel(
                carrier_id=self.carrier_id,
                number=number,
                size=size,
                person_id=(person_id or None) if person_id is not None else self.person_id,
                recipient_name="Ute Wegener",
                sender="Wollstube",
            )
            return parcels.announce(session, self.site.id, new, actor="token:1").id

    def scan(self, work: int, label: str = LABELS[0], *, size: Size | None = None, person_id: int | None = None) -> int:
        """Have a courier scan a label; return the parcel's number."""
        with self.database.transaction() as session:
            at_work = session.get_one(CourierSession, work)
            return parcels.deposit(session, at_work, label, size=size, person_id=person_id).id

    def bring(self, label: str = LABELS[0], **announced: object) -> int:
        """Announce and deposit a parcel the whole way; return its number."""
        self.announce(label, **announced)  # type: ignore[arg-type]
        parcel_id = self.scan(self.start_work(), label)
        self.use_door(parcel_id, occupied=True)
        return parcel_id

    def collect(self, parcel_id: int) -> None:
        """Have the recipient ask for the door."""
        with self.database.transaction() as session:
            parcels.collect(session, session.get_one(Parcel, parcel_id), actor="kiosk:1", way="qr")

    # What the machine does

    def use_door(self, parcel_id: int, *, occupied: bool | None) -> None:
        """Open the parcel's door as commanded, and close it with or without something inside."""
        number = self.number_of(parcel_id)
        self.opens(number)
        self.closes(number, occupied=occupied)

    def opens(self, number: int) -> None:
        """The lock gives way: sensor event, property, then the verdict."""
        command = self.command(number)
        self.event(number, "opened", cause=command.ulid if command else "")
        self.property(number, "door", "open")
        if command is not None:
            self.verdict(command.id, CommandState.DONE)

    def closes(self, number: int, *, occupied: bool | None) -> None:
        """The door is pushed shut."""
        if self.has_presence:
            self.property(number, "occupied", occupied)
        self.property(number, "door", "closed")
        self.event(number, "closed", occupied=occupied if self.has_presence else None, open_ms=4000)

    def jams(self, number: int) -> None:
        """The lock was pulsed, the door did not move."""
        command = self.command(number)
        assert command is not None
        self.event(number, "jam", cause=command.ulid)
        self.verdict(command.id, CommandState.FAILED, code="jam")

    def says_nothing(self, number: int) -> None:
        """No answer from the board: nobody knows."""
        command = self.command(number)
        assert command is not None
        self.verdict(command.id, CommandState.UNKNOWN, code="no_answer")

    def refuses(self, number: int, code: str = "stale_lease") -> None:
        """The station did not even try."""
        command = self.command(number)
        assert command is not None
        self.verdict(command.id, CommandState.REJECTED, code=code)

    def goes(self, link: Link) -> None:
        """The connection comes or goes."""
        with self.database.transaction() as session:
            session.get_one(Device, self.device_id).link = link

    def event(self, number: int, type_: str, *, cause: str = "", **data: object) -> None:
        """Deliver one event."""
        self.seq += 1
        with self.database.transaction() as session:
            device = session.get_one(Device, self.device_id)
            event = DeviceEvent(
                site_id=self.site.id, device_id=self.device_id, epoch=EPOCH, boot=1, seq=self.seq,
                node=f"box-{number:02}", type=type_, cause=cause, data=data, at=clock.now(), happened_at=clock.now(),
            )  # fmt: skip
            session.add(event)
            session.flush()
            self.dispatcher.event(session, event, device)

    def property(self, number: int, name: str, value: bool | str | None) -> None:  # noqa: FBT001 - a reading
        """Deliver one state."""
        with self.database.transaction() as session:
            device = session.get_one(Device, self.device_id)
            self.dispatcher.property(session, device, f"box-{number:02}", name, value)

    def verdict(self, command_id: int, state: CommandState, *, code: str = "", **result: object) -> None:
        """Deliver the final outcome of a command."""
        with self.database.transaction() as session:
            command = session.get_one(DeviceCommand, command_id)
            command.state, command.code, command.result = state, code, result
            session.flush()
            self.dispatcher.result(session, command)

    # What the tests look at

    def command(self, number: int) -> DeviceCommand | None:
        """Return the unresolved command for a door."""
        with self.database.reading() as session:
            return session.scalar(
                select(DeviceCommand).where(
                    DeviceCommand.node == f"box-{number:02}", DeviceCommand.state.in_(UNRESOLVED)
                )
            )

    def commands(self) -> list[DeviceCommand]:
        """Return all commands ever given."""
        with self.database.reading() as session:
            return list(session.scalars(select(DeviceCommand).order_by(DeviceCommand.id)))

    def parcel(self, parcel_id: int) -> Parcel:
        """Return a parcel as it stands now."""
        with self.database.reading() as session:
            return session.get_one(Parcel, parcel_id)

    def number_of(self, parcel_id: int) -> int:
        """Return the door of a parcel."""
        with self.database.reading() as session:
            return session.get_one(Compartment, session.get_one(Parcel, parcel_id).compartment_id).number

    def compartment(self, number: int) -> Compartment:
        """Return a compartment as it stands now."""
        with self.database.reading() as session:
            return session.scalars(
                select(Compartment).where(Compartment.number == number, Compartment.locker_id == self.locker_id)
            ).one()
