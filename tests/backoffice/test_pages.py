"""Pages of the backoffice: villagers, cards, accounts, carriers, staff, programs, kiosks, audit trail, dashboard."""

import re
from html import unescape

import pytest

from shop_hub.core import tokens
from shop_hub.core.access import Role
from shop_hub.core.audit import AuditEntry
from shop_hub.core.ids import uuid7
from shop_hub.core.menu import DashboardCard, add_card
from shop_hub.core.sites import Site
from shop_hub.core.tokens import Purpose
from shop_hub.core.web import ShopHub
from shop_hub.ledger import queries as ledger
from shop_hub.people import queries, service
from shop_hub.people.errors import UnknownCardError
from shop_hub.people.models import Carrier, Operator, Person
from tests.backoffice.office import Browser, make_operator


@pytest.fixture
def admin(app: ShopHub, site: Site, browser: Browser) -> Operator:
    """An administrator who is signed in."""
    operator = make_operator(app, site, Role.ADMINISTRATOR, "admin")
    browser.sign_in("admin")
    return operator


@pytest.fixture
def erna(app: ShopHub, site: Site) -> Person:
    with app.database.transaction() as session:
        return service.create_person(
            session, service.NewPerson(home_site_id=site.id, first_name="Erna", last_name="Vogt", street="Anger")
        )


FORM = {"first_name": "Ernst", "last_name": "Kühn", "notify": "kiosk", "age_level": "18", "text_size": "150"}


def post(browser: Browser, path: str, form: dict[str, object] | None = None):
    return browser.post(path, form, token=browser.token("/office/account"))


def actions(app: ShopHub) -> list[str]:
    with app.database.reading() as session:
        return [entry.action for entry in session.query(AuditEntry).order_by(AuditEntry.number)]


@pytest.mark.usefixtures("admin")
def test_villager_is_entered_found_and_changed(app: ShopHub, site: Site, browser: Browser) -> None:
    answer = post(browser, "/office/people/new", FORM)
    assert answer.status_code == 303
    page = browser.get(answer.headers["Location"]).text
    assert "Ernst Kühn" in page
    assert "Ernst" in browser.get("/office/people/?q=kuehn").text
    assert "Ernst" not in browser.get("/office/people/?q=vogt").text
    post(browser, f"{answer.headers['Location']}/edit", {**FORM, "last_name": "Kahn"})
    with app.database.reading() as session:
        person = queries.find_people(session, site.id, "kahn")[0]
        assert (person.age_level, person.text_size, person.has_phone) == (18, 150, False)


@pytest.mark.usefixtures("admin")
@pytest.mark.parametrize(
    "change",
    [{"first_name": " "}, {"age_level": "17"}, {"notify": "pigeon"}, {"notify": "mail"}, {"email": "no address"}],
)
def test_bad_form_comes_back_with_what_was_typed(browser: Browser, change: dict[str, object]) -> None:
    answer = post(browser, "/office/people/new", {**FORM, **change})
    assert answer.status_code == 422
    assert "Kühn" in answer.text
    assert 'role="alert"' in answer.text


@pytest.mark.usefixtures("admin")
def test_card_is_shown_once_and_blocked_at_once(app: ShopHub, browser: Browser, erna: Person) -> None:
    sheet = post(browser, f"/office/people/{erna.public_id}/cards")
    assert (sheet.status_code, sheet.headers["Cache-Control"]) == (200, "no-store")
    assert "<svg" in sheet.text
    assert not re.search(r"D1M[A-Z2-7]{26}", sheet.text)
    with app.database.transaction() as session:
        text = service.issue_card(session, erna.id).text
        card = service.card_id(session, text)
    assert post(browser, f"/office/people/{erna.public_id}/cards/{card}/block").status_code == 303
    with app.database.reading() as session, pytest.raises(UnknownCardError):
        service.identify_card(session, text)
    assert post(browser, f"/office/people/{erna.public_id}/cards/9999/block").status_code == 404


