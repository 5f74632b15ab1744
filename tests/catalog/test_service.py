import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DatabaseError, IntegrityError

from shop_hub.catalog import queries
from shop_hub.catalog import service as catalog
from shop_hub.catalog.errors import (
    BadCodeError,
    BadProductError,
    BadTemplateError,
    CodeTakenError,
    TemplateCollisionError,
    UnknownProductError,
    WrongCheckDigitError,
)
from shop_hub.catalog.models import Embed, Price, Product, Unit, VatClass
from shop_hub.catalog.service import NewCode, NewProduct
from shop_hub.core.audit import AuditEntry
from shop_hub.core.db import Database
from shop_hub.core.errors import ShopError
from shop_hub.core.sites import Site
from tests.catalog.makers import ean, make_basics, make_product


@pytest.fixture(autouse=True)
def basics(database: Database) -> None:
    with database.transaction() as session:
        make_basics(session)


def new(**fields: object) -> NewProduct:
    return NewProduct(**{"name": "Milch", "group": "milk", "vat_class": VatClass.REDUCED} | fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"name": "   "}, "name"),
        ({"name": "x" * 201}, "name"),
        ({"min_age": 17}, "min_age"),
        ({"group": "cars"}, "group"),
        ({"deposit": "gold"}, "deposit"),
        ({"content_milli": 500}, "content"),
        ({"content_milli": 0, "content_unit": Unit.LITRE}, "content"),
        ({"drained_milli": 10}, "drained"),
        ({"content_milli": 5, "content_unit": Unit.LITRE, "drained_milli": 10}, "drained"),
        ({"contains_pieces": 12}, "contains"),
    ],
)
def test_contradictions_are_refused(database: Database, fields: dict[str, object], field: str) -> None:
    with pytest.raises(BadProductError) as refusal, database.transaction() as session:
        catalog.create_product(session, new(**fields))
    assert refusal.value.params == {"field": field}


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("4006381333930", WrongCheckDigitError),
        ("", BadCodeError),
        ("ä", BadCodeError),
        ("D1M" + "A" * 26, BadCodeError),
        ("x" * 500, BadCodeError),
    ],
)
def test_bad_codes_are_refused(database: Database, site: Site, code: str, error: type[ShopError]) -> None:
    with pytest.raises(error), database.transaction() as session:
        make_product(session, site.id, codes=[code])


def test_a_code_belongs_to_one_product(database: Database, site: Site) -> None:
    with database.transaction() as session:
        make_product(session, site.id, codes=["036000291452"])
    with pytest.raises(CodeTakenError) as refusal, database.transaction() as session:
        make_product(session, site.id, codes=["0036000291452"])
    assert refusal.value.params == {"code": "0036000291452"}


def test_codes_and_scale_labels_cannot_mean_two_things(database: Database, site: Site) -> None:
    scale = "2{code:5}{_:1}{embed:5}{ec}"
    item = NewCode(code="12345", template="scale", embed=Embed.GRAM)
    with database.transaction() as session:
        catalog.put_template(session, "scale", scale)
        make_product(session, site.id, codes=[item])
    with pytest.raises(TemplateCollisionError), database.transaction() as session:
        make_product(session, site.id, codes=["2123455005005"])
    with database.transaction() as session:
        make_product(session, site.id, codes=[ean("299999500500")])
    other = NewCode(code="99999", template="scale", embed=Embed.GRAM)
    with pytest.raises(TemplateCollisionError) as refusal, database.transaction() as session:
        make_product(session, site.id, codes=[other])
    assert refusal.value.params == {"code": ean("299999500500")}
    with pytest.raises(BadTemplateError), database.transaction() as session:
        make_product(session, site.id, codes=[NewCode(code="1", template="none", embed=Embed.GRAM)])


def test_changing_a_product_is_noted_with_before_and_after(database: Database, site: Site) -> None:
    with database.transaction() as session:
        product = make_product(session, site.id)
    with database.transaction() as session:
        catalog.change_product(session, product.id, new(name="Käse", min_age=16), site_id=site.id, actor="operator:1")
    with database.reading() as session:
        entry = session.scalars(select(AuditEntry).where(AuditEntry.action == "product-changed")).one()
        assert entry.detail == {
            "name": ["Vollmilch", "Käse"],
            "search_key": ["vollmilch", "kase"],
            "min_age": [0, 16],
        }
        assert [item.name for item in queries.search(session, site.id, "kase").items] == ["Käse"]
    with pytest.raises(UnknownProductError), database.transaction() as session:
        catalog.change_product(session, 999, new(), site_id=site.id, actor="operator:1")


def test_a_code_can_be_taken_away(database: Database, site: Site) -> None:
    with database.transaction() as session:
        product = make_product(session, site.id)
        row = catalog.add_code(session, product.id, NewCode(code="4011"), site_id=site.id, actor="operator:1")
        other = make_product(session, site.id)
    with pytest.raises(UnknownProductError), database.transaction() as session:
        catalog.remove_code(session, other.id, row.id, site_id=site.id, actor="operator:1")
    with database.transaction() as session:
        catalog.remove_code(session, product.id, row.id, site_id=site.id, actor="operator:1")
        catalog.add_code(session, other.id, NewCode(code="4011"), site_id=site.id, actor="operator:1")
    with database.reading() as session:
        assert queries.find_by_barcode(session, site.id, "4011").product_id == other.id


@pytest.mark.parametrize("cents", [-1, 1_000_001])
def test_prices_have_limits(database: Database, site: Site, cents: int) -> None:
    with database.transaction() as session:
        product = make_product(session, site.id)
    with pytest.raises(BadProductError) as refusal, database.transaction() as session:
        catalog.set_price(session, site.id, product.id, cents, actor="operator:1")
    assert refusal.value.params == {"field": "price"}


def test_price_history_stays_and_cannot_be_rewritten(database: Database, site: Site) -> None:
    with database.transaction() as session:
        product = make_product(session, site.id, cents=100)
        catalog.set_price(session, site.id, product.id, 110, actor="operator:1")
        catalog.set_price(session, site.id, product.id, 105, actor="operator:1")
    for statement in ("UPDATE price SET cents = 1", "DELETE FROM price"):
        with pytest.raises(DatabaseError), database.transaction() as session:
            session.execute(text(statement))
    with database.reading() as session:
        assert list(session.scalars(select(Price.cents).order_by(Price.id))) == [100, 110, 105]
        assert queries.product_card(session, site.id, product.id).unit_price_cents == 105


def test_the_database_refuses_what_the_service_would_never_write(database: Database, site: Site) -> None:
    with database.transaction() as session:
        product = make_product(session, site.id)
    for values in ({"min_age": 17}, {"name": ""}, {"content_milli": 5}, {"contains_id": product.id}):
        with pytest.raises(IntegrityError), database.transaction() as session:
            for name, value in values.items():
                setattr(session.get(Product, product.id), name, value)
