"""What lets a courier open a door: the PIN at the kiosk, on a phone the station's code of this quarter hour."""

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from shop_hub.core import clock, tokens
from shop_hub.core.access import Role
from shop_hub.core.db import Database
from shop_hub.core.ids import uuid7
from shop_hub.core.tokens import Purpose
from shop_hub.core.web import ShopHub
from shop_hub.fleet.models import Kiosk
from shop_hub.lockers.models import Locker, Size
from shop_hub.parcels import station_code
from shop_hub.parcels.models import ParcelState
from shop_hub.people import service as people
from tests.backoffice.office import Browser, make_operator
from tests.parcels.village import LABELS, Village

PIN = "4709"
TOKEN = re.compile(r'name="csrf_token" value="([0-9a-f]+)"')
STALE = "Bitte scannen Sie noch einmal den Code an der Paketstation."


@pytest.fixture
def database(sqlite_database: Database) -> Database:
    return sqlite_database


@pytest.fixture
def badge(app: ShopHub, village: Village) -> str:
    with app.database.transaction() as session:
        people.set_courier_pin(session, app.hasher, village.courier_id, PIN)
        return people.issue_badge(session, village.courier_id).text


def poster(client: FlaskClient, home: str) -> Callable[..., TestResponse]:
    """Return what sends a form as the pages under `home` do."""

    def post(path: str, **form: object) -> TestResponse:
        token = TOKEN.findall(client.get(f"{home}/").text or client.get(home).text)
        values = {"csrf_token": token[0], "idempotency_key": str(uuid7())}
        return client.post(home + path, data={**values, **form}, follow_redirects=True)

    return post


def code_of(app: ShopHub, village: Village) -> str:
    with app.database.reading() as session:
        return station_code.current(app.hasher, session.get_one(Locker, village.locker_id), 60).text


@pytest.fixture
def phone(app: ShopHub, client: FlaskClient, village: Village, badge: str) -> Callable[..., TestResponse]:
    """A phone that scanned the station's code, whose courier signed in."""
    post = poster(client, "/courier")
    post("/station", code=code_of(app, village))
    post("/pin", badge=badge, pin=PIN)
    return post


def test_a_phone_opens_doors_for_a_quarter_of_an_hour_after_the_scan(
    app: ShopHub, village: Village, phone: Callable[..., TestResponse]
) -> None:
    for label in LABELS[:2]:
        village.announce(label, size=Size.S)
    parcel_id = 1
    phone("/scan", code=LABELS[0])
    village.use_door(parcel_id, occupied=True)
    assert village.parcel(parcel_id).state is ParcelState.READY
    public_id = village.parcel(parcel_id).public_id
    for minutes in range(1, 16):  # at work all the time
        with clock.shifted(timedelta(minutes=minutes)):
            phone("/recipient")
    with clock.shifted(timedelta(minutes=15, seconds=5)):
        assert STALE in phone("/scan", code=LABELS[1]).text
        assert STALE in phone(f"/{public_id}", act="changed-mind").text
        assert len(village.commands()) == 1
        phone("/station", code=code_of(app, village))
        assert STALE not in phone("/scan", code=LABELS[1]).text
        assert len(village.commands()) == 2


def test_the_stations_code_counts_on_the_desk_too(
    app: ShopHub, village: Village, phone: Callable[..., TestResponse]
) -> None:
    village.announce()
    for minutes in range(1, 17):
        with clock.shifted(timedelta(minutes=minutes)):
            phone("/recipient")
    with clock.shifted(timedelta(minutes=17)):
        phone("/scan", code=code_of(app, village))
        phone("/scan", code=LABELS[0])
    assert len(village.commands()) == 1


def test_at_the_kiosk_taking_out_again_asks_for_the_pin_and_goes_on(
    app: ShopHub, client: FlaskClient, village: Village, badge: str
) -> None:
    with app.database.transaction() as session:
        kiosk = Kiosk(site_id=village.site.id, name="Kiosk", register_code="P1")
        session.add(kiosk)
        session.flush()
        client.set_cookie("kiosk", tokens.issue(session, Purpose.KIOSK, kiosk.id, site_id=village.site.id).text)
    kiosk_post = poster(client, "/kiosk/courier")
    parcel_id = village.announce()
    kiosk_post("/scan", code=badge)
    kiosk_post("/scan", code=LABELS[0])
    village.use_door(parcel_id, occupied=True)
    undo = f"/{village.parcel(parcel_id).public_id}"
    assert "Ihren Ausweis noch einmal vor den Leser" in kiosk_post(undo, act="changed-mind").text
    assert len(village.commands()) == 1
    kiosk_post("/take/pin", badge=badge, pin=PIN)
    kiosk_post(undo, act="changed-mind")
    assert len(village.commands()) == 2
    village.use_door(parcel_id, occupied=False)
    assert village.parcel(parcel_id).state is ParcelState.ANNOUNCED


def test_a_slip_is_hashed_while_nobody_waits_for_the_database(
    app: ShopHub, client: FlaskClient, village: Village, monkeypatch: pytest.MonkeyPatch
) -> None:
    parcel_id = village.bring(person_id=village.neighbour_id)
    make_operator(app, village.site, Role.OPERATOR, "petra")
    browser = Browser(client)
    browser.sign_in("petra")
    held = []
    slow = type(app.hasher).hash

    def watched(*args: str) -> str:
        held.append(getattr(app.database._local, "writes", False))
        return slow(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(type(app.hasher), "hash", watched)
    answer = browser.post(
        f"/office/parcels/{village.parcel(parcel_id).public_id}/slip", token=browser.token("/office/account")
    )
    assert answer.status_code == 200
    assert held == [False]