@pytest.mark.usefixtures("admin")
def test_pin_is_set_and_a_weak_one_refused(app: ShopHub, browser: Browser, erna: Person) -> None:
    assert post(browser, f"/office/people/{erna.public_id}/pin", {"pin": "1234"}).status_code == 422
    assert post(browser, f"/office/people/{erna.public_id}/pin", {"pin": "2580"}).status_code == 303
    with app.database.reading() as session:
        stored = queries.person(session, erna.id).pin_hash
    assert app.hasher.verify(f"member:{erna.public_id}", "2580", stored)
    assert actions(app).count("pin-set") == 1


@pytest.mark.usefixtures("admin")
def test_money_is_paid_in_once_however_often_the_form_is_sent(
    app: ShopHub, site: Site, browser: Browser, erna: Person
) -> None:
    path = f"/office/accounts/{erna.public_id}/top-up"
    form = {"amount": "1.020,5", "source": "cash-box", "idempotency_key": str(uuid7())}
    refused = post(browser, path, {**form, "idempotency_key": str(uuid7())})
    assert refused.status_code == 422
    form = {**form, "amount": "20,50"}
    answers = [post(browser, path, form) for _ in range(3)]
    assert {answer.headers["Location"] for answer in answers} == {answers[0].headers["Location"]}
    assert post(browser, path, {**form, "amount": "30"}).status_code == 422
    with app.database.reading() as session:
        assert ledger.balance_cents(session, site.id, f"member:{erna.id}") == 2050
    receipt = browser.get(answers[0].headers["Location"]).text
    assert "Erna Vogt" in receipt
    assert "20,50\u00a0€" in unescape(receipt)
    assert actions(app).count("account-topped-up") == 1


@pytest.mark.usefixtures("admin")
@pytest.mark.parametrize("amount", ["", "0", "-5", "1e3", "12,345", "500,01", "abc", "٣"])
def test_amounts_that_are_none_are_refused(
    app: ShopHub, site: Site, browser: Browser, erna: Person, amount: str
) -> None:
    form = {"amount": amount, "source": "cash-box"}
    assert post(browser, f"/office/accounts/{erna.public_id}/top-up", form).status_code == 422
    with app.database.reading() as session:
        assert ledger.balance_cents(session, site.id, f"member:{erna.id}") == 0


@pytest.mark.usefixtures("admin")
def test_people_of_another_site_are_not_found(app: ShopHub, browser: Browser) -> None:
    with app.database.transaction() as session:
        other = Site(slug="other", name="Anderer Laden")
        session.add(other)
        session.flush()
        new = service.NewPerson(home_site_id=other.id, first_name="Fremd", last_name="Ling")
        stranger = service.create_person(session, new)
    assert "Fremd" not in browser.get("/office/people/").text
    assert browser.get(f"/office/people/{stranger.public_id}").status_code == 404
    assert post(browser, f"/office/people/{stranger.public_id}/pin", {"pin": "2580"}).status_code == 404
    assert post(browser, f"/office/accounts/{stranger.public_id}/top-up", {"amount": "5"}).status_code == 404


@pytest.mark.usefixtures("admin")
def test_personal_data_are_given_out_and_erased(app: ShopHub, site: Site, browser: Browser, erna: Person) -> None:
    exported = post(browser, f"/office/people/{erna.public_id}/export")
    assert exported.headers["Content-Disposition"].startswith("attachment")
    assert exported.json["person"]["last_name"] == "Vogt"
    wrong = post(browser, f"/office/people/{erna.public_id}/erase", {"last_name": "Vogel"})
    assert wrong.status_code == 422
    post(browser, f"/office/accounts/{erna.public_id}/top-up", {"amount": "5", "source": "cash-box"})
    with_money = post(browser, f"/office/people/{erna.public_id}/erase", {"last_name": "vogt"})
    assert with_money.status_code == 409
    with app.database.reading() as session:
        assert queries.find_people(session, site.id, "vogt") != []


@pytest.mark.usefixtures("admin")
def test_erased_villager_is_in_no_page(app: ShopHub, browser: Browser, erna: Person) -> None:
    assert post(browser, f"/office/people/{erna.public_id}/erase", {"last_name": "vogt"}).status_code == 303
    for path in ("/office/people/", "/office/audit", f"/office/people/{erna.public_id}"):
        assert "Vogt" not in browser.get(path).text
    assert "person-erased" in actions(app)


