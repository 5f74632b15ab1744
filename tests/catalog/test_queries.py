from dataclasses import replace
from datetime import date, timedelta

import pytest
from sqlalchemy import event
from sqlalchemy.orm import Session

from shop_hub.catalog import queries
from shop_hub.catalog import service as catalog
from shop_hub.catalog.errors import NoPriceError, UnknownBarcodeError, UnknownProductError, WrongCheckDigitError
from shop_hub.catalog.models import DepositKind, Embed, Unit, VatClass
from shop_hub.catalog.queries import BasePrice, FoundProduct, Page
from shop_hub.catalog.service import NewCode
from shop_hub.core import clock
from shop_hub.core.db import Database
from shop_hub.core.errors import BadInputError
from shop_hub.core.sites import Site
from tests.catalog.makers import ean, gtin, make_basics, make_product
from tests.conftest import make_site

SCALE = "2{code:5}{_:1}{embed:5}{ec}"
SCALE_CHECKED = "2{code:5}{i}{embed:5}{ec}"


@pytest.fixture(autouse=True)
def basics(database: Database) -> None:
    with database.transaction() as session:
        make_basics(session)


def find(database: Database, site: Site, scan: str) -> FoundProduct:
    with database.reading() as session:
        return queries.find_by_barcode(session, site.id, scan)


def test_a_scan_finds_everything_the_till_needs_in_one_statement(database: Database, site: Site) -> None:
    with database.transaction() as session:
        product = make_product(
            session,
            site.id,
            name="Vollmilch 0,5 l",
            name_en="Milk",
            maker="Hof Krug",
            deposit="mehrweg-15",
            content_milli=500,
            content_unit=Unit.LITRE,
            codes=["4006381333931"],
        )
        deposit_type = product.deposit_type_id
    with database.reading() as session, counted(session) as statements:
        found = queries.find_by_barcode(session, site.id, "4006381333931")
    assert len(statements) == 1
    assert found == FoundProduct(
        product_id=product.id,
        public_id=product.public_id,
        name="Vollmilch 0,5 l",
        name_en="Milk",
        maker="Hof Krug",
        unit=Unit.PIECE,
        unit_price_cents=129,
        vat_class=VatClass.REDUCED,
        vat_permille=70,
        deposit=(deposit_type, 15),
        deposit_kind=DepositKind.RETURNABLE,
        min_age=0,
        is_vending_forbidden=False,
        stock_policy=product.stock_policy,
        date_policy=product.date_policy,
        group_key="milk",
        group_symbol="milk",
        base_price=BasePrice(cents=258, unit=Unit.LITRE),
        code="04006381333931",
        quantity_milli=1000,
    )
    assert (found.label("de"), found.label("en")) == ("Vollmilch 0,5 l", "Milk")


def test_what_a_gs1_code_bears_goes_along(database: Database, site: Site) -> None:
    with database.transaction() as session:
        make_product(session, site.id, codes=["4006381333931"])
    found = find(database, site, "]d20104006381333931" + "17261224" + "3103000250" + "10LOT42")
    assert (found.lot, found.use_by, found.best_before, found.quantity_milli) == (
        "LOT42",
        date(2026, 12, 24),
        None,
        250,
    )


def test_outer_code_means_its_quantity(database: Database, site: Site) -> None:
    with database.transaction() as session:
        make_product(session, site.id, codes=["4006381333931", NewCode(code="14006381333938", quantity_milli=6000)])
    assert find(database, site, "14006381333938").quantity_milli == 6000
    assert find(database, site, "020400638133393137" + "4").quantity_milli == 4000


def test_unknown_code(database: Database, site: Site) -> None:
    with pytest.raises(UnknownBarcodeError):
        find(database, site, "4006381333931")
    with pytest.raises(UnknownBarcodeError):
        find(database, site, "4011")


def test_ean8_is_not_taken_for_a_plu(database: Database, site: Site) -> None:
    with database.transaction() as session:
        plu = make_product(session, site.id, name="Bananen", codes=["4011"])
        ean8 = make_product(session, site.id, name="Kaugummi", codes=["40084015"])
    assert find(database, site, "4011").product_id == plu.id
    assert find(database, site, "40084015").product_id == ean8.id


def test_delisted_goods_are_unknown(database: Database, site: Site) -> None:
    with database.transaction() as session:
        product = make_product(session, site.id, codes=["4011"], is_active=False)
    with pytest.raises(UnknownBarcodeError):
        find(database, site, "4011")
    with database.reading() as session, pytest.raises(UnknownProductError):
        queries.product_card(session, site.id, product.id)


