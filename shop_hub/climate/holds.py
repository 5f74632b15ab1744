"""What may not be sold because its cooling failed. Asked at every sale: the usual answer, nothing, is one look-up."""

from collections.abc import Collection
from typing import cast

from sqlalchemy import Table, bindparam, select
from sqlalchemy.orm import Session

from shop_hub.catalog.models import Product
from shop_hub.climate.errors import GoodsHeldError
from shop_hub.climate.models import SaleBlock, Stand, UncooledProduct
from shop_hub.core.prepared import Prepared

_blocks = cast("Table", SaleBlock.__table__)
_groups = Prepared(
    select(_blocks.c.group_id)
    .where(
        _blocks.c.site_id == bindparam("site_id"),
        _blocks.c.stand == bindparam("stand"),
        _blocks.c.ended_at.is_(None),
    )
    .distinct()
)


def held(session: Session, site_id: int, product_ids: Collection[int], stand: Stand) -> dict[int, str]:
    """Return the names of those products that may not be sold from this stand now, by id."""
    groups = {row.group_id for row in _groups.all(session, {"site_id": site_id, "stand": stand})}
    if not groups or not product_ids:
        return {}
    uncooled = select(UncooledProduct.product_id).where(UncooledProduct.site_id == site_id)
    rows = session.execute(
        select(Product.id, Product.name)
        .where(Product.id.in_(product_ids), Product.group_id.in_(groups), Product.id.not_in(uncooled))
        .order_by(Product.name)
    )
    return {row.id: row.name for row in rows}


def check(session: Session, site_id: int, product_ids: Collection[int], stand: Stand = Stand.SHELF) -> None:
    """Refuse goods whose cooling failed.

    Raises:
        GoodsHeldError: names them.
    """
    found = held(session, site_id, product_ids, stand)
    if found:
        raise GoodsHeldError(list(found.values()))