@pytest.mark.usefixtures("admin")
def test_courier_gets_badge_and_pin_and_can_be_blocked(app: ShopHub, browser: Browser) -> None:
    form = {"name": "Fuchs Kurier", "code": "fuchs", "colour": "#b3261e"}
    assert post(browser, "/office/people/carriers", form).status_code == 303
    assert post(browser, "/office/people/carriers", form).status_code == 409
    assert post(browser, "/office/people/carriers", {**form, "code": "Fu chs"}).status_code == 422
    post(browser, "/office/people/carriers/fuchs/couriers", {"name": "Ramona", "language": "pl"})
    with app.database.reading() as session:
        carrier = queries.carrier_by_code(session, "fuchs")
        assert isinstance(carrier, Carrier)
        courier = queries.couriers(session, carrier.id)[0]
    assert "<svg" in post(browser, f"/office/people/couriers/{courier.public_id}/badge").text
    post(browser, f"/office/people/couriers/{courier.public_id}/pin", {"pin": "7913"})
    post(browser, f"/office/people/couriers/{courier.public_id}/block", {"is_blocked": "1"})
    with app.database.reading() as session:
        row = queries.couriers(session, carrier.id)[0]
    assert (row.has_badge, row.has_pin, row.is_blocked) == (True, True, True)


@pytest.mark.usefixtures("admin")
def test_new_operator_sets_the_first_password_with_the_code_on_the_page(
    app: ShopHub, browser: Browser, admin: Operator
) -> None:
    page = post(browser, "/office/staff", {"user_name": "swetlana", "role": "operator", "language": "de"})
    code = re.search(r'class="secret"[^>]*>([^<]+)<', page.text)
    assert code is not None
    assert post(browser, "/office/staff", {"user_name": "swetlana", "role": "operator"}).status_code == 409
    fresh = Browser(app.test_client())
    password = {"password": "drei wilde enten im schilf", "password_again": "drei wilde enten im schilf"}
    assert fresh.post("/office/password", {"code": code[1], **password}).status_code == 303
    assert fresh.sign_in("swetlana", password["password"]).status_code == 303
    assert fresh.get("/office/staff").status_code == 403
    own = post(browser, f"/office/staff/{admin.public_id}/role", {"role": "volunteer"})
    assert own.status_code == 409


@pytest.mark.usefixtures("admin")
def test_program_gets_a_token_that_works_until_it_is_ended(app: ShopHub, site: Site, browser: Browser) -> None:
    assert post(browser, "/office/programs", {"label": "Kasse", "role": "administrator"}).status_code == 422
    assert post(browser, "/office/programs", {"label": "", "role": "till"}).status_code == 422
    page = post(browser, "/office/programs", {"label": "Kasse 2", "role": "till", "days": "30"})
    token = re.search(r"D1T[A-Z2-7]{26}", page.text)
    assert token is not None
    assert token[0] not in browser.get("/office/programs").text
    with app.database.reading() as session:
        listed = queries.api_tokens(session, site.id)[0]
        assert (listed.label, listed.role) == ("Kasse 2", "till")
    assert post(browser, f"/office/programs/{listed.id}/revoke").status_code == 303
    with app.database.reading() as session:
        assert tokens.find(session, Purpose.API, token[0]) is None


@pytest.mark.usefixtures("admin")
def test_kiosk_is_paired_by_a_code_once_and_parted_at_once(app: ShopHub, browser: Browser) -> None:
    page = post(browser, "/office/kiosks", {"name": "Eingang", "register_code": "k1"})
    code = re.search(r'class="secret"[^>]*>([^<]+)<', page.text)
    assert code is not None
    assert post(browser, "/office/kiosks", {"name": "Zwei", "register_code": "K1"}).status_code == 409
    screen = Browser(app.test_client())
    assert screen.get("/kiosk/live").status_code == 401
    wrong = screen.post("/kiosk/pair", {"code": "AAAACCCC"}, token=screen.token("/kiosk/pair"))
    assert wrong.status_code == 422
    paired = screen.post("/kiosk/pair", {"code": code[1].lower()}, token=screen.token("/kiosk/pair"))
    cookie = paired.headers.getlist("Set-Cookie")[0]
    assert (paired.status_code, "Path=/kiosk" in cookie, "HttpOnly" in cookie) == (303, True, True)
    assert screen.get("/kiosk/board/write").status_code == 200
    second = Browser(app.test_client())
    assert second.post("/kiosk/pair", {"code": code[1]}, token=second.token("/kiosk/pair")).status_code == 422
    kiosk = re.search(r"/office/kiosks/([0-9a-f-]{36})/part", browser.get("/office/kiosks").text)
    assert kiosk is not None
    post(browser, f"/office/kiosks/{kiosk[1]}/part")
    assert screen.get("/kiosk/board/write").status_code == 401