def test_each_site_has_its_own_price(database: Database, site: Site) -> None:
    other = make_site(database, "buchow")
    with database.transaction() as session:
        product = make_product(session, site.id, cents=100, codes=["4011"])
        catalog.set_price(session, other.id, product.id, 120, actor="system")
        unpriced = make_product(session, site.id, cents=None, codes=["4012"])
    assert find(database, site, "4011").unit_price_cents == 100
    assert find(database, other, "4011").unit_price_cents == 120
    with pytest.raises(NoPriceError):
        find(database, site, "4012")
    with database.reading() as session:
        assert list(queries.product_cards(session, site.id, [product.id, unpriced.id])) == [product.id]


def test_prices_vat_and_deposits_change_at_their_moment(database: Database, site: Site) -> None:
    turn = clock.now() + timedelta(days=30)
    with database.transaction() as session:
        product = make_product(session, site.id, cents=100, deposit="mehrweg-15", codes=["4011"])
        catalog.set_price(session, site.id, product.id, 140, actor="operator:1", valid_from=turn)
        catalog.put_vat_rate(session, VatClass.REDUCED, 80, valid_from=turn)
        catalog.put_deposit_type(session, "mehrweg-15", "x", kind=DepositKind.RETURNABLE, cents=20, valid_from=turn)
    before = find(database, site, "4011")
    with clock.shifted(timedelta(days=31)):
        after = find(database, site, "4011")
        with database.reading() as session:
            assert queries.vat_permille(session, VatClass.REDUCED) == 80
    type_id = product.deposit_type_id
    assert after == replace(before, unit_price_cents=140, vat_permille=80, deposit=(type_id, 20))
    assert (before.unit_price_cents, before.vat_permille, before.deposit) == (100, 70, (type_id, 15))


def test_a_crate_bears_the_deposit_of_its_bottles(database: Database, site: Site) -> None:
    with database.transaction() as session:
        bottle = make_product(session, site.id, name="Wasser", deposit="mehrweg-15")
        crate = make_product(
            session, site.id, deposit="crate-150", contains_id=bottle.id, contains_pieces=12, codes=["4011"]
        )
    assert find(database, site, "4011").deposit == (crate.deposit_type_id, 150 + 12 * 15)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"content_milli": 250, "content_unit": Unit.KILOGRAM}, BasePrice(cents=400, unit=Unit.KILOGRAM)),
        ({"content_milli": 1000, "content_unit": Unit.LITRE}, None),
        ({"content_milli": 9, "content_unit": Unit.KILOGRAM}, None),
        ({"content_milli": 10, "content_unit": Unit.KILOGRAM}, BasePrice(cents=10_000, unit=Unit.KILOGRAM)),
        (
            {"content_milli": 540, "content_unit": Unit.KILOGRAM, "drained_milli": 300},
            BasePrice(cents=333, unit=Unit.KILOGRAM),
        ),
        ({"content_milli": 10_000, "content_unit": Unit.PIECE}, BasePrice(cents=10, unit=Unit.PIECE)),
        ({"unit": Unit.KILOGRAM}, None),
        ({}, None),
    ],
)
def test_base_price(database: Database, site: Site, fields: dict[str, object], expected: BasePrice | None) -> None:
    with database.transaction() as session:
        product = make_product(session, site.id, cents=100, **fields)
    with database.reading() as session:
        assert queries.product_card(session, site.id, product.id).base_price == expected


def test_scale_label_without_inner_check(database: Database, site: Site) -> None:
    with database.transaction() as session:
        catalog.put_template(session, "scale", SCALE)
        code = NewCode(code="12345", template="scale", embed=Embed.GRAM)
        make_product(session, site.id, cents=200, unit=Unit.KILOGRAM, codes=[code])
    found = find(database, site, "2123455005005")
    assert (found.quantity_milli, found.unit_price_cents, found.fixed_total_cents) == (500, 200, None)
    with pytest.raises(UnknownBarcodeError):
        find(database, site, ean("299999000500"))


