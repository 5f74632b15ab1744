"""What `shop-hub verify` recomputes of vends: the customer paid exactly for what has dropped."""

from collections.abc import Iterator

from sqlalchemy import select
from sqlalchemy.orm import Session

from shop_hub.catalog.models import Product
from shop_hub.checkout.models import Sale, SaleState
from shop_hub.core.verify import Check, Deviation
from shop_hub.stock.models import StockLevel
from shop_hub.vending.models import Vend, VendingSlot, VendState
from shop_hub.vending.queries import PIECE

_EXPECTED = {
    VendState.DROPPED: (SaleState.DONE,),
    VendState.FAILED: (SaleState.ABORT, SaleState.VOID, SaleState.IN_REVIEW),
    VendState.LOST: (SaleState.ABORT, SaleState.VOID, SaleState.IN_REVIEW),
    VendState.CANCELLED: (SaleState.VOID,),
}


def paid_is_delivered(session: Session) -> Iterator[Deviation]:
    """Each vend that has ended has the sale that belongs to its end."""
    rows = session.execute(select(Vend.id, Vend.state, Sale.state).join(Sale, Sale.id == Vend.sale_id))
    for vend_id, vend_state, sale_state in rows:
        expected = _EXPECTED.get(vend_state)
        if expected is not None and sale_state not in expected:
            yield Deviation("vend-paid", f"vend:{vend_id}", f"{vend_state} with {expected[0]}", str(sale_state))


def slots_hold_their_goods(session: Session) -> Iterator[Deviation]:
    """A slot holds pieces of its own article only, and no more than fit."""
    rows = session.execute(
        select(VendingSlot, StockLevel.product_id, StockLevel.on_hand_milli)
        .join(StockLevel, StockLevel.location_id == VendingSlot.location_id)
        .where(StockLevel.on_hand_milli != 0)
    )
    for slot, product_id, milli in rows:
        if product_id != slot.product_id or milli > slot.capacity * PIECE:
            found = f"{milli} of product {product_id}"
            yield Deviation(
                "slot-goods", f"vending-slot:{slot.id}", f"up to {slot.capacity} of {slot.product_id}", found
            )


def goods_may_be_vended(session: Session) -> Iterator[Deviation]:
    """No age-limited or forbidden article lies in a slot (JuSchG §9, §10; GastG §20)."""
    rows = session.execute(
        select(VendingSlot.id, Product.id, Product.min_age)
        .join(Product, Product.id == VendingSlot.product_id)
        .where((Product.min_age > 0) | Product.is_vending_forbidden)
    )
    for slot_id, product_id, min_age in rows:
        yield Deviation("slot-forbidden", f"vending-slot:{slot_id}", "0", f"product {product_id}, age {min_age}")


CHECKS: tuple[Check, ...] = (paid_is_delivered, slots_hold_their_goods, goods_may_be_vended)