@pytest.mark.usefixtures("admin")
def test_guessing_pairing_codes_is_slowed_down(app: ShopHub) -> None:
    screen = Browser(app.test_client())
    token = screen.token("/kiosk/pair")
    statuses = [screen.post("/kiosk/pair", {"code": "AAAACCCC"}, token=token).status_code for _ in range(7)]
    assert statuses == [422] * 5 + [429] * 2


@pytest.mark.usefixtures("admin")
def test_trail_is_filtered_paged_and_its_chain_proven(app: ShopHub, site: Site, browser: Browser) -> None:
    with app.database.transaction() as session:
        for number in range(55):
            new = service.NewPerson(home_site_id=site.id, first_name=f"P{number}", last_name="Test")
            service.create_person(session, new, actor="operator:1")
    page = browser.get("/office/audit?action=person-created").text
    assert page.count('<th scope="row"') == 50
    older = re.search(r'href="(/office/audit\?[^"]*before=\d+)"', page)
    assert older is not None
    assert browser.get(unescape(older[1])).text.count('<th scope="row"') == 5
    assert "notice-good" in browser.get("/office/audit/chain").text
    with app.database.transaction() as session:
        session.connection().exec_driver_sql("DROP TRIGGER IF EXISTS audit_entry_update")
        for name in (
            session.connection()
            .exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'audit_entry'")
            .scalars()
            .all()
        ):
            session.connection().exec_driver_sql(f"DROP TRIGGER {name}")
        session.connection().exec_driver_sql("UPDATE audit_entry SET actor = 'operator:2' WHERE number = 7")
    assert "notice-bad" in browser.get("/office/audit/chain").text


@pytest.mark.usefixtures("admin")
def test_dashboard_shows_every_card_and_each_again_alone(browser: Browser) -> None:
    page = browser.get("/office/").text
    keys = re.findall(r'hx-get="/office/cards/([a-z-]+)"', page)
    assert {"attention", "sales", "parcels", "tasks", "low-stock", "devices"} <= set(keys)
    for key in keys:
        answer = browser.get(f"/office/cards/{key}")
        assert (answer.status_code, f'id="card-{key}"' in answer.text) == (200, True)
    assert browser.get("/office/cards/none").status_code == 404


def test_card_of_a_higher_role_is_not_shown(app: ShopHub, site: Site, browser: Browser) -> None:
    make_operator(app, site, Role.VOLUNTEER, "gudrun")
    browser.sign_in("gudrun")
    add_card(
        DashboardCard(
            key="secret", title="x", template="backoffice/cards/tasks.html", read=lambda _asking: {}, role=Role.MANAGER
        )
    )
    assert "card-secret" not in browser.get("/office/").text
    assert browser.get("/office/cards/secret").status_code == 404
    assert "/office/staff" not in browser.get("/office/").text


@pytest.mark.usefixtures("admin")
def test_list_of_people_costs_the_same_for_1_and_25(app: ShopHub, site: Site, browser: Browser) -> None:
    from sqlalchemy import event

    def statements() -> int:
        seen: list[str] = []
        listener = lambda *args: seen.append(args[2])  # noqa: E731
        event.listen(app.database.engine, "before_cursor_execute", listener)
        browser.get("/office/people/")
        event.remove(app.database.engine, "before_cursor_execute", listener)
        return len(seen)

    def enter(count: int) -> None:
        with app.database.transaction() as session:
            for number in range(count):
                new = service.NewPerson(home_site_id=site.id, first_name=f"P{number}", last_name="Test")
                service.issue_card(session, service.create_person(session, new).id)

    enter(1)
    few = statements()
    enter(30)
    assert statements() == few
