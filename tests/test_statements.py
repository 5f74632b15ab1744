"""How many statements a request costs: lists the same for one row and for thirty, a purchase only what a line needs."""

import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial

import pytest
from flask.testing import FlaskClient
from sqlalchemy import event
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from shop_hub.atm import service as atm
from shop_hub.atm.service import NewCashMachine
from shop_hub.board import service as board
from shop_hub.board.models import PostKind
from shop_hub.core import clock, tokens
from shop_hub.core.access import Role
from shop_hub.core.db import Database
from shop_hub.core.ids import uuid7
from shop_hub.core.sites import Site
from shop_hub.core.tokens import Purpose
from shop_hub.core.web import ShopHub
from shop_hub.fleet.models import DeviceKind, Kiosk
from shop_hub.ledger import service as ledger
from shop_hub.lockers.layout import create_locker
from shop_hub.parcels import service as parcels
from shop_hub.people import service as people
from shop_hub.people import staff
from shop_hub.people.models import Carrier
from shop_hub.stock import service as stock
from tests.backoffice.office import Browser, make_operator
from tests.catalog.makers import ean, gtin, make_basics, make_product
from tests.machines import connect_device
from tests.parcels.village import layout

PIN = "4711"
MANY = 30
LIST = re.compile(r"\((\?, )*\?\)")
"""The values of an IN: as many as there are rows, in one statement."""
PER_LINE = 4
"""What each line of a purchase writes: its stock level, its lot's level, its stock move, its line on the receipt."""


class Village:
    """One shop with a member, a program at the till, and rows that grow by `enter`."""

    def __init__(self, app: ShopHub, site: Site) -> None:
        self.app, self.site, self.rows = app, site, 0
        with app.database.transaction() as session:
            make_basics(session)
            member = people.create_person(session, self._person("Anna"))
            people.set_pin(session, app.hasher, member.id, PIN)
            self.card = people.issue_card(session, member.id).text
            ledger.top_up(session, site.id, member.id, 50_000, source="cash-box", actor="operator:1", ref="first")
            station = connect_device(session, site.id, DeviceKind.LOCKER, "station")
            create_locker(session, station.id, "Paketstation", layout("SSSMMMLLX", (3, 3, 3)))
            self.carrier_id = people.create_carrier(
                session, Carrier(code="post", name="Post", label_format="sscc20")
            ).id
            till = staff.issue_api_token(session, site.id, Role.TILL, label="till", days=1)
            post = staff.issue_api_token(
                session, site.id, Role.CARRIER, label="post", days=1, carrier_id=self.carrier_id
            )
            self.tokens = {Role.TILL: till.text, Role.CARRIER: post.text}

    def enter(self, count: int) -> None:
        """Add so many products in stock, people with cards, parcels, notices, events and cash machines."""
        with self.app.database.transaction() as session:
            for number in range(self.rows + 1, self.rows + count + 1):
                self._enter(session, number)
        self.rows += count

    def buy(self, client: FlaskClient, lines: int) -> None:
        """Buy one of each of the first `lines` products."""
        wanted = [{"gtin": gtin(number)} for number in range(1, lines + 1)]
        headers = {"Authorization": f"Bearer {self.tokens[Role.TILL]}", "Idempotency-Key": str(uuid7())}
        body = {"lines": wanted, "member_card": self.card, "pin": PIN}
        answer = client.post("/api/v1/sales", json=body, headers=headers)
        assert answer.status_code == 201, answer.text

    def _enter(self, session: Session, number: int) -> None:
        goods = make_product(session, self.site.id, codes=[gtin(number)], name=f"Ware {number}").id
        lot = stock.NewLot(code=f"L{number}", best_before=clock.today("Europe/Berlin") + timedelta(days=90))
        stock.receive(session, self.site.id, goods, 50_000, lot=lot, actor="operator:1")
        person = people.create_person(session, self._person(f"P{number}"))
        people.issue_card(session, person.id)
        label = "00" + ean(f"34043416109{number:06}")
        new = parcels.NewParcel(carrier_id=self.carrier_id, number=label, person_id=person.id)
        parcels.announce(session, self.site.id, new, actor="token:1")
        self._put_up(session, number)
        device = connect_device(session, self.site.id, DeviceKind.ATM, f"automat-{number}")
        atm.add_machine(session, self.site.id, NewCashMachine(bank=f"Automat {number}", device_id=device.id))

    def _person(self, name: str) -> people.NewPerson:
        return people.NewPerson(home_site_id=self.site.id, first_name=name, last_name="Test")

    def _put_up(self, session: Session, number: int) -> None:
        tomorrow = clock.today("Europe/Berlin") + timedelta(days=1)
        for kind, times in ((PostKind.NOTICE, None), (PostKind.EVENT, board.Times(first_day=tomorrow))):
            draft = board.Draft(kind=kind, text=f"Zettel {number}", title=f"Zettel {number}", times=times)
            board.write(session, self.site.id, draft, actor="operator:1", publish=True)


