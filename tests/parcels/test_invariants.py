"""Whatever couriers, recipients, staff, doors and the line do, in any order: the invariants of parcels.md 5 hold.

A model of the station stands against the hub: what is physically in each compartment, and who put it there.
"""

import shutil
import tempfile
from functools import partial
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from sqlalchemy import select

from shop_hub.core.db import Database
from shop_hub.core.errors import ShopError
from shop_hub.core.verify import run
from shop_hub.fleet.models import UNRESOLVED, DeviceCommand, Link
from shop_hub.lockers import checks as locker_checks
from shop_hub.lockers import service as lockers
from shop_hub.lockers.models import Allocation, Compartment, Door, DoorOpening, OpeningState, Size
from shop_hub.parcels import checks
from shop_hub.parcels import service as parcels
from shop_hub.parcels.models import STORED, CourierSession, Parcel, ParcelState
from shop_hub.parcels.service import Outcome, Problem, Reason
from tests.conftest import make_site
from tests.parcels.village import LABELS, Village

DOORS = 4


class Station(RuleBasedStateMachine):
    """The world: four doors, two couriers, a handful of labels; `inside` is the truth behind each door."""

    def __init__(self, template: Path) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        shutil.copy(template, self.folder / "hub.sqlite3")
        self.database = Database(f"sqlite:///{self.folder / 'hub.sqlite3'}")
        self.village = Village(self.database, make_site(self.database), sizes="SSMX", columns=(2, 2))
        self.inside: dict[int, bool] = dict.fromkeys(range(1, DOORS + 1), False)
        self.is_open: dict[int, bool] = dict.fromkeys(range(1, DOORS + 1), False)
        self.pulsed: set[int] = set()
        for label in LABELS[:6]:
            self.village.announce(label, size=Size.S)
        self.work = self.village.start_work()

    def teardown(self) -> None:
        self.database.dispose()
        shutil.rmtree(self.folder)

    # People

    @rule(label=st.sampled_from(LABELS[:6]), size=st.sampled_from([None, Size.S, Size.M]))
    def courier_scans(self, label: str, size: Size | None) -> None:
        self.try_(lambda: self.village.scan(self.work, label, size=size))

    @rule(reason=st.sampled_from(Reason))
    def courier_undoes(self, reason: Reason) -> None:
        self.on_parcel(
            lambda session, parcel: parcels.undo_deposit(session, self.at_work(session), parcel, reason, has_pin=True),
            ParcelState.DEPOSITING, ParcelState.READY,
        )  # fmt: skip

    @rule(
        verb=st.sampled_from([partial(parcels.retry_open, has_pin=True), parcels.other_compartment, parcels.say_inside])
    )
    def courier_goes_on(self, verb: object) -> None:
        self.on_parcel(
            lambda session, parcel: verb(session, self.at_work(session), parcel),  # type: ignore[operator]
            ParcelState.DEPOSITING,
        )

    @rule()
    def courier_signs_in_again(self) -> None:
        self.work = self.village.start_work()

    @rule(pick=st.integers(0, 5))
    def recipient_asks(self, pick: int) -> None:
        self.on_parcel(
            lambda session, parcel: parcels.collect(session, parcel, actor="kiosk:1", way="qr"),
            ParcelState.READY, ParcelState.COLLECTING, ParcelState.EXPIRED, pick=pick,
        )  # fmt: skip

    @rule(pick=st.integers(0, 5))
    def recipient_opens_again(self, pick: int) -> None:
        self.on_parcel(
            lambda session, parcel: parcels.reopen(session, parcel, actor="kiosk:1"), ParcelState.COLLECTED, pick=pick
        )

    @rule(problem=st.sampled_from(Problem), pick=st.integers(0, 5))
    def recipient_complains(self, problem: Problem, pick: int) -> None:
        self.on_parcel(
            lambda session, parcel: parcels.report_problem(session, parcel, problem, actor="kiosk:1"),
            ParcelState.READY, ParcelState.COLLECTING, ParcelState.COLLECTED, pick=pick,
        )  # fmt: skip

    @rule(number=st.integers(1, DOORS))
    def staff_opens(self, number: int) -> None:
        self.on_compartment(
            number, lambda session, box: parcels.open_door(session, box, actor="operator:1", reason="Test")
        )

    @rule(outcome=st.sampled_from(Outcome))
    def staff_solves(self, outcome: Outcome) -> None:
        self.on_parcel(
            lambda session, parcel: parcels.resolve(session, parcel, outcome, actor="operator:1", reason="gesehen"),
            ParcelState.DISPUTED,
        )

    @rule(number=st.integers(1, DOORS))
    def staff_inspects(self, number: int) -> None:
        """Staff looks, takes out what lies there without an owner, and says truly that it is empty."""
        with self.database.reading() as session:
            box = session.scalars(select(Compartment).where(Compartment.number == number)).one()
            holds = session.scalar(
                select(Parcel.id).where(
                    Parcel.compartment_id == box.id, Parcel.state.in_((*STORED, "depositing", "disputed"))
                )
            )
        if holds is None and not self.is_open[number]:
            self.inside[number] = False
            self.village.property(number, "occupied", False)
            self.on_compartment(
                number, lambda session, box: lockers.inspect(session, box.id, actor="operator:1", is_empty=True)
            )

    # The machine

    @precondition(lambda self: self.waiting())
    @rule(pick=st.integers(0, 3), puts=st.booleans())
    def door_opens_and_someone_acts(self, pick: int, *, puts: bool) -> None:
        number = self.waiting()[pick % len(self.waiting())]
        self.village.opens(number)
        self.is_open[number] = True
        self.inside[number] = puts

    @rule(number=st.integers(1, DOORS))
    def door_closes(self, number: int) -> None:
        if self.is_open[number]:
            self.is_open[number] = False
            self.village.closes(number, occupied=self.inside[number])

    @precondition(lambda self: self.waiting())
    @rule(pick=st.integers(0, 3), what=st.sampled_from(["jams", "says_nothing", "refuses"]))
    def door_does_not_open(self, pick: int, what: str) -> None:
        number = self.waiting()[pick % len(self.waiting())]
        getattr(self.village, what)(number)

    @rule(number=st.integers(1, DOORS), takes=st.booleans())
    def someone_forces_a_door(self, number: int, *, takes: bool) -> None:
        if not self.is_open[number] and number not in self.waiting():
            self.village.event(number, "forced")
            self.village.property(number, "door", "open")
            self.is_open[number] = True
            if takes:
                self.inside[number] = False

    @rule(link=st.sampled_from([Link.READY, Link.READY, Link.SILENT]))
    def line_comes_or_goes(self, link: Link) -> None:
        self.village.goes(link)

    # What must hold

    @invariant()
    def nothing_deviates(self) -> None:
        with self.database.reading() as session:
            assert run(session, [*checks.CHECKS, *locker_checks.CHECKS]) == []

    @invariant()
    def a_free_compartment_that_could_be_given_out_is_empty(self) -> None:
        with self.database.reading() as session:
            for box in session.scalars(select(Compartment).where(*lockers.ALLOCATABLE)):
                assert not self.inside[box.number], box.number
                assert not self.is_open[box.number], box.number

    @invariant()
    def doors_move_only_for_a_reason(self) -> None:
        with self.database.reading() as session:
            opened = session.scalars(select(DoorOpening).where(DoorOpening.state == OpeningState.OPENED))
            for opening in opened:
                box = session.get_one(Compartment, opening.compartment_id)
                assert box.door is Door.OPEN, box.number

    @invariant()
    def who_waits_for_a_parcel_can_have_it(self) -> None:
        """A ready parcel lies in a compartment that is its own."""
        with self.database.reading() as session:
            for parcel in session.scalars(select(Parcel).where(Parcel.state == ParcelState.READY)):
                box = session.get_one(Compartment, parcel.compartment_id)
                assert box.allocation in (Allocation.OCCUPIED, Allocation.SUSPECT), parcel.id

    def waiting(self) -> list[int]:
        with self.database.reading() as session:
            nodes = session.scalars(
                select(DeviceCommand.node).where(DeviceCommand.state.in_(UNRESOLVED)).order_by(DeviceCommand.id)
            )
            return [int(node.removeprefix("box-")) for node in nodes]

    def at_work(self, session: object) -> CourierSession:
        return session.get_one(CourierSession, self.work)  # type: ignore[attr-defined, no-any-return]

    def on_parcel(self, act: object, *states: ParcelState, pick: int = 0) -> None:
        with self.database.reading() as session:
            ids = list(session.scalars(select(Parcel.id).where(Parcel.state.in_(states)).order_by(Parcel.id)))
        if ids:
            self.try_(lambda: self.inside_transaction(Parcel, ids[pick % len(ids)], act))

    def on_compartment(self, number: int, act: object) -> None:
        with self.database.reading() as session:
            id_ = session.scalars(select(Compartment.id).where(Compartment.number == number)).one()
        self.try_(lambda: self.inside_transaction(Compartment, id_, act))

    def inside_transaction(self, kind: type, id_: int, act: object) -> None:
        with self.database.transaction() as session:
            act(session, session.get_one(kind, id_))  # type: ignore[operator]

    def try_(self, act: object) -> None:
        """A refusal is an answer; anything else is a fault."""
        try:
            act()  # type: ignore[operator]
        except ShopError:
            return


def test_invariants_hold_whatever_happens(sqlite_template: Path) -> None:
    run_state_machine_as_test(
        lambda: Station(sqlite_template),
        settings=settings(
            max_examples=25, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
