"""The product pages as a browser without script sees them."""

import re
from collections.abc import Iterator
from dataclasses import replace

import pytest
from flask.testing import FlaskClient
from sqlalchemy import event, select

from shop_hub.catalog import listing, queries
from shop_hub.catalog import service as catalog
from shop_hub.catalog.models import Product, Unit
from shop_hub.core.access import Principal, Role, staff_roles
from shop_hub.core.audit import AuditEntry
from shop_hub.core.db import Database
from shop_hub.core.sites import Site
from shop_hub.core.web import ShopHub
from tests.catalog.makers import gtin, make_basics, make_product

FORM = {
    "name": "Käse 200 g",
    "group": "milk",
    "unit": "piece",
    "vat_class": "reduced",
    "content": "200",
    "content_unit": "g",
    "min_age": "0",
    "stock_policy": "soft",
    "date_policy": "warn",
    "is_active": "1",
    "price": "2,49",
    "code": "4006381333931",
}


class Office:
    """A browser of someone who is signed in."""

    def __init__(self, app: ShopHub, client: FlaskClient, site: Site) -> None:
        self.app, self.client, self.site = app, client, site
        self.become(Role.OPERATOR)

    def become(self, role: Role) -> None:
        asking = Principal(roles=staff_roles(role) | {Role.ANONYMOUS}, site_id=self.site.id, operator_id=7)
        self.app.load_principal = lambda: asking

    def get(self, path: str) -> str:
        answer = self.client.get(path, headers={"Accept-Language": "en"})
        assert answer.status_code == 200, answer.text
        return answer.text

    def post(self, path: str, page: str, **fields: str) -> tuple[int, str]:
        """Send a form of `page`; return the status and the page that follows."""
        text = self.get(page)
        hidden = {"csrf_token": _hidden(text, "csrf_token"), "idempotency_key": _hidden(text, "idempotency_key")}
        answer = self.client.post(path, data=hidden | fields, headers={"Accept-Language": "en"})
        if answer.status_code == 303:
            return 303, self.get(answer.location)
        return answer.status_code, answer.text


def _hidden(page: str, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]*)"', page)
    return found[1] if found else "no-such-field"


@pytest.fixture
def office(app: ShopHub, client: FlaskClient, site: Site, database: Database) -> Office:
    with database.transaction() as session:
        make_basics(session)
    return Office(app, client, site)


@pytest.fixture
def statements(database: Database) -> Iterator[list[str]]:
    seen: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        seen.append(statement)

    event.listen(database.engine, "before_cursor_execute", note)
    yield seen
    event.remove(database.engine, "before_cursor_execute", note)


@pytest.fixture
def milk(office: Office, database: Database) -> Product:
    with database.transaction() as session:
        return make_product(session, office.site.id, codes=["4006381333931"])


def page_of(product: Product) -> str:
    return f"/office/products/{product.public_id}"


def test_a_new_product_has_code_price_and_base_price(office: Office, database: Database) -> None:
    status, page = office.post("/office/products/new", "/office/products/new", **FORM)
    assert status == 303
    assert "Käse 200 g was entered." in page
    with database.reading() as session:
        found = queries.find_by_barcode(session, office.site.id, "4006381333931")
        actions = list(session.scalars(select(AuditEntry.action).order_by(AuditEntry.id)))
    assert (found.name, found.unit_price_cents, found.base_price) == (
        "Käse 200 g",
        249,
        queries.BasePrice(cents=1245, unit=Unit.KILOGRAM),
    )
    assert actions == ["product-created", "code-added", "price-set"]


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("name", " ", "Please enter a name."),
        ("group", "", "Please choose a group."),
        ("price", "teuer", "Please enter an amount, for example 2,49."),
        ("content", "viel", "Please enter a number, for example 500."),
        ("drained", "300", "The drained weight cannot be more than the content."),
        ("contains_code", "4099200000017", "Please enter the code of the bottle and how many are in the crate."),
        ("code", "4006381333930", "The code was not read correctly. Please scan it once more."),
        ("vat_class", "luxury", "Something in the form is missing or wrong."),
    ],
)
def test_a_wrong_field_is_named_and_nothing_is_entered(
    office: Office, database: Database, field: str, value: str, sentence: str
) -> None:
    status, page = office.post("/office/products/new", "/office/products/new", **FORM | {field: value})
    assert (status, sentence in page) == (422, True)
    assert 'value="Käse 200 g"' in page or field == "name"
    with database.reading() as session:
        assert listing.count(session) == 0


def test_sending_the_form_twice_enters_one_product(office: Office, database: Database) -> None:
    page = office.get("/office/products/new")
    hidden = {name: _hidden(page, name) for name in ("csrf_token", "idempotency_key")}
    answers = [office.client.post("/office/products/new", data=FORM | hidden) for _ in range(2)]
    assert answers[0].location == answers[1].location
    with database.reading() as session:
        assert listing.count(session) == 1


