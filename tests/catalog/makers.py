"""Makes catalogue rows for tests of all features."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy.orm import Session

from shop_hub.catalog import service as catalog
from shop_hub.catalog.barcodes import check_digit
from shop_hub.catalog.models import DepositKind, Product, VatClass

LONG_AGO = datetime(2021, 1, 1, tzinfo=UTC)


def make_basics(session: Session) -> None:
    """VAT rates, two deposits and two groups, as of 2021."""
    catalog.put_vat_rate(session, VatClass.STANDARD, 190, valid_from=LONG_AGO)
    catalog.put_vat_rate(session, VatClass.REDUCED, 70, valid_from=LONG_AGO)
    for key, kind, cents in (
        ("einweg-25", DepositKind.ONE_WAY, 25),
        ("mehrweg-15", DepositKind.RETURNABLE, 15),
        ("crate-150", DepositKind.RETURNABLE, 150),
    ):
        catalog.put_deposit_type(session, key, key, kind=kind, cents=cents, valid_from=LONG_AGO)
    catalog.put_group(session, "milk", "Milch und Joghurt", name_en="Milk", symbol="milk", sort=10)
    catalog.put_group(session, "drinks", "Getränke", name_en="Drinks", symbol="drinks", sort=20)


def gtin(number: int) -> str:
    """Return the EAN-13 number `number` of a made-up German maker."""
    return ean(f"4099200{number:05}")


def ean(twelve: str) -> str:
    """Return twelve digits with their check digit."""
    return f"{twelve}{check_digit(twelve)}"


def make_product(session: Session, site_id: int, *, cents: int | None = 129, **fields: Any) -> Product:
    """Create a product of the group milk at 7 %, priced at the site unless `cents` is None."""
    fields = {"name": "Vollmilch", "group": "milk", "vat_class": VatClass.REDUCED} | fields
    codes = tuple(catalog.NewCode(code=code) if isinstance(code, str) else code for code in fields.pop("codes", ()))
    product = catalog.create_product(session, catalog.NewProduct(codes=codes, **fields))
    if cents is not None:
        catalog.set_price(session, site_id, product.id, cents, actor="system")
    return product
