from pathlib import Path

from sqlalchemy import text

from shop_hub.catalog import checks, defaults, listing, queries
from shop_hub.catalog.models import VatClass
from shop_hub.core.db import Database
from shop_hub.core.sites import Site
from shop_hub.core.verify import Deviation, run
from tests.catalog.makers import make_basics, make_product

ICONS = Path(__file__).parents[2] / "kiosk" / "assets" / "icons"


def test_a_new_shop_can_enter_its_first_product(database: Database, site: Site) -> None:
    for _ in range(2):
        with database.transaction() as session:
            defaults.install(session)
    with database.transaction() as session:
        make_product(session, site.id, group="drinks", vat_class=VatClass.STANDARD, deposit="einweg-25")
        assert queries.vat_permille(session, VatClass.STANDARD) == 190
        assert [choice.cents for choice in listing.deposit_choices(session)] == [25, 8, 15, 150]
        groups = queries.groups(session)
        assert run(session, checks.CHECKS) == []
    assert [group.key for group in groups][:2] == ["bread", "fruit-vegetables"]
    assert [group.symbol for group in groups if not (ICONS / f"{group.symbol}.svg").exists()] == []


def test_verify_names_what_the_till_could_not_use(database: Database, site: Site) -> None:
    with database.transaction() as session:
        make_basics(session)
        product = make_product(session, site.id, deposit="einweg-25", codes=["4006381333931", "EI-10"])
        assert run(session, checks.CHECKS) == []
        session.execute(text("DELETE FROM vat_rate"))
        session.execute(text("DELETE FROM deposit_rate"))
        session.execute(text("UPDATE product_code SET code = '04006381333930' WHERE code = '04006381333931'"))
        session.execute(text("UPDATE product SET search_key = ''"))
        assert run(session, checks.CHECKS) == [
            Deviation("vat-rate", "reduced", "a rate", "none"),
            Deviation("deposit-rate", "einweg-25", "a deposit", "none"),
            Deviation("gtin", "04006381333930", "a right check digit", "a wrong one"),
            Deviation("search-key", f"product:{product.id}", "vollmilch", ""),
        ]