def test_changing_keeps_what_the_form_shows(office: Office, database: Database, milk: Product) -> None:
    with database.transaction() as session:
        crate = make_product(
            session, office.site.id, name="Kasten", contains_id=milk.id, contains_pieces=12, deposit="crate-150"
        )
    page = office.get(f"{page_of(crate)}/edit")
    shown = dict(re.findall(r'<input type="\w+" value="([^"]*)"[^>]* name="(\w+)"', page))
    values = {name: value for value, name in shown.items()}
    assert (values["contains_code"], values["contains_pieces"]) == ("4006381333931", "12")
    fields = FORM | {"name": "Kasten Milch", "deposit": "crate-150", "content": ""}
    fields |= {name: values[name] for name in ("contains_code", "contains_pieces")}
    status, page = office.post(f"{page_of(crate)}/edit", f"{page_of(crate)}/edit", **fields)
    assert (status, "The changes are saved." in page) == (303, True)
    with database.reading() as session:
        changed = session.get_one(Product, crate.id)
    assert (changed.name, changed.contains_id, changed.contains_pieces) == ("Kasten Milch", milk.id, 12)


@pytest.mark.parametrize(
    ("fields", "sentence", "cents"),
    [
        ({"price": "1,59"}, "The new price holds from now on.", 159),
        ({"price": "1.234,50 €"}, "The new price holds from now on.", 123450),
        ({"price": "1,59", "valid_from": "2099-01-01"}, "The new price is noted.", 129),
        ({"price": "1,599"}, "Please enter an amount, for example 2,49.", 129),
        ({"price": "1,59", "valid_from": "32.13."}, "Please enter a day.", 129),
        ({"price": "99999"}, "Please enter an amount, for example 2,49.", 129),
    ],
)
def test_setting_a_price(office: Office, milk: Product, fields: dict[str, str], sentence: str, cents: int) -> None:
    status, page = office.post(f"{page_of(milk)}/prices", page_of(milk), **fields)
    assert (status, sentence in page) == (303, True)
    with office.app.database.reading() as session:
        assert queries.product_card(session, office.site.id, milk.id).unit_price_cents == cents


def test_codes_are_added_and_removed(office: Office, database: Database, milk: Product) -> None:
    status, page = office.post(f"{page_of(milk)}/codes", page_of(milk), code="4099200000017", quantity="6")
    assert (status, "The code was not read correctly." in page) == (303, True)
    status, page = office.post(f"{page_of(milk)}/codes", page_of(milk), code=gtin(1), quantity="6")
    assert (status, gtin(1) in page, "6 pieces" in page) == (303, True, True)
    with database.reading() as session:
        code_id = listing.codes(session, milk.id)[1].id
    status, page = office.post(f"{page_of(milk)}/codes/{code_id}/remove", page_of(milk))
    assert (status, gtin(1) in page) == (303, False)


def test_volunteers_look_but_change_nothing(office: Office, milk: Product) -> None:
    office.become(Role.VOLUNTEER)
    assert "New price" not in office.get(page_of(milk))
    assert "Add a product" not in office.get("/office/products/")
    assert office.client.get("/office/products/new").status_code == 403
    assert office.post(f"{page_of(milk)}/prices", page_of(milk), price="0,01")[0] == 403


@pytest.mark.usefixtures("milk")
def test_the_list_takes_the_same_statements_for_1_and_30_rows(
    office: Office, database: Database, statements: list[str]
) -> None:
    office.get("/office/products/")
    statements.clear()
    office.get("/office/products/")
    for_one = len(statements)
    with database.transaction() as session:
        for number in range(29):
            make_product(session, office.site.id, name=f"Milch {number}", deposit="mehrweg-15", min_age=16)
    statements.clear()
    page = office.get("/office/products/")
    assert (page.count('scope="row"'), len(statements)) == (30, for_one)


@pytest.mark.usefixtures("milk")
def test_the_list_is_searched_filtered_and_paged(office: Office, database: Database) -> None:
    with database.transaction() as session:
        make_product(session, office.site.id, name="Alt", is_active=False)
        make_product(session, office.site.id, name="Neu", cents=None, group="drinks")
        for number in range(40):
            make_product(session, office.site.id, name=f"Saft {number:02}", group="drinks")

    def names(query: str) -> list[str]:
        return re.findall(r'scope="row"><a [^>]*>([^<]+)</a>', office.get(f"/office/products/?{query}"))

    assert names("q=4006381333931") == ["Vollmilch"]
    assert names("shown=delisted") == ["Alt"]
    assert names("shown=unpriced") == ["Neu"]
    assert names("group=milk") == ["Vollmilch"]
    assert names("q=nothing") == []
    first = office.get("/office/products/?group=drinks")
    following = re.search(r'href="([^"]*cursor=[^"]*)"', first)
    assert following
    second = office.get(following[1].replace("&amp;", "&"))
    assert len(re.findall(r"Saft \d\d<", first + second)) == 40
    assert office.client.get("/office/products/?cursor=rubbish").status_code == 422


def test_a_product_of_no_one_is_not_found(office: Office) -> None:
    nothing = "/office/products/01938f2e-7c6b-7000-8000-000000000000"
    assert office.client.get(nothing).status_code == 404


def test_forms_values_come_back_as_typed(office: Office, database: Database, milk: Product) -> None:
    from shop_hub.catalog import forms

    new = forms.new_product(FORM | {"content": "0,75", "content_unit": "l", "drained": ""})
    assert (new.content_milli, new.content_unit) == (750, Unit.LITRE)
    with database.transaction() as session:
        product = catalog.change_product(
            session, milk.id, replace(new, content_milli=1500), site_id=office.site.id, actor="operator:7"
        )
    assert forms.content_of(product.content_milli, product.content_unit) == ("1500", "ml")
    assert forms.content_of(2000, Unit.KILOGRAM) == ("2", "kg")
    assert forms.content_of(None, None) == ("", "g")
