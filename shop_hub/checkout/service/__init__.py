"""Verbs of the checkout: fill a basket, pay it, undo a purchase. Nothing here commits."""

from shop_hub.checkout.service.basket import (
    abandon,
    add_by_barcode,
    add_found,
    admit,
    change_quantity,
    find_product,
    open_basket,
    prove_age,
    requote,
)
from shop_hub.checkout.service.begin import start_terminal_payment, start_terminal_sale, start_vending
from shop_hub.checkout.service.recovery import decide, recover
from shop_hub.checkout.service.saga import (
    cancel,
    delivered,
    not_delivered,
    on_paid,
    settle,
)
from shop_hub.checkout.service.sell import Item, find_items, pay_from_account, sell
from shop_hub.checkout.service.undo import undo

__all__ = [
    "Item",
    "abandon",
    "add_by_barcode",
    "add_found",
    "admit",
    "cancel",
    "change_quantity",
    "decide",
    "delivered",
    "find_items",
    "find_product",
    "not_delivered",
    "on_paid",
    "open_basket",
    "pay_from_account",
    "prove_age",
    "recover",
    "requote",
    "sell",
    "settle",
    "start_terminal_payment",
    "start_terminal_sale",
    "start_vending",
    "undo",
]
