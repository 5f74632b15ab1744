"""500 crashes at random moments of a purchase, a payment by card, a delivery and a pick-up: nothing lost or doubled.

Each history is done by a process that is killed somewhere; a new one then does what the till, the jobs and the device
would do anyway: ask again with the same key, recover, tell the event again.
"""

import random
import shutil
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from shop_hub.app import create_app
from shop_hub.core import verify
from shop_hub.core.access import Role
from shop_hub.core.db import Database
from shop_hub.core.settings import Settings
from shop_hub.fleet.models import CommandState
from shop_hub.lockers import checks as locker_checks
from shop_hub.lockers.models import Allocation
from shop_hub.parcels import checks as parcel_checks
from shop_hub.parcels.models import ParcelState
from shop_hub.people import service as people
from shop_hub.people import staff
from tests.catalog.makers import gtin
from tests.checkout.shop import BREAD, COLA, MILK, Shop
from tests.conftest import make_site
from tests.faults.crashing import dies_at
from tests.parcels.village import LABELS, Village

pytestmark = pytest.mark.slow
CRASHES = 125
LONGEST = 60


class Copies:
    """Hands out fresh copies of one prepared database, always at the same path."""

    def __init__(self, template: Path, folder: Path) -> None:
        self.template, self.path = template, folder / "hub.sqlite3"
        self.database = Database(f"sqlite:///{self.path}")

    def fresh(self) -> None:
        self.database.dispose()
        for suffix in ("-wal", "-shm"):
            self.path.with_name(self.path.name + suffix).unlink(missing_ok=True)
        shutil.copy(self.template, self.path)

    def keep(self) -> None:
        """Make what is there now the template."""
        with self.database.engine.connect() as connection:
            connection.exec_driver_sql("ROLLBACK")
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
            connection.exec_driver_sql("BEGIN")
        self.database.dispose()
        prepared = self.path.with_name("prepared.sqlite3")
        shutil.copy(self.path, prepared)
        self.template = prepared


@pytest.fixture
def copies(sqlite_template: Path, tmp_path: Path) -> Copies:
    made = Copies(sqlite_template, tmp_path)
    made.fresh()
    return made


def deviations(village: Village) -> list[verify.Deviation]:
    with village.database.reading() as session:
        return verify.run(session, (*parcel_checks.CHECKS, *locker_checks.CHECKS))


def crash_histories(seed: int) -> list[int]:
    """Return the moments at which the histories of one test die."""
    chance = random.Random(seed)  # noqa: S311 - a history to repeat, no secret
    return [chance.randrange(LONGEST) for _ in range(CRASHES)]


def repeat(copies: Copies, seed: int, work: Callable[[], object], check: Callable[[], None]) -> None:
    """Crash `work` at each moment of the histories; `check` repairs and looks."""
    died = 0
    for moment in crash_histories(seed):
        copies.fresh()
        died += dies_at(copies.database, moment, work)
        check()
    assert died > CRASHES // 4


def test_a_till_repeats_its_purchase_after_a_crash(copies: Copies, tmp_path: Path) -> None:
    shop = Shop(copies.database, make_site(copies.database))
    app = create_app(Settings(data=tmp_path / "data", production=False), copies.database)
    with shop.session() as session:
        card = people.issue_card(session, shop.member_id).text
        people.set_pin(session, app.hasher, shop.member_id, "7402")
        token = staff.issue_api_token(session, shop.site.id, Role.TILL, label="till", days=1).text
    body = {"lines": [{"gtin": gtin(BREAD)}, {"gtin": gtin(COLA), "quantity": 2}], "member_card": card, "pin": "7402"}
    headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": str(uuid.uuid4())}

    def buy():
        return app.test_client().post("/api/v1/sales", json=body, headers=headers)

    def check() -> None:
        assert shop.deviations() == []
        assert (buy().status_code, buy().status_code) == (201, 201)
        assert shop.balance() == 10_000 - 349 - 2 * (99 + 25)
        assert (shop.level(BREAD), shop.level(COLA), shop.receipts()) == (9_000, 8_000, [1])
        assert shop.deviations() == []

    copies.keep()
    copies.fresh()
    assert buy().status_code == 201  # warms the caches that the children inherit
    repeat(copies, 1, buy, check)


def test_a_card_payment_is_captured_once_and_ends_in_a_receipt(copies: Copies) -> None:
    shop = Shop(copies.database, make_site(copies.database))
    basket = shop.basket(gtin(MILK), gtin(BREAD))
    copies.keep()

    def pay() -> None:
        shop.charge(basket)
        shop.approve()
        shop.tick()

    def check() -> None:
        assert shop.deviations() == []
        if shop.basket_state(basket) == "open":
            shop.charge(basket)
        if shop.receipts() == []:
            shop.approve()  # the terminal tells its result until the hub has acknowledged it
        shop.tick(30)
        total = 129 + 15 + 349
        assert (shop.receipts(), shop.balance("card-clearing")) == ([1], -total)
        assert (shop.level(MILK), shop.level(BREAD)) == (9_000, 9_000)
        assert shop.deviations() == []

    repeat(copies, 2, pay, check)


def test_a_deposit_survives_a_crash_at_any_moment(copies: Copies) -> None:
    village = Village(copies.database, make_site(copies.database))
    village.announce(LABELS[0], person_id=None)
    work = village.start_work()
    copies.keep()
    seq = village.seq

    def bring() -> None:
        village.seq = seq
        parcel_id = village.scan(work, LABELS[0])
        village.use_door(parcel_id, occupied=True)

    def check() -> None:
        village.seq = seq + 10
        parcel_id = village.scan(work, LABELS[0])  # the courier scans the label again: same parcel, same door
        number = village.number_of(parcel_id)
        if village.parcel(parcel_id).state is ParcelState.DEPOSITING:
            village.use_door(parcel_id, occupied=True)
        assert village.parcel(parcel_id).state is ParcelState.READY
        taken = [n for n in range(1, 10) if village.compartment(n).allocation is not Allocation.FREE]
        assert taken == [number]
        assert deviations(village) == []

    repeat(copies, 3, bring, check)


def test_a_pick_up_survives_a_crash_at_any_moment(copies: Copies) -> None:
    village = Village(copies.database, make_site(copies.database))
    parcel_id = village.bring(LABELS[0])
    number = village.number_of(parcel_id)
    copies.keep()
    seq = village.seq

    def fetch() -> None:
        village.seq = seq
        village.collect(parcel_id)
        village.use_door(parcel_id, occupied=False)

    def check() -> None:
        village.seq = seq + 10
        if village.parcel(parcel_id).state is ParcelState.READY:
            village.collect(parcel_id)
        if village.parcel(parcel_id).state is ParcelState.COLLECTING:
            command = village.command(number)
            if command is not None and command.state is not CommandState.DONE:
                village.use_door(parcel_id, occupied=False)
            else:
                village.closes(number, occupied=False)
        assert village.parcel(parcel_id).state is ParcelState.COLLECTED
        assert village.compartment(number).allocation is Allocation.FREE
        assert deviations(village) == []

    repeat(copies, 4, fetch, check)
