"""The statements of the catalogue, built once: building them per request costs as much CPU as running them.

They select from the tables, not from the mapped classes: the ORM's loader costs more than the whole look-up.
"""

from typing import Any, cast

from sqlalchemy import Column, ScalarSelect, Select, Table, and_, bindparam, select

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
from shop_hub.core.prepared import Prepared, among

_product = cast("Table", Product.__table__).c
_contained_table = cast("Table", Product.__table__).alias("contained")
_contained = _contained_table.c
_group = cast("Table", ProductGroup.__table__).c
_code = cast("Table", ProductCode.__table__).c
_deposit_type = cast("Table", DepositType.__table__).c
_deposit_rate = cast("Table", DepositRate.__table__).c
_vat_rate = cast("Table", VatRate.__table__).c
_prices = cast("Table", Price.__table__).c
_template = cast("Table", BarcodeTemplate.__table__).c


def _deposit_of(type_id: Column[Any]) -> ScalarSelect[Any]:
    return (
        select(_deposit_rate.cents)
        .where(_deposit_rate.deposit_type_id == type_id, _deposit_rate.valid_from <= bindparam("now"))
        .order_by(_deposit_rate.valid_from.desc())
        .limit(1)
        .scalar_subquery()
    )


def _vat_of(vat_class: Any) -> Select[Any]:
    return (
        select(_vat_rate.permille)
        .where(_vat_rate.vat_class == vat_class, _vat_rate.valid_from <= bindparam("now"))
        .order_by(_vat_rate.valid_from.desc())
        .limit(1)
    )


PRICE = (
    select(_prices.cents)
    .where(
        _prices.product_id == _product.id,
        _prices.site_id == bindparam("site_id"),
        _prices.valid_from <= bindparam("now"),
    )
    .order_by(_prices.valid_from.desc(), _prices.id.desc())
    .limit(1)
    .scalar_subquery()
)
CARD = (
    _product.id,
    _product.public_id,
    _product.name,
    _product.name_en,
    _product.maker,
    _product.search_key,
    _product.unit,
    _product.content_milli,
    _product.content_unit,
    _product.drained_milli,
    _product.vat_class,
    _product.deposit_type_id,
    _product.contains_pieces,
    _product.min_age,
    _product.is_vending_forbidden,
    _product.stock_policy,
    _product.date_policy,
    _product.is_active,
    _group.key.label("group_key"),
    _group.symbol.label("group_symbol"),
    _deposit_type.kind.label("deposit_kind"),
    _contained.deposit_type_id.label("contained_deposit_type_id"),
    PRICE.label("unit_price_cents"),
    _vat_of(_product.vat_class).scalar_subquery().label("vat_permille"),
    _deposit_of(_product.deposit_type_id).label("deposit_cents"),
    _deposit_of(_contained.deposit_type_id).label("contained_deposit_cents"),
)


def joined(statement: Select[Any]) -> Select[Any]:
    """Join what `CARD` shows to a statement that selects from the products."""
    return (
        statement.join(ProductGroup.__table__, _group.id == _product.group_id)
        .outerjoin(DepositType.__table__, _deposit_type.id == _product.deposit_type_id)
        .outerjoin(_contained_table, _contained.id == _product.contains_id)
    )


_all = joined(select(*CARD).select_from(Product.__table__))
_coded = joined(
    select(*CARD, _code.code, _code.quantity_milli, _code.embed)
    .select_from(ProductCode.__table__)
    .join(Product.__table__, and_(_product.id == _code.product_id, _product.is_active))
).where(_code.template == bindparam("template"))
BY_CODE = Prepared(_coded.where(_code.code == bindparam("code")))
BY_CODES = Prepared(_coded.where(among(_code.code, "codes")))
PRINTED_CODES = Prepared(
    select(_code.product_id, _code.code)
    .where(among(_code.product_id, "product_ids"), _code.template == "")
    .order_by(_code.id)
)
PRINTED_CODES_OF = Prepared(
    select(_code.code).where(_code.product_id == bindparam("product_id"), _code.template == "").order_by(_code.id)
)
BY_ID = Prepared(_all.where(_product.id == bindparam("product_id"), _product.is_active))
BY_IDS = Prepared(_all.where(among(_product.id, "product_ids"), _product.is_active))
LIST = _all.order_by(_product.search_key, _product.id)
FOR_SALE = LIST.where(_product.is_active, PRICE.is_not(None))
VAT = _vat_of(bindparam("vat_class"))
NAMES = Prepared(select(_product.id, _product.name).where(among(_product.id, "product_ids")))
GROUPS = select(_group.id, _group.key, _group.name, _group.name_en, _group.symbol).order_by(_group.sort, _group.id)
TEMPLATES = select(_template.name, _template.pattern).where(_template.is_active).order_by(_template.name)
