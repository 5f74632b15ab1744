"""Whatever is done in whatever order, levels are the sums of their moves, and slots are never overdrawn."""

import shutil
from contextlib import suppress
from datetime import date, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import ClassVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from sqlalchemy import select

from shop_hub.core.db import Database
from shop_hub.stock import checks, queries
from shop_hub.stock import service as stock
from shop_hub.stock.errors import AlreadyReversedError, OutOfStockError, UnknownMoveError
from shop_hub.stock.models import LocationKind, MoveReason, StockMove
from shop_hub.stock.service import Line, NewLot
from tests.catalog.makers import make_basics, make_product
from tests.conftest import make_site

QUANTITIES = st.integers(1, 5000)
PRODUCTS = st.integers(0, 1)
LOTS = st.one_of(
    st.none(),
    st.builds(
        NewLot,
        code=st.sampled_from(["", "A", "B"]),
        best_before=st.one_of(st.none(), st.integers(0, 3).map(lambda days: date(2026, 12, 1) + timedelta(days=days))),
    ),
)
WHO = {"actor": "operator:1"}


class Shelf(RuleBasedStateMachine):
    """A shelf and a slot with two products, and beside them the plain sums that a child would keep."""

    template: ClassVar[Path]

    @initialize()
    def open_shop(self) -> None:
        self.folder = TemporaryDirectory()
        path = Path(self.folder.name) / "hub.sqlite3"
        shutil.copy(self.template, path)
        self.database = Database(f"sqlite:///{path}")
        self.site = make_site(self.database).id
        with self.database.transaction() as session:
            make_basics(session)
            self.products = [make_product(session, self.site, name=name).id for name in ("Milch", "Bier")]
            self.shelf = stock.shelf(session, self.site)
            self.slot = stock.put_location(session, self.site, LocationKind.SLOT, "1")
        self.expected = {(place, product): 0 for place in (self.shelf, self.slot) for product in self.products}

    def teardown(self) -> None:
        if hasattr(self, "database"):
            self.database.dispose()
            self.folder.cleanup()

    @rule(product=PRODUCTS, quantity=QUANTITIES, lot=LOTS)
    def receive(self, product: int, quantity: int, lot: NewLot | None) -> None:
        with self.database.transaction() as session:
            stock.receive(session, self.site, self.products[product], quantity, lot=lot, **WHO)
        self.expected[self.shelf, self.products[product]] += quantity

    @rule(basket=st.lists(st.tuples(PRODUCTS, QUANTITIES), min_size=1, max_size=4))
    def sell(self, basket: list[tuple[int, int]]) -> None:
        lines = [Line(product_id=self.products[product], quantity_milli=quantity) for product, quantity in basket]
        with self.database.transaction() as session:
            stock.take_lines(session, self.site, lines, reason=MoveReason.SALE, ref="sale", **WHO)
        for line in lines:
            self.expected[self.shelf, line.product_id] -= line.quantity_milli

    @rule(product=PRODUCTS, quantity=QUANTITIES)
    def fill_slot(self, product: int, quantity: int) -> None:
        with self.database.transaction() as session:
            stock.move(session, self.shelf, self.slot, self.products[product], quantity, **WHO)
        self.expected[self.shelf, self.products[product]] -= quantity
        self.expected[self.slot, self.products[product]] += quantity

    @rule(product=PRODUCTS, quantity=QUANTITIES)
    def vend(self, product: int, quantity: int) -> None:
        key = (self.slot, self.products[product])
        is_enough = self.expected[key] >= quantity
        try:
            with self.database.transaction() as session:
                stock.take_hard(session, *key, quantity, reason=MoveReason.SALE, ref="vend", **WHO)
        except OutOfStockError:
            assert not is_enough
        else:
            assert is_enough
            self.expected[key] -= quantity

    @rule(product=PRODUCTS, counted=st.integers(0, 9000), in_slot=st.booleans())
    def count(self, product: int, counted: int, in_slot: bool) -> None:  # noqa: FBT001 - hypothesis passes it
        key = (self.slot if in_slot else self.shelf, self.products[product])
        with self.database.transaction() as session:
            found = stock.correct(session, self.site, key[1], counted_milli=counted, location_id=key[0], **WHO)
        assert found == counted - self.expected[key]
        self.expected[key] = counted

    @rule(number=st.integers(0, 200))
    def undo(self, number: int) -> None:
        with self.database.reading() as session:
            moves = session.scalars(select(StockMove).order_by(StockMove.id)).all()
        if not moves:
            return
        move = moves[number % len(moves)]
        with (
            suppress(AlreadyReversedError, UnknownMoveError, OutOfStockError),
            self.database.transaction() as session,
        ):
            stock.put_back(session, move.id, **WHO)
            for place, sign in ((move.from_id, 1), (move.to_id, -1)):
                if place is not None:
                    self.expected[place, move.product_id] += sign * move.quantity_milli

    @invariant()
    def levels_are_right(self) -> None:
        if not hasattr(self, "database"):
            return
        with self.database.reading() as session:
            found = {key: queries.location_level(session, *key) for key in self.expected}
            assert found == self.expected
            assert [list(check(session)) for check in checks.CHECKS] == [[], []]
        assert all(found[self.slot, product] >= 0 for product in self.products)


@pytest.fixture(autouse=True)
def template(sqlite_template: Path) -> None:
    Shelf.template = sqlite_template


TestShelf = pytest.mark.usefixtures("template")(Shelf.TestCase)
TestShelf.settings = settings(
    max_examples=25, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck)
)
