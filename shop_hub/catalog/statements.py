"""The statements of the catalogue, built once: building them per request costs as much CPU as running them."""

from typing import Any

from sqlalchemy import Select, and_, bindparam, select
from sqlalchemy.orm import aliased

from shop_hub.catalog.models import (
    BarcodeTemplate,
    DepositRate,
    DepositType,
    Price,
    Product,
    ProductCode,
    ProductGroup,
    VatRate,
)

_contained = aliased(Product, name="contained")


def _deposit_of(type_id: Any) -> Any:
    return (
        select(DepositRate.cents)
        .where(DepositRate.deposit_type_id == type_id, DepositRate.valid_from <= bindparam("now"))
        .order_by(DepositRate.valid_from.desc())
        .limit(1)
        .scalar_subquery()
    )


_price = (
    select(Price.cents)
    .where(
        Price.product_id == Product.id,
        Price.site_id == bindparam("site_id"),
        Price.valid_from <= bindparam("now"),
    )
    .order_by(Price.valid_from.desc(), Price.id.desc())
    .limit(1)
    .scalar_subquery()
)
VAT = (
    select(VatRate.permille)
    .where(VatRate.vat_class == bindparam("vat_class"), VatRate.valid_from <= bindparam("now"))
    .order_by(VatRate.valid_from.desc())
    .limit(1)
)
_vat_of_product = (
    select(VatRate.permille)
    .where(VatRate.vat_class == Product.vat_class, VatRate.valid_from <= bindparam("now"))
    .order_by(VatRate.valid_from.desc())
    .limit(1)
    .scalar_subquery()
)
CARD = (
    Product.id,
    Product.public_id,
    Product.name,
    Product.name_en,
    Product.maker,
    Product.search_key,
    Product.unit,
    Product.content_milli,
    Product.content_unit,
    Product.drained_milli,
    Product.vat_class,
    Product.deposit_type_id,
    Product.contains_pieces,
    Product.min_age,
    Product.is_vending_forbidden,
    Product.stock_policy,
    Product.date_policy,
    Product.is_active,
    ProductGroup.key.label("group_key"),
    ProductGroup.symbol.label("group_symbol"),
    DepositType.kind.label("deposit_kind"),
    _contained.deposit_type_id.label("contained_deposit_type_id"),
    _price.label("unit_price_cents"),
    _vat_of_product.label("vat_permille"),
    _deposit_of(Product.deposit_type_id).label("deposit_cents"),
    _deposit_of(_contained.deposit_type_id).label("contained_deposit_cents"),
)


def joined(statement: Select[Any]) -> Select[Any]:
    """Join what `CARD` shows to a statement that selects from Product."""
    return (
        statement.join(ProductGroup, ProductGroup.id == Product.group_id)
        .outerjoin(DepositType, DepositType.id == Product.deposit_type_id)
        .outerjoin(_contained, _contained.id == Product.contains_id)
    )


BY_CODE = joined(
    select(*CARD, ProductCode.quantity_milli, ProductCode.embed)
    .select_from(ProductCode)
    .join(Product, and_(Product.id == ProductCode.product_id, Product.is_active))
).where(ProductCode.code == bindparam("code"), ProductCode.template == bindparam("template"))
BY_ID = joined(select(*CARD).select_from(Product)).where(Product.id == bindparam("product_id"), Product.is_active)
BY_IDS = joined(select(*CARD).select_from(Product)).where(
    Product.id.in_(bindparam("product_ids", expanding=True)), Product.is_active
)
LIST = (
    joined(select(*CARD).select_from(Product))
    .where(Product.is_active, _price.is_not(None))
    .order_by(Product.search_key, Product.id)
)
NAMES = select(Product.id, Product.name).where(Product.id.in_(bindparam("product_ids", expanding=True)))
GROUPS = select(
    ProductGroup.id, ProductGroup.key, ProductGroup.name, ProductGroup.name_en, ProductGroup.symbol
).order_by(ProductGroup.sort, ProductGroup.id)
TEMPLATES = (
    select(BarcodeTemplate.name, BarcodeTemplate.pattern)
    .where(BarcodeTemplate.is_active)
    .order_by(BarcodeTemplate.name)
)
