"""Who asks: kiosk, villager, courier, program; each read anew at every request."""

from datetime import timedelta

import pytest
from flask import jsonify

from shop_hub.core import clock, tokens
from shop_hub.core.access import Role, access, principal
from shop_hub.core.db import Database
from shop_hub.core.settings import Kiosk as KioskSettings
from shop_hub.core.settings import Settings
from shop_hub.core.sites import Site
from shop_hub.core.tokens import Purpose
from shop_hub.core.web import ShopHub, hub, session
from shop_hub.fleet.models import Kiosk
from shop_hub.people import service, signin, staff
from shop_hub.people.models import Carrier, Courier, Person


@pytest.fixture
def database(page_database: Database) -> Database:
    return page_database


@pytest.fixture
def app(app: ShopHub) -> ShopHub:
    """The application with a page that tells who asks, and one that signs in."""

    @access(Role.ANONYMOUS)
    def who():
        asking = principal()
        return jsonify(
            roles=sorted(asking.roles - {Role.ANONYMOUS}),
            site=asking.site_id,
            kiosk=asking.kiosk_id,
            member=asking.member_id,
            courier=asking.courier_id,
            carrier=asking.carrier_id,
            actor=asking.actor,
            fresh=signin.has_fresh_pin(),
        )

    @access(Role.ANONYMOUS)
    def come_in(card: str):
        if card.startswith("D1M"):
            signin.member(session(), card, service.identify_card(session(), card))
        else:
            signin.courier(session(), card, service.identify_badge(session(), card))
        return "in"

    @access(Role.ANONYMOUS)
    def language():
        return f"{hub().select_language()}"

    for prefix in ("/kiosk", "/api/v1", "/office", "/courier"):
        app.add_url_rule(f"{prefix}/who", f"who{prefix}", who)
    app.add_url_rule("/kiosk/come-in/<card>", "come_in", come_in)
    app.add_url_rule("/kiosk/test-language", "test_language", language)
    return app


@pytest.fixture
def kiosk(app: ShopHub, site: Site) -> str:
    with app.database.transaction() as session:
        row = Kiosk(site_id=site.id, name="Eingang", register_code="K1")
        session.add(row)
        session.flush()
        return tokens.issue(session, Purpose.KIOSK, row.id, site_id=site.id).text


@pytest.fixture
def person(app: ShopHub, site: Site) -> Person:
    new = service.NewPerson(home_site_id=site.id, first_name="Erna", last_name="Vogt", language="en", text_size=150)
    with app.database.transaction() as session:
        return service.create_person(session, new)


@pytest.fixture
def card(app: ShopHub, person: Person) -> str:
    with app.database.transaction() as session:
        return service.issue_card(session, person.id).text


@pytest.fixture
def courier(app: ShopHub) -> Courier:
    with app.database.transaction() as session:
        carrier = service.create_carrier(session, Carrier(code="fuchs", name="Fuchs"))
        return service.create_courier(session, carrier.id, "Ramona")


def test_stranger_belongs_to_the_only_site_and_has_no_role(app: ShopHub, site: Site) -> None:
    asked = app.test_client().get("/kiosk/who").json
    assert (asked["roles"], asked["site"], asked["actor"]) == ([], site.id, "anonymous")


def test_kiosk_cookie_makes_a_kiosk_until_it_is_parted(app: ShopHub, site: Site, kiosk: str) -> None:
    client = app.test_client()
    client.set_cookie("kiosk", kiosk, path="/kiosk")
    asked = client.get("/kiosk/who").json
    assert (asked["roles"], asked["site"], asked["actor"]) == (["kiosk"], site.id, f"kiosk:{asked['kiosk']}")
    with app.database.transaction() as session:
        tokens.revoke_all(session, Purpose.KIOSK, asked["kiosk"])
    assert client.get("/kiosk/who").json["roles"] == []


def test_kiosk_token_is_worthless_elsewhere(app: ShopHub, kiosk: str) -> None:
    client = app.test_client()
    client.set_cookie("kiosk", kiosk, path="/")
    assert client.get("/office/who").json["roles"] == []
    assert client.get("/api/v1/who").json["roles"] == []
    assert client.get("/api/v1/who", headers={"Authorization": f"Bearer {kiosk}"}).json["roles"] == []


def test_villager_stays_signed_in_while_active_and_not_longer(
    app: ShopHub, person: Person, card: str, kiosk: str
) -> None:
    client = app.test_client()
    client.set_cookie("kiosk", kiosk, path="/kiosk")
    client.get(f"/kiosk/come-in/{card}")
    asked = client.get("/kiosk/who").json
    assert (asked["roles"], asked["member"], asked["actor"]) == (
        ["kiosk", "villager"],
        person.id,
        f"member:{person.id}",
    )
    with clock.shifted(timedelta(seconds=60)):
        assert client.get("/kiosk/who").json["member"] == person.id
    with clock.shifted(timedelta(seconds=120)):
        assert client.get("/kiosk/who").json["member"] == person.id
    with clock.shifted(timedelta(seconds=196)):
        asked = client.get("/kiosk/who").json
        assert (asked["member"], asked["roles"]) == (None, ["kiosk"])


