"""Signing in: counted, the same for unknown names, a new visit each time; signing out ends it for ever."""

from datetime import timedelta

import pytest

from shop_hub.core import clock
from shop_hub.core.access import Role
from shop_hub.core.sites import Site
from shop_hub.core.visits import WebVisit
from shop_hub.core.web import ShopHub
from shop_hub.people import staff
from shop_hub.people.models import Operator
from tests.backoffice.office import PASSWORD, Browser, make_operator

NEW = "sieben stille seen im wald"
pytestmark = pytest.mark.usefixtures("operator")


@pytest.fixture
def operator(app: ShopHub, site: Site) -> Operator:
    return make_operator(app, site, Role.OPERATOR, "malte")


def test_signed_out_people_are_led_to_the_sign_in_page_and_back(browser: Browser) -> None:
    answer = browser.get("/office/people/?q=vogt")
    assert (answer.status_code, answer.headers["Location"]) == (302, "/office/login?next=/office/people/?q%3Dvogt")
    assert browser.get("/office/people/", headers={"HX-Request": "true"}).headers["HX-Redirect"] == "/office/login"
    answer = browser.sign_in("malte", next_="/office/people/?q=vogt")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/office/people/?q=vogt")
    assert browser.get("/office/people/").status_code == 200


@pytest.mark.parametrize(
    "target",
    ["https://evil.example/office/", "//evil.example/office/", "/office//evil.example", "/\\evil", "/kiosk/", ""],
)
def test_sign_in_leads_to_no_foreign_page(browser: Browser, target: str) -> None:
    assert browser.sign_in("malte", next_=target).headers["Location"] == "/office/"


def test_unknown_user_and_wrong_password_read_the_same(browser: Browser) -> None:
    wrong = browser.sign_in("malte", "not the password")
    unknown = browser.sign_in("nobody", "not the password")
    assert (wrong.status_code, unknown.status_code) == (403, 403)
    assert wrong.text.replace("malte", "X") != ""
    clean = [answer.text.replace("malte", "X").replace("nobody", "X") for answer in (wrong, unknown)]
    assert [text.partition("<main>")[2].count("notice-bad") for text in clean] == [1, 1]
    assert clean[0].partition('class="notice')[2][:400] == clean[1].partition('class="notice')[2][:400]


def test_visit_takes_a_new_id_and_an_id_planted_before_is_worthless(app: ShopHub, browser: Browser) -> None:
    browser.get("/office/login")
    planted = browser.visit_id
    browser.sign_in("malte")
    assert browser.visit_id not in {planted, ""}
    thief = app.test_client()
    thief.set_cookie("visit", planted)
    assert thief.get("/office/").status_code == 302
    assert browser.get("/office/").status_code == 200


def test_copied_cookie_is_worthless_after_sign_out(app: ShopHub, browser: Browser) -> None:
    browser.sign_in("malte")
    copied = app.test_client()
    copied.set_cookie("visit", browser.visit_id)
    assert copied.get("/office/").status_code == 200
    assert browser.post("/office/logout", token=browser.token("/office/account")).status_code == 303
    assert copied.get("/office/").status_code == 302
    assert browser.get("/office/").status_code == 302


def test_sign_in_ends_after_half_an_hour_without_a_sign_of_life(browser: Browser) -> None:
    browser.sign_in("malte")
    with clock.shifted(timedelta(minutes=29)):
        assert browser.get("/office/").status_code == 200
    with clock.shifted(timedelta(minutes=58)):
        assert browser.get("/office/").status_code == 200
    with clock.shifted(timedelta(minutes=90)):
        assert browser.get("/office/").status_code == 302


def test_form_without_token_changes_nothing(browser: Browser) -> None:
    form = {"user_name": "malte", "password": PASSWORD}
    assert browser.post("/office/login", form, token="").status_code == 403
    assert browser.post("/office/login", form, token="0" * 64).status_code == 403
    assert browser.get("/office/").status_code == 302


def test_form_from_a_foreign_page_is_refused(browser: Browser) -> None:
    form = {"user_name": "malte", "password": PASSWORD, "csrf_token": browser.token()}
    for headers in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "null"}):
        assert browser.client.post("/office/login", data=form, headers=headers).status_code == 403


def test_guessing_is_slowed_per_account_whatever_the_address(app: ShopHub) -> None:
    def status(number: int, password: str) -> int:
        browser = Browser(app.test_client())
        form = {"user_name": "malte", "password": password, "csrf_token": browser.token()}
        return browser.client.post(
            "/office/login", data=form, environ_base={"REMOTE_ADDR": f"10.0.0.{number}"}
        ).status_code

    assert [status(number, "wrong guess") for number in range(9)] == [403] * 8 + [429]
    assert status(10, PASSWORD) == 429
    with clock.shifted(timedelta(minutes=16)):
        assert status(11, PASSWORD) == 303


