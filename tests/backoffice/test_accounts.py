"""Accounts are global: one shop's administrator has no power over those who work in other shops, too."""

import pytest

from shop_hub.core.access import Role
from shop_hub.core.sites import Site
from shop_hub.core.web import ShopHub
from shop_hub.people import service, staff
from shop_hub.people.errors import StaleResetError
from shop_hub.people.models import Carrier, Operator
from tests.backoffice.office import PASSWORD, Browser, make_operator
from tests.conftest import make_site


@pytest.fixture
def admin(app: ShopHub, site: Site, browser: Browser) -> Operator:
    operator = make_operator(app, site, Role.ADMINISTRATOR, "admin")
    browser.sign_in("admin")
    return operator


@pytest.fixture
def elsewhere(app: ShopHub) -> Site:
    return make_site(app.database, "kleinmutz")


@pytest.fixture
def guest(app: ShopHub, site: Site, elsewhere: Site) -> Operator:
    """Helps here, administers the other shop."""
    operator = make_operator(app, elsewhere, Role.ADMINISTRATOR, "bettina")
    with app.database.transaction() as session:
        staff.set_role(session, operator.id, site.id, Role.VOLUNTEER)
    return operator


def post(browser: Browser, path: str, form: dict[str, object] | None = None):
    return browser.post(path, form, token=browser.token("/office/account"))


@pytest.mark.usefixtures("admin")
@pytest.mark.parametrize(("verb", "form"), [("code", {}), ("block", {"is_blocked": "1"}), ("block", {})])
def test_who_works_elsewhere_too_is_not_taken_over(
    app: ShopHub, browser: Browser, guest: Operator, verb: str, form: dict[str, object]
) -> None:
    answer = post(browser, f"/office/staff/{guest.public_id}/{verb}", form)
    assert answer.status_code == 403
    assert "arbeitet auch in anderen Läden" in answer.text
    assert Browser(app.test_client()).sign_in("bettina").status_code == 303


def test_only_what_would_not_be_refused_is_offered(browser: Browser, admin: Operator, guest: Operator) -> None:
    page = browser.get("/office/staff").text
    offered = {
        (operator.user_name, verb)
        for operator in (admin, guest)
        for verb in ("role", "code", "block")
        if f"/office/staff/{operator.public_id}/{verb}" in page
    }
    assert offered == {("admin", "role"), ("admin", "code"), ("admin", "block"), ("bettina", "role")}


def test_a_code_for_a_new_password_ends_when_its_owner_works_in_one_more_shop(
    app: ShopHub, site: Site, elsewhere: Site
) -> None:
    helper = make_operator(app, elsewhere, Role.VOLUNTEER, "swantje")
    with app.database.transaction() as session:
        code = staff.issue_reset(session, helper.id, site_id=elsewhere.id).text
        staff.set_role(session, helper.id, site.id, Role.MANAGER)
    with pytest.raises(StaleResetError), app.database.transaction() as session:
        staff.redeem_reset(session, app.hasher, code, "drei wilde enten im schilf", address="127.0.0.1")


@pytest.mark.usefixtures("admin")
def test_the_role_here_is_this_administrators(app: ShopHub, site: Site, browser: Browser, guest: Operator) -> None:
    assert post(browser, f"/office/staff/{guest.public_id}/role", {"role": ""}).status_code == 303
    with app.database.reading() as session:
        assert staff.get_operator(session, guest.id).role_at(site.id) is None


def test_an_administrator_of_all_the_shops_may(
    app: ShopHub, browser: Browser, admin: Operator, guest: Operator, elsewhere: Site
) -> None:
    with app.database.transaction() as session:
        staff.set_role(session, admin.id, elsewhere.id, Role.ADMINISTRATOR)
    browser.sign_in("admin")
    assert post(browser, f"/office/staff/{guest.public_id}/code").status_code == 200
    assert post(browser, f"/office/staff/{guest.public_id}/block", {"is_blocked": "1"}).status_code == 303
    assert Browser(app.test_client()).sign_in("bettina").status_code == 403


@pytest.fixture
def held(app: ShopHub, monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Whether the write lock was held, for each slow hash that is made."""
    seen: list[bool] = []
    slow = type(app.hasher).hash

    def watched(*args: str) -> str:
        seen.append(getattr(app.database._local, "writes", False))
        return slow(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(type(app.hasher), "hash", watched)
    return seen


@pytest.mark.usefixtures("admin")
def test_pins_and_passwords_are_hashed_while_nobody_waits(
    app: ShopHub, site: Site, browser: Browser, held: list[bool]
) -> None:
    with app.database.transaction() as session:
        new = service.NewPerson(home_site_id=site.id, first_name="Erna", last_name="Vogt")
        person = service.create_person(session, new)
        carrier = service.create_carrier(session, Carrier(code="fuchs", name="Fuchs"))
        courier = service.create_courier(session, carrier.id, "Ramona S.")
    assert post(browser, f"/office/people/{person.public_id}/pin", {"pin": "2580"}).status_code == 303
    answer = post(browser, f"/office/people/couriers/{courier.public_id}/pin", {"pin": "2580"})
    assert answer.status_code == 303
    new_password = "drei wilde enten im schilf"
    form = {"old_password": PASSWORD, "password": new_password, "password_again": new_password}
    assert post(browser, "/office/account/password", form).status_code == 303
    assert held == [False] * 3
