"""`shop-hub verify`: what the till relies on in the catalogue."""

from collections.abc import Iterator

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from shop_hub.catalog.barcodes import is_gtin
from shop_hub.catalog.models import DepositRate, DepositType, Product, ProductCode, VatClass, VatRate
from shop_hub.catalog.paging import search_key
from shop_hub.core import clock
from shop_hub.core.verify import Check, Deviation

GTIN_LENGTH = 14


def rates_are_known(session: Session) -> Iterator[Deviation]:
    """Every VAT class and deposit that a product uses has a rate today."""
    now = clock.now()
    known = set(session.scalars(select(VatRate.vat_class).where(VatRate.valid_from <= now).distinct()))
    used = set(session.scalars(select(Product.vat_class).distinct()))
    for vat_class in sorted(used - known, key=list(VatClass).index):
        yield Deviation("vat-rate", vat_class.value, "a rate", "none")
    dated = select(DepositRate.deposit_type_id).where(DepositRate.valid_from <= now)
    without = (
        select(DepositType.key)
        .join(Product, Product.deposit_type_id == DepositType.id)
        .where(DepositType.id.not_in(dated))
        .distinct()
    )
    for key in session.scalars(without.order_by(DepositType.key)):
        yield Deviation("deposit-rate", key, "a deposit", "none")


def codes_are_whole(session: Session) -> Iterator[Deviation]:
    """Every stored GTIN has a right check digit."""
    gtins = select(ProductCode.code).where(ProductCode.template == "", func.length(ProductCode.code) == GTIN_LENGTH)
    for code in session.scalars(gtins.order_by(ProductCode.code)):
        if code.isdigit() and not is_gtin(code):
            yield Deviation("gtin", code, "a right check digit", "a wrong one")


def search_keys_fit(session: Session) -> Iterator[Deviation]:
    """Every product is found by its name."""
    rows = session.execute(select(Product.id, Product.name, Product.maker, Product.name_en, Product.search_key))
    for row in rows:
        expected = search_key(row.name, row.maker, row.name_en)
        if row.search_key != expected:
            yield Deviation("search-key", f"product:{row.id}", expected, row.search_key)


CHECKS: tuple[Check, ...] = (rates_are_known, codes_are_whole, search_keys_fit)