def test_guessing_is_slowed_per_address_whatever_the_account(app: ShopHub) -> None:
    browser = Browser(app.test_client())
    statuses = [browser.sign_in(f"user{number}", "wrong guess").status_code for number in range(31)]
    assert statuses == [403] * 30 + [429]


def test_blocked_operator_is_out_at_once(app: ShopHub, site: Site, operator: Operator, browser: Browser) -> None:
    browser.sign_in("malte")
    with app.database.transaction() as session:
        staff.block_operator(session, operator.id, is_blocked=True, site_id=site.id, actor="operator:9")
    assert browser.get("/office/").status_code == 302
    assert browser.sign_in("malte").status_code == 403


def test_lower_role_is_felt_at_the_next_request(app: ShopHub, site: Site, operator: Operator, browser: Browser) -> None:
    browser.sign_in("malte")
    assert browser.get("/office/people/").status_code == 200
    with app.database.transaction() as session:
        staff.set_role(session, operator.id, site.id, Role.VOLUNTEER)
    assert browser.get("/office/people/").status_code == 403
    with app.database.transaction() as session:
        staff.set_role(session, operator.id, site.id, None)
    assert browser.get("/office/").status_code == 302


def test_new_password_signs_all_other_browsers_out(app: ShopHub, browser: Browser) -> None:
    other = Browser(app.test_client())
    other.sign_in("malte")
    browser.sign_in("malte")
    form = {
        "old_password": PASSWORD,
        "password": NEW,
        "password_again": NEW,
    }
    answer = browser.post("/office/account/password", form, token=browser.token("/office/account"))
    assert answer.status_code == 303
    assert browser.get("/office/").status_code == 200
    assert other.get("/office/").status_code == 302
    assert other.sign_in("malte").status_code == 403
    assert other.sign_in("malte", NEW).status_code == 303


@pytest.mark.parametrize(
    "form",
    [
        {"old_password": "wrong", "password": NEW, "password_again": NEW},
        {"old_password": PASSWORD, "password": NEW, "password_again": "sieben stille seen"},
        {"old_password": PASSWORD, "password": "kurz", "password_again": "kurz"},
        {"old_password": PASSWORD, "password": "Passwort2026!", "password_again": "Passwort2026!"},
    ],
)
def test_refused_new_password_leaves_the_old_one(app: ShopHub, browser: Browser, form: dict[str, object]) -> None:
    browser.sign_in("malte")
    answer = browser.post("/office/account/password", form, token=browser.token("/office/account"))
    assert answer.status_code in {403, 422}
    assert Browser(app.test_client()).sign_in("malte").status_code == 303


def test_one_time_code_sets_a_password_once(app: ShopHub, site: Site, operator: Operator, browser: Browser) -> None:
    with app.database.transaction() as session:
        code = staff.issue_reset(session, operator.id, site_id=site.id).text
    spoken = " ".join(code[place : place + 4] for place in range(0, len(code), 4)).lower()
    form = {"code": spoken, "password": "drei wilde enten im schilf", "password_again": "drei wilde enten im schilf"}
    weak = browser.post("/office/password", {**form, "password": "12345678", "password_again": "12345678"})
    assert weak.status_code == 422
    assert browser.post("/office/password", form).status_code == 303
    assert browser.post("/office/password", form).status_code == 410
    assert browser.sign_in("malte", "drei wilde enten im schilf").status_code == 303


def test_one_time_code_ends_after_a_day(app: ShopHub, site: Site, operator: Operator, browser: Browser) -> None:
    with app.database.transaction() as session:
        code = staff.issue_reset(session, operator.id, site_id=site.id).text
    form = {"code": code, "password": "drei wilde enten im schilf", "password_again": "drei wilde enten im schilf"}
    with clock.shifted(timedelta(hours=24, seconds=1)):
        assert browser.post("/office/password", form).status_code == 410


def test_operator_of_two_sites_chooses_and_sees_only_the_chosen(
    app: ShopHub, operator: Operator, browser: Browser
) -> None:
    with app.database.transaction() as session:
        second, third = Site(slug="b", name="Zweiter Laden", place="B"), Site(slug="c", name="Dritter Laden")
        session.add_all([second, third])
        session.flush()
        staff.set_role(session, operator.id, second.id, Role.VOLUNTEER)
    browser.sign_in("malte")
    assert browser.get("/office/people/").status_code == 200
    token = browser.token("/office/account")
    assert browser.post("/office/site", {"site_id": second.id}, token=token).status_code == 303
    assert browser.get("/office/people/").status_code == 403
    assert browser.post("/office/site", {"site_id": third.id}, token=token).status_code == 404


def test_database_holds_no_usable_visit_id(app: ShopHub, operator: Operator, browser: Browser) -> None:
    browser.sign_in("malte")
    with app.database.reading() as session:
        visit = session.query(WebVisit).filter(WebVisit.operator_id == operator.id).one()
        assert browser.visit_id not in str(vars(visit))
