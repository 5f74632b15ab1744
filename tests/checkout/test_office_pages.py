"""Sales in the backoffice, and a receipt on the phone."""

import re
from collections.abc import Iterator
from datetime import timedelta
from uuid import uuid4

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from shop_hub.checkout import receipts
from shop_hub.checkout.models import SaleState
from shop_hub.core import clock
from shop_hub.core.access import Principal, Role, staff_roles
from shop_hub.core.web import ShopHub
from shop_hub.fleet.models import CommandState, Link
from tests.catalog.makers import gtin
from tests.checkout.shop import BREAD, CHEESE, MILK, Shop
from tests.checkout.till import last_sale


@pytest.fixture
def office(app: ShopHub, shop: Shop) -> Iterator[FlaskClient]:
    roles = staff_roles(Role.OPERATOR) | {Role.ANONYMOUS}
    before = app.load_principal
    app.load_principal = lambda: Principal(roles=roles, site_id=shop.site.id, operator_id=1)
    yield app.test_client()
    app.load_principal = before


def office_post(app: ShopHub, client: FlaskClient, path: str, **form: str) -> TestResponse:
    visit = "A" * 26
    client.set_cookie("visit", visit)
    token = app.csrf_token_for(type("Visit", (), {"id": visit})())
    return client.post(path, data={"csrf_token": token, "idempotency_key": str(uuid4()), **form})


def test_a_receipt_on_the_phone(app: ShopHub, shop: Shop) -> None:
    sold = shop.pay(shop.basket(gtin(BREAD)))
    client = app.test_client()
    page = client.get("/R", headers={"Accept-Language": "de"}).text
    token = re.search(r'name="csrf_token" value="([0-9a-f]+)"', page)
    assert token is not None
    form = {"csrf_token": token[1]}
    shown = client.post("/R", data=form | {"code": receipts.token_of(sold.public_id)})
    assert (shown.status_code, "K1-1" in shown.text, "Landbrot" in shown.text) == (200, True, True)
    assert client.post("/R", data=form | {"code": "D1R" + "A" * 26}).status_code == 404


def test_the_office_lists_sales_and_undoes_one(app: ShopHub, office: FlaskClient, shop: Shop) -> None:
    sold = shop.pay(shop.basket(gtin(BREAD)))
    assert "K1-1" in office.get("/office/sales/").text
    path = f"/office/sales/{sold.public_id}"
    assert "Landbrot" in office.get(path).text
    with clock.shifted(timedelta(hours=2)):
        assert 'name="reason"' in office.get(path).text
        assert office_post(app, office, f"{path}/undo", reason=" ").status_code == 422
        undone = office_post(app, office, f"{path}/undo", reason="Brot war schimmelig")
    assert "K1-2" in office.get(undone.location).text
    assert shop.balance() == 10_000


@pytest.mark.parametrize(
    ("pieces", "role", "may"), [(3, "operator", True), (4, "operator", False), (4, "manager", True)]
)
def test_above_fifty_euros_a_manager_undoes(
    app: ShopHub, office: FlaskClient, shop: Shop, *, pieces: int, role: str, may: bool
) -> None:
    """Three cheeses and a milk with its deposit cost 40.14, with four cheeses 53.04."""
    sold = shop.pay(shop.basket(gtin(MILK), *[gtin(CHEESE)] * pieces))
    app.load_principal = lambda: Principal(roles=staff_roles(Role(role)), site_id=shop.site.id, operator_id=1)
    path = f"/office/sales/{sold.public_id}"
    page = office.get(path).text
    assert ('name="reason"' in page, "darf nur die Leitung" in page) == (may, not may)
    assert office_post(app, office, f"{path}/undo", reason="Falscher Käse").status_code == (303 if may else 403)
    assert shop.level(CHEESE) == (10_000 if may else 6_000)


def test_the_office_decides_a_payment_in_doubt(app: ShopHub, office: FlaskClient, shop: Shop) -> None:
    sold = shop.charge(shop.basket(gtin(BREAD)))
    shop.answer(CommandState.UNKNOWN, "no_answer", outcome="unknown")
    shop.set_link(Link.SILENT)
    shop.tick(25 * 3600)
    path = f"/office/sales/{sold.public_id}"
    assert 'name="money"' in office.get(path).text
    assert office_post(app, office, f"{path}/decision", reason="x").status_code == 422
    assert office_post(app, office, f"{path}/decision", money="kept", reason="Tagesliste").status_code == 303
    assert last_sale(shop).state is SaleState.DONE
    assert shop.deviations() == []


def test_the_office_sees_no_sale_of_another_site(app: ShopHub, office: FlaskClient, shop: Shop) -> None:
    sold = shop.pay(shop.basket(gtin(BREAD)))
    app.load_principal = lambda: Principal(roles=staff_roles(Role.OPERATOR), site_id=99, operator_id=1)
    assert office.get(f"/office/sales/{sold.public_id}").status_code == 404


def test_lists_cost_the_same_number_of_statements(office: FlaskClient, shop: Shop) -> None:
    from sqlalchemy import event

    def statements() -> int:
        count = 0

        def note(*_args: object) -> None:
            nonlocal count
            count += 1

        event.listen(shop.database.engine, "before_cursor_execute", note)
        office.get("/office/sales/")
        event.remove(shop.database.engine, "before_cursor_execute", note)
        return count

    office.get("/office/sales/")  # from now on the visit has a cookie
    shop.pay(shop.basket(gtin(BREAD)))
    one = statements()
    for _ in range(8):
        shop.pay(shop.basket(gtin(BREAD)))
    assert statements() == one