@pytest.fixture
def database(sqlite_database: Database) -> Database:
    return sqlite_database


@pytest.fixture
def village(app: ShopHub, site: Site) -> Village:
    return Village(app, site)


@contextmanager
def calls(database: Database) -> Iterator[list[str]]:
    """Collect what is handed to the driver; one call may bring many rows."""
    seen: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_more: object) -> None:
        seen.append(statement)

    event.listen(database.engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(database.engine, "before_cursor_execute", note)


@contextmanager
def runs(database: Database) -> Iterator[list[str]]:
    """Collect what SQLite runs, each row by itself, without what triggers do."""
    seen: list[str] = []

    def watch(connection: sqlite3.Connection, *_more: object) -> None:
        connection.set_trace_callback(lambda text: None if text.startswith("--") else seen.append(text))

    def leave(connection: sqlite3.Connection, *_more: object) -> None:
        connection.set_trace_callback(None)

    event.listen(database.engine, "checkout", watch)
    event.listen(database.engine, "checkin", leave)
    try:
        yield seen
    finally:
        event.remove(database.engine, "checkout", watch)
        event.remove(database.engine, "checkin", leave)


def test_a_line_more_of_a_purchase_costs_four_statements_and_no_call(
    village: Village, client: FlaskClient, database: Database
) -> None:
    village.enter(10)
    village.buy(client, 10)  # from now on the PIN is remembered
    with calls(database) as calls_for_1, runs(database) as runs_for_1:
        village.buy(client, 1)
    with calls(database) as calls_for_10, runs(database) as runs_for_10:
        village.buy(client, 10)
    assert calls_for_10 == calls_for_1
    assert len(runs_for_10) - len(runs_for_1) == 9 * PER_LINE


def test_lists_of_the_api_cost_the_same_for_1_and_31_rows(village: Village, client: FlaskClient) -> None:
    def get(role: Role, path: str) -> TestResponse:
        return client.get(f"/api/v1/{path}", headers={"Authorization": f"Bearer {village.tokens[role]}"})

    pages = {
        "products?limit=100": (Role.TILL, "Ware"),
        "events?limit=100": (Role.TILL, "Zettel"),
        "atms": (Role.TILL, "Automat"),
        "parcels?limit=100": (Role.CARRIER, "340434"),
    }
    asked = {path: (partial(get, role, path), row) for path, (role, row) in pages.items()}
    few, many = costs(village, asked)
    assert many == few


def test_lists_of_the_backoffice_cost_the_same_for_1_and_31_rows(village: Village, client: FlaskClient) -> None:
    make_operator(village.app, village.site, Role.ADMINISTRATOR, "ada")
    Browser(client).sign_in("ada")
    pages = {
        "products/": "Ware",
        "stock/?q=ware": "Ware",
        "people/": "Test",
        "parcels/?group=announced": "P",
        "devices/list": "automat-",
        "board/?tab=shown": "Zettel",
        "audit": "<tr",
    }
    few, many = costs(village, {path: (partial(client.get, f"/office/{path}"), row) for path, row in pages.items()})
    assert many == few


def test_pages_of_the_kiosk_cost_the_same_for_1_and_31_rows(village: Village, client: FlaskClient) -> None:
    with village.app.database.transaction() as session:
        kiosk = Kiosk(site_id=village.site.id, name="Eingang", register_code="K1")
        session.add(kiosk)
        session.flush()
        token = tokens.issue(session, Purpose.KIOSK, kiosk.id, site_id=village.site.id)
    client.set_cookie("kiosk", token.text, path="/kiosk")
    pages = {
        "shop/goods?group=milk": "Ware",
        "shop/goods?words=ware": "Ware",
        "board": "Zettel",
        "events": "Zettel",
        "atm": "Automat",
    }
    few, many = costs(village, {path: (partial(client.get, f"/kiosk/{path}"), row) for path, row in pages.items()})
    assert many == few


def costs(village: Village, pages: dict[str, tuple[Callable[[], TestResponse], str]]) -> list[dict[str, list[str]]]:
    """Return the statements of each page with one row of each kind and with 31; `row` is a text of each row."""
    found, shown = [], []
    for count in (1, MANY):
        village.enter(count)
        costs_now, shown_now = {}, {}
        for path, (ask, row) in pages.items():
            ask()  # makes the visit
            with calls(village.app.database) as seen:
                answer = ask()
            assert answer.status_code == 200, path
            costs_now[path] = [LIST.sub("(?)", statement) for statement in seen]
            shown_now[path] = answer.text.count(row)
        found.append(costs_now)
        shown.append(shown_now)
    assert [path for path in pages if not shown[1][path] > shown[0][path] > 0] == [], shown
    return found
