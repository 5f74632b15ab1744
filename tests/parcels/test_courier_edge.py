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
def database(page_database: Database) -> Database:
    return page_database


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
    kiosk_post = _at_kiosk(app, client, village, badge)
    parcel_id = village.announce()
    kiosk_post("/scan", code=LABELS[0])
    village.use_door(parcel_id, occupied=True)
    undo = f"/{village.parcel(parcel_id).public_id}"
    assert "Ihren Ausweis noch einmal vor den Scanner" in kiosk_post(undo, act="changed-mind").text
    assert len(village.commands()) == 1
    kiosk_post("/take/pin", badge=badge, pin=PIN)
    kiosk_post(undo, act="changed-mind")
    assert len(village.commands()) == 2
    village.use_door(parcel_id, occupied=False)
    assert village.parcel(parcel_id).state is ParcelState.ANNOUNCED


def test_a_wrong_pin_at_the_kiosk_is_asked_again(
    app: ShopHub, client: FlaskClient, village: Village, badge: str
) -> None:
    kiosk_post = _at_kiosk(app, client, village, badge)
    refused = kiosk_post("/take/pin", badge=badge, pin="0000")
    assert (refused.status_code, "Die Geheimzahl stimmt nicht" in refused.text) == (403, True)
    assert 'data-pad="field-pin"' in refused.text


def test_sizes_are_those_that_the_recipient_can_reach(
    app: ShopHub, client: FlaskClient, village: Village, badge: str
) -> None:
    with app.database.transaction() as session:
        village.add_person(session, "Hannelore", "Petersdorf", accessible=True)
    kiosk_post = _at_kiosk(app, client, village, badge)
    found = kiosk_post("/scan", code=LABELS[0])
    assert "Für wen ist das Paket?" in found.text
    choice = re.search(r'value="([0-9a-f-]{36})"', client.get("/kiosk/courier/recipient?q=petersdorf").text)
    assert choice
    page = kiosk_post("/recipient", person=choice[1]).text
    assert "bekommt ein niedriges Fach" in page
    assert re.findall(r'name="size" value="(\w+)"', page) == ["S", "M"]
    refused = kiosk_post("/size", size="XL")
    assert "Diese Person braucht ein niedriges Fach" in refused.text
    assert village.commands() == []


def _at_kiosk(app: ShopHub, client: FlaskClient, village: Village, badge: str) -> Callable[..., TestResponse]:
    with app.database.transaction() as session:
        kiosk = Kiosk(site_id=village.site.id, name="Kiosk", register_code="P1")
        session.add(kiosk)
        session.flush()
        client.set_cookie("kiosk", tokens.issue(session, Purpose.KIOSK, kiosk.id, site_id=village.site.id).text)
    post = poster(client, "/kiosk/courier")
    post("/scan", code=badge)
    return post


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
