"""A village shop for tests: real tables and the real dispatcher; only the terminal's part is played here."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from shop_hub.catalog.models import StockPolicy, VatClass
from shop_hub.checkout import checks as checkout_checks
from shop_hub.checkout import queries, service
from shop_hub.checkout.models import Basket, Sale
from shop_hub.checkout.service.booking import Sold
from shop_hub.core import audit, clock, verify
from shop_hub.core.db import Database
from shop_hub.core.sites import Site
from shop_hub.fleet import settle
from shop_hub.fleet.dispatch import Dispatcher
from shop_hub.fleet.models import UNRESOLVED, CommandState, Device, DeviceCommand, DeviceKind, HubLease, Kiosk, Link
from shop_hub.ledger import checks as ledger_checks
from shop_hub.ledger import queries as ledger
from shop_hub.ledger import service as ledger_service
from shop_hub.payments import checks as payment_checks
from shop_hub.payments import listeners
from shop_hub.payments import service as payments
from shop_hub.people import service as people
from shop_hub.people.models import Person
from shop_hub.stock import checks as stock_checks
from shop_hub.stock import queries as stock_queries
from shop_hub.stock import service as stock
from shop_hub.stock.models import LocationKind
from tests.catalog.makers import gtin, make_basics, make_product

MILK, COLA, BREAD, BEER, GIN, CHEESE, MARKED = range(1, 8)
CHECKS = (*checkout_checks.CHECKS, *ledger_checks.CHECKS, *payment_checks.CHECKS, *stock_checks.CHECKS)


@dataclass
class Shop:
    """One site with a kiosk, a card terminal, seven products and a member with 100 euros."""

    database: Database
    site: Site
    products: dict[int, int] = field(default_factory=dict)
    dispatcher: Dispatcher = field(default_factory=Dispatcher)

    def __post_init__(self) -> None:
        audit.use_key(b"checkout-tests")
        listeners.register(self.dispatcher)
        payments.on_outcome("checkout", service.settle)
        with self.database.transaction() as session:
            self._make_devices(session)
            self._make_products(session)
            self.member_id = self.make_member(session, cents=10_000)

    @contextmanager
    def session(self) -> Iterator[Session]:
        with self.database.transaction() as session:
            yield session

    def make_member(self, session: Session, *, cents: int, age_level: int = 0) -> int:
        new = people.NewPerson(home_site_id=self.site.id, first_name="Anna", last_name="Beck", age_level=age_level)
        person = people.create_person(session, new)
        if cents:
            ledger_service.top_up(
                session, self.site.id, person.id, cents, source="cash-box", actor="operator:1", ref=f"t{person.id}"
            )
        return person.id

    def member(self, session: Session, member_id: int | None = None) -> Person:
        return session.get_one(Person, member_id or self.member_id)

    def basket(self, *scans: str, age_level: int = 0) -> int:
        """Open a basket and scan goods into it, each scan a request of its own."""
        with self.session() as session:
            basket_id = service.open_basket(session, self.site.id, self.kiosk_id).id
            service.prove_age(session, basket_id, age_level)
        for scan in scans:
            self.scan(basket_id, scan)
        return basket_id

    def scan(self, basket_id: int, scan: str) -> int:
        with self.session() as session:
            return service.add_by_barcode(session, basket_id, scan)

    def pay(self, basket_id: int, member_id: int | None = None) -> Sold:
        with self.session() as session:
            return service.pay_from_account(session, basket_id, self.member(session, member_id))

    def charge(self, basket_id: int, **more: Any) -> Sold:
        with self.session() as session:
            return service.start_terminal_payment(session, basket_id, self.terminal_id, **more)

    def answer(self, state: CommandState, code: str = "", op: str = "", **data: Any) -> DeviceCommand:
        """Play the terminal's final answer to its open command."""
        with self.session() as session:
            command = session.scalars(
                select(DeviceCommand).where(
                    DeviceCommand.device_id == self.terminal_id, DeviceCommand.state.in_(UNRESOLVED)
                )
            ).one()
            assert command.op == (op or command.op)
            settle.conclude(session, self.dispatcher, command, state, code=code, result=data)
            return command

    def play(self, script: dict[str, tuple[CommandState, str, dict[str, Any]]], *, until_s: int) -> None:
        """Let time pass in steps of ten seconds, the terminal answering by the script, op by op."""
        for seconds in range(0, until_s, 10):
            self.tick(seconds)
            with self.database.reading() as session:
                op = session.scalar(
                    select(DeviceCommand.op).where(
                        DeviceCommand.device_id == self.terminal_id, DeviceCommand.state.in_(UNRESOLVED)
                    )
                )
            if op is not None:
                state, code, data = script[op]
                with clock.shifted(timedelta(seconds=seconds)):
                    self.answer(state, code, op=op, **data)

    def approve(self) -> None:
        self.answer(CommandState.DONE, op="charge", outcome="approved", trace=7, receipt=8)

    def late(self, command_id: int, state: CommandState, **data: Any) -> None:
        """Play a definite answer that comes after the hub had to call the command unknown."""
        with self.session() as session:
            command = session.get_one(DeviceCommand, command_id)
            settle.conclude(session, self.dispatcher, command, state, code="", result=data)

    def tick(self, seconds: float = 0) -> None:
        """Let the jobs run, `seconds` from now."""
        with clock.shifted(timedelta(seconds=seconds)):
            for job in (payments.recover, service.recover):
                with self.session() as session:
                    job(session)

    def sale(self, sold: Sold) -> Sale:
        with self.database.reading() as session:
            return session.get_one(Sale, sold.id)

    def basket_state(self, basket_id: int) -> str:
        with self.database.reading() as session:
            return session.get_one(Basket, basket_id).state.value

    def level(self, number: int) -> int:
        with self.database.reading() as session:
            return stock_queries.level(session, self.site.id, self.products[number])

    def balance(self, key: str | None = None) -> int:
        with self.database.reading() as session:
            return ledger.balance_cents(session, self.site.id, key or f"member:{self.member_id}")

    def receipt(self, sold: Sold) -> queries.Receipt:
        with self.database.reading() as session:
            return queries.receipt(session, sold.public_id)

    def deviations(self) -> list[verify.Deviation]:
        with self.database.reading() as session:
            return verify.run(session, CHECKS)

    def receipts(self) -> list[int]:
        with self.database.reading() as session:
            numbers = session.scalars(select(Sale.receipt_number).where(Sale.receipt_number.is_not(None)))
            return sorted(number for number in numbers if number is not None)

    def set_link(self, link: Link) -> None:
        with self.session() as session:
            session.get_one(Device, self.terminal_id).link = link

    def _make_devices(self, session: Session) -> None:
        forever = clock.now() + timedelta(days=400)
        session.add(HubLease(name="hub", owner="test", boot=1, generation=1, until=forever))
        kiosk = Kiosk(site_id=self.site.id, name="Kiosk", register_code="K1")
        session.add(kiosk)
        terminal = Device(
            site_id=self.site.id,
            slug="terminal",
            kind=DeviceKind.TERMINAL,
            name="Kartengerät",
            link=Link.READY,
            link_at=clock.now(),
            epoch="0123456789abcdef",
            boot=1,
        )
        session.add(terminal)
        session.flush()
        self.kiosk_id, self.terminal_id = kiosk.id, terminal.id

    def _make_products(self, session: Session) -> None:
        make_basics(session)
        drink = {"group": "drinks", "vat_class": VatClass.STANDARD}
        wanted: dict[int, dict[str, Any]] = {
            MILK: {"name": "Vollmilch 1 l", "cents": 129, "deposit": "mehrweg-15"},
            COLA: {"name": "Cola 0,5 l", "cents": 99, "deposit": "einweg-25", **drink},
            BREAD: {"name": "Landbrot", "cents": 349},
            BEER: {"name": "Pils", "cents": 119, "min_age": 16, **drink},
            GIN: {"name": "Gin", "cents": 1499, "min_age": 18, **drink},
            CHEESE: {"name": "Käse", "cents": 1290},
            MARKED: {"name": "Salat, heute billiger", "cents": 50, "stock_policy": StockPolicy.HARD},
        }
        for number, fields in wanted.items():
            product = make_product(session, self.site.id, codes=[gtin(number)], **fields)
            stock.receive(session, self.site.id, product.id, 10_000, actor="operator:1")
            self.products[number] = product.id

    def make_slot(self, number: int, pieces: int) -> int:
        """Make a slot of a machine that holds pieces of a product; return its location."""
        with self.session() as session:
            slot = stock.put_location(session, self.site.id, LocationKind.SLOT, f"slot-{number}")
            stock.receive(
                session, self.site.id, self.products[number], pieces * 1000, actor="operator:1", location_id=slot
            )
            return slot