def test_open_streams_do_not_keep_a_villager_signed_in(app: ShopHub, person: Person, card: str) -> None:
    client = app.test_client()
    client.get(f"/kiosk/come-in/{card}")
    for second in (30, 60):
        with clock.shifted(timedelta(seconds=second)):
            assert client.get("/kiosk/who", headers={"Accept": "text/event-stream"}).json["member"] == person.id
    with clock.shifted(timedelta(seconds=76)):
        assert client.get("/kiosk/who").json["member"] is None


def test_pin_is_fresh_for_five_minutes_only(app: ShopHub, card: str) -> None:
    client = app.test_client()
    client.get(f"/kiosk/come-in/{card}")
    fresh = []
    for minute in range(7):
        with clock.shifted(timedelta(minutes=minute)):
            fresh.append(client.get("/kiosk/who").json["fresh"])
    assert fresh == [True] * 5 + [False] * 2


def test_blocked_card_ends_the_sign_in_made_with_it(app: ShopHub, card: str, person: Person) -> None:
    client = app.test_client()
    client.get(f"/kiosk/come-in/{card}")
    with app.database.transaction() as session:
        service.issue_card(session, person.id)
        service.block_card(session, service.card_id(session, card), actor="operator:1")
    assert client.get("/kiosk/who").json["member"] is None


def test_screen_follows_the_villagers_language_and_text_size(app: ShopHub, card: str) -> None:
    client = app.test_client()
    assert client.get("/kiosk/test-language").text == "de"
    client.get(f"/kiosk/come-in/{card}")
    assert client.get("/kiosk/test-language").text == "en"
    assert 'data-zoom="150"' in client.get("/kiosk/board").text


def test_sign_in_takes_a_new_visit(app: ShopHub, card: str) -> None:
    client, thief = app.test_client(), app.test_client()
    client.get("/kiosk/board")
    planted = client.get_cookie("visit")
    assert planted is not None
    client.get(f"/kiosk/come-in/{card}")
    thief.set_cookie("visit", planted.value)
    assert thief.get("/kiosk/who").json["member"] is None
    assert client.get("/kiosk/who").json["member"] is not None


def test_courier_acts_for_the_carrier_on_phone_and_kiosk_until_blocked(app: ShopHub, courier: Courier) -> None:
    with app.database.transaction() as session:
        badge = service.issue_badge(session, courier.id).text
    client = app.test_client()
    client.get(f"/kiosk/come-in/{badge}")
    for path in ("/kiosk/who", "/courier/who"):
        asked = client.get(path).json
        assert (asked["roles"], asked["courier"], asked["carrier"]) == (["courier"], courier.id, courier.carrier_id)
    assert client.get("/office/who").json["roles"] == []
    with clock.shifted(timedelta(seconds=119)):
        assert client.get("/courier/who").json["courier"] == courier.id
    with app.database.transaction() as session:
        session.get_one(Carrier, courier.carrier_id).is_blocked = True
    assert client.get("/courier/who").json["roles"] == []


def test_program_has_its_role_at_its_site(app: ShopHub, site: Site, courier: Courier) -> None:
    with app.database.transaction() as session:
        till = staff.issue_api_token(session, site.id, Role.TILL, label="Kasse", days=1)
        carrier = staff.issue_api_token(
            session, site.id, Role.CARRIER, label="Fuchs", days=1, carrier_id=courier.carrier_id
        )
    client = app.test_client()
    asked = client.get("/api/v1/who", headers={"Authorization": f"Bearer {till.text}"}).json
    assert (asked["roles"], asked["site"], asked["actor"]) == (["till"], site.id, f"token:{till.id}")
    asked = client.get("/api/v1/who", headers={"Authorization": f"bearer {carrier.text.lower()}"}).json
    assert (asked["roles"], asked["carrier"]) == (["carrier"], courier.carrier_id)
    with clock.shifted(timedelta(days=1, seconds=1)):
        assert client.get("/api/v1/who", headers={"Authorization": f"Bearer {till.text}"}).json["roles"] == []
    for bad in ("Bearer", "Bearer ", "Bearer x", "Basic abc", f"Bearer {till.text}x", "Bearer " + "x" * 10_000):
        assert client.get("/api/v1/who", headers={"Authorization": bad}).json["roles"] == []


@pytest.mark.usefixtures("kiosk")
def test_own_browser_is_the_kiosk_only_where_the_demo_says_so(database: Database, site: Site, tmp_path) -> None:
    from shop_hub.app import create_app

    settings = Settings(data=tmp_path / "demo", production=False, kiosk=KioskSettings(auto_pair_loopback=True))
    demo = create_app(settings, database)
    assert demo.test_client().get("/kiosk/board/write").status_code == 200
    far = {"REMOTE_ADDR": "192.168.1.7"}
    assert demo.test_client().get("/kiosk/board/write", environ_base=far).status_code == 401
    plain = create_app(Settings(data=tmp_path / "plain", production=False), database)
    assert plain.test_client().get("/kiosk/board/write").status_code == 401
    assert site.id
