"""Whatever people, the card terminal and the machine do in whatever order: money, goods, numbers and books agree.

The terminal of this test is honest about money but not about answers: it may lose an answer after it has charged, stay
silent, refuse to take back, or answer late. At the end every sale is driven home; then it has exactly the money of the
receipts.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from sqlalchemy import func, select

from shop_hub.checkout import service
from shop_hub.checkout.models import Basket, BasketState, LineKind, Sale, SaleLine, SaleState
from shop_hub.checkout.service import saga
from shop_hub.core import clock
from shop_hub.core.db import Database
from shop_hub.core.errors import ShopError
from shop_hub.fleet.models import UNRESOLVED, CommandState, DeviceCommand, Link
from shop_hub.payments import service as payments
from shop_hub.payments.models import PaymentIntent
from tests.catalog.makers import gtin
from tests.checkout.shop import BREAD, COLA, MARKED, MILK, Shop
from tests.conftest import make_site

STOCK = {MILK: 10, COLA: 15, BREAD: 10, MARKED: 10}
ANSWERS = st.sampled_from(["do it", "do it", "do it, lose the answer", "refuse", "lose the answer", "cannot tell"])
GOODS = st.lists(st.sampled_from([MILK, COLA, BREAD, MARKED]), min_size=1, max_size=3)
ENDS = (SaleState.DONE, SaleState.VOID, SaleState.IN_REVIEW)


class Sales(RuleBasedStateMachine):
    """One till, one terminal, one machine slot, and beside them what really happened to card, purse and shelf."""

    template: ClassVar[Path]

    @initialize()
    def open_shop(self) -> None:
        self.folder = TemporaryDirectory()
        path = Path(self.folder.name) / "hub.sqlite3"
        shutil.copy(self.template, path)
        database = Database(f"sqlite:///{path}")
        self.shop = Shop(database, make_site(database))
        self.slot = self.shop.make_slot(COLA, 5)
        self.offset = 0
        self.taken: dict[str, int] = {}
        self.vends: list[int] = []
        self.dropped = 0
        self.before, saga._on_paid[:] = list(saga._on_paid), [self._told_to_drop]
        self.basket = self.shop.basket()

    def teardown(self) -> None:
        if hasattr(self, "shop"):
            try:
                self._drive_home()
            finally:
                saga._on_paid[:] = self.before
                self.shop.database.dispose()
                self.folder.cleanup()

    @rule(goods=GOODS)
    def pay_from_account(self, goods: list[int]) -> None:
        self._scan(goods)
        with self._now(), suppress(ShopError):
            self.shop.pay(self.basket)

    @rule(goods=GOODS, answer=st.one_of(st.none(), ANSWERS))
    def pay_by_card(self, goods: list[int], answer: str | None) -> None:
        self._scan(goods)
        with self._now(), suppress(ShopError):
            self.shop.charge(self.basket)
        if answer is not None:
            self.terminal_answers(answer)

    @rule(by_card=st.booleans())
    def buy_from_the_machine(self, *, by_card: bool) -> None:
        with self._now(), suppress(ShopError), self.shop.session() as session:
            (item,) = service.find_items(session, self.shop.site.id, [(gtin(COLA), 1)])
            service.start_vending(
                session,
                self.shop.site.id,
                self.shop.kiosk_id,
                item,
                location_id=self.slot,
                member=None if by_card else self.shop.member(session),
                terminal_device_id=self.shop.terminal_id if by_card else None,
            )

    @precondition(lambda self: self.vends)
    @rule(ending=st.sampled_from(["dropped", "jam", "doubt"]))
    def machine_ends(self, ending: str) -> None:
        sale_id = self.vends.pop()
        with self._now(), self.shop.session() as session:
            if ending == "dropped":
                service.delivered(session, sale_id)
            else:
                service.not_delivered(session, sale_id, ending, is_gone=ending == "doubt")
        self.dropped += ending == "doubt"

    @rule(answer=ANSWERS)
    def terminal_answers(self, answer: str) -> None:
        with self._now():
            self._answer(answer)

    @rule()
    def customer_cancels(self) -> None:
        with self._now(), self.shop.session() as session:
            sale_id = session.scalar(select(Sale.id).order_by(Sale.id.desc()).limit(1))
            if sale_id is not None:
                service.cancel(session, sale_id)

    @rule(back=st.integers(0, 3))
    def undo(self, back: int) -> None:
        with self._now(), suppress(ShopError), self.shop.session() as session:
            sales = session.scalars(select(Sale).where(Sale.state == SaleState.DONE).order_by(Sale.id.desc())).all()
            if len(sales) > back:
                service.undo(session, sales[back].public_id, actor="operator:1", is_staff=True, reason="test")

    @rule(seconds=st.sampled_from([3, 15, 200]))
    def time_passes(self, seconds: int) -> None:
        self.offset += seconds
        self.shop.tick(self.offset)

    @rule(link=st.sampled_from([Link.READY, Link.SILENT]))
    def terminal_is_heard_or_not(self, link: Link) -> None:
        self.shop.set_link(link)

    @invariant()
    def nothing_is_told_twice(self) -> None:
        if hasattr(self, "shop"):
            assert self.shop.deviations() == []
            assert self.shop.receipts() == list(range(1, len(self.shop.receipts()) + 1))
            assert self.shop.balance() >= 0

    def _drive_home(self) -> None:
        self.shop.set_link(Link.READY)
        for _ in range(40):
            while self.vends:
                self.machine_ends("dropped")
            if not self._is_open():
                break
            self.offset += 400
            self.shop.tick(self.offset)
            with self._now():
                self._answer("do it")
        assert not self._is_open()
        self._decide_cases()
        assert self.shop.deviations() == []
        assert sum(self.taken.values()) == -self.shop.balance("card-clearing")
        assert self.shop.balance("held") == 0
        for number, pieces in STOCK.items():
            gone = self.dropped if number == COLA else 0
            assert self.shop.level(number) == (pieces - self._sold(number) - gone) * 1000

    def _decide_cases(self) -> None:
        """A person looks at the terminal's own list and decides by it."""
        with self._now(), self.shop.session() as session:
            for sale in session.scalars(select(Sale).where(Sale.state == SaleState.IN_REVIEW)).all():
                references = session.scalars(
                    select(PaymentIntent.reference).where(PaymentIntent.sale_id == sale.id)
                ).all()
                is_paid = any(reference in self.taken for reference in references)
                service.decide(session, sale.public_id, is_paid=is_paid, reason="Tagesliste", actor="operator:1")

    def _sold(self, number: int) -> int:
        with self.shop.database.reading() as session:
            milli = session.scalar(
                select(func.coalesce(func.sum(SaleLine.quantity_milli), 0)).where(
                    SaleLine.product_id == self.shop.products[number], SaleLine.kind == LineKind.GOODS
                )
            )
        return int(milli or 0) // 1000

    def _is_open(self) -> bool:
        with self.shop.database.reading() as session:
            return session.scalar(select(Sale.id).where(Sale.state.not_in(ENDS)).limit(1)) is not None

    def _scan(self, goods: list[int]) -> None:
        with self._now(), suppress(ShopError):
            self._fresh_basket()
            for number in goods:
                self.shop.scan(self.basket, gtin(number))

    def _fresh_basket(self) -> None:
        with self.shop.database.reading() as session:
            state = session.get_one(Basket, self.basket).state
        if state in (BasketState.FINALISED, BasketState.ABANDONED):
            self.basket = self.shop.basket()

    def _told_to_drop(self, _session: object, sale: Any) -> None:
        if sale.id not in self.vends:
            self.vends.append(sale.id)

    def _answer(self, answer: str) -> None:
        with self.shop.database.reading() as session:
            command = session.scalar(
                select(DeviceCommand).where(
                    DeviceCommand.device_id == self.shop.terminal_id, DeviceCommand.state.in_(UNRESOLVED)
                )
            )
        if command is None:
            return
        reference, is_done = command.args["reference"], answer.startswith("do it")
        if command.op == "charge" and is_done:
            self.taken[reference] = command.args["cents"]
        if command.op == "reverse" and is_done:
            self.taken.pop(reference, None)
        state, code, outcome = _words(command.op, answer, is_taken=reference in self.taken)
        self.shop.answer(state, code, op=command.op, outcome=outcome)

    @contextmanager
    def _now(self) -> Iterator[None]:
        with clock.shifted(timedelta(seconds=self.offset)):
            yield


def _words(op: str, answer: str, *, is_taken: bool) -> tuple[CommandState, str, str]:
    """Return state, code and outcome as the terminal's agent tells them."""
    if answer in {"do it, lose the answer", "lose the answer"}:
        return CommandState.UNKNOWN, "no_answer", "unknown"
    if op == "status":
        truth = "approved" if is_taken else "none"
        return CommandState.DONE, "", "unknown" if answer == "cannot tell" else truth
    if answer == "do it":
        return CommandState.DONE, "", "approved" if op == "charge" else "reversed"
    if op == "charge":
        return CommandState.FAILED, "declined", "declined"
    if answer == "refuse" and is_taken:
        return CommandState.DONE, "", "approved"
    return CommandState.REJECTED, "busy", ""


@pytest.fixture(autouse=True)
def template(sqlite_template: Path) -> None:
    payments.on_outcome("checkout", service.settle)
    Sales.template = sqlite_template


TestSales = pytest.mark.usefixtures("template")(Sales.TestCase)
TestSales.settings = settings(
    max_examples=30, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
)