def test_scale_label_with_price(database: Database, site: Site) -> None:
    with database.transaction() as session:
        catalog.put_template(session, "scale", SCALE)
        loose = NewCode(code="12345", template="scale", embed=Embed.PRICE)
        make_product(session, site.id, cents=200, unit=Unit.KILOGRAM, codes=[loose])
        whole = NewCode(code="00001", template="scale", embed=Embed.PRICE)
        make_product(session, site.id, cents=100, codes=[whole])
    found = find(database, site, "2123455005005")
    assert (found.quantity_milli, found.fixed_total_cents) == (2500, 500)
    found = find(database, site, ean("200001000345"))
    assert (found.quantity_milli, found.fixed_total_cents) == (1000, 345)


def test_scale_label_with_wrong_inner_digit(database: Database, site: Site) -> None:
    with database.transaction() as session:
        catalog.put_template(session, "scale", SCALE_CHECKED)
        code = NewCode(code="12345", template="scale", embed=Embed.GRAM)
        make_product(session, site.id, unit=Unit.KILOGRAM, codes=[code])
    assert find(database, site, "2123456005004").quantity_milli == 500
    with pytest.raises(WrongCheckDigitError):
        find(database, site, "2123455005005")


def test_a_switched_off_template_reads_nothing(database: Database, site: Site) -> None:
    with database.transaction() as session:
        catalog.put_template(session, "scale", SCALE)
        make_product(session, site.id, codes=[NewCode(code="12345", template="scale", embed=Embed.GRAM)])
        catalog.put_template(session, "scale", SCALE, is_active=False)
    with pytest.raises(UnknownBarcodeError):
        find(database, site, "2123455005005")


def names(page: Page) -> list[str]:
    return [item.name for item in page.items]


def test_search_by_words_accents_maker_code_and_group(database: Database, site: Site) -> None:
    with database.transaction() as session:
        make_product(session, site.id, name="Süßer Käse", maker="Hof Krug", codes=["4006381333931"])
        make_product(session, site.id, name="Apfelsaft 100 %", name_en="Apple juice", group="drinks")
        make_product(session, site.id, name="Ohne Preis", cents=None)
    with database.reading() as session:

        def search(text: str = "", group: str | None = None) -> list[str]:
            return names(queries.search(session, site.id, text, group=group))

        assert search() == ["Apfelsaft 100 %", "Süßer Käse"]
        assert search("KASE suss") == ["Süßer Käse"]
        assert search("krug") == ["Süßer Käse"]
        assert search("apple") == ["Apfelsaft 100 %"]
        assert search("381333") == ["Süßer Käse"]
        assert search("%") == ["Apfelsaft 100 %"]
        assert search("_") == []
        assert search(group="drinks") == ["Apfelsaft 100 %"]
        assert search("x" * 10_000) == []


def test_paging_misses_and_repeats_nothing_while_rows_come_in(database: Database, site: Site) -> None:
    with database.transaction() as session:
        for number in range(7):
            make_product(session, site.id, name=f"Milch {number % 3}", codes=[gtin(number)])
    seen, cursor = [], None
    for _ in range(10):
        with database.reading() as session:
            page = queries.search(session, site.id, limit=2, cursor=cursor)
        seen += [item.product_id for item in page.items]
        cursor = page.next
        if cursor is None:
            break
        with database.transaction() as session:
            make_product(session, site.id, name="Aal")
    assert len(seen) == len(set(seen)) == 7


@pytest.mark.parametrize("cursor", ["x", "e30", "WzEsMl0", "!!!", "ä"])
def test_foreign_cursor_is_refused(database: Database, site: Site, cursor: str) -> None:
    with database.reading() as session, pytest.raises(BadInputError) as refusal:
        queries.search(session, site.id, cursor=cursor)
    assert refusal.value.params == {"field": "cursor"}


def test_groups_in_the_order_of_the_shop(database: Database) -> None:
    with database.reading() as session:
        assert [(group.key, group.label("en")) for group in queries.groups(session)] == [
            ("milk", "Milk"),
            ("drinks", "Drinks"),
        ]


class counted:  # noqa: N801 - reads as a word
    """Collects the statements of a session."""

    def __init__(self, session: Session) -> None:
        self.engine = session.get_bind().engine

    def __enter__(self) -> list[str]:
        self.statements: list[str] = []
        event.listen(self.engine, "before_cursor_execute", self.note)
        return self.statements

    def __exit__(self, *_error: object) -> None:
        event.remove(self.engine, "before_cursor_execute", self.note)

    def note(self, _connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        if not statement.startswith("BEGIN"):
            self.statements.append(statement)
