"""What the shop has set about selling. Set once at start, as the audit key is."""

from datetime import timedelta

from shop_hub.core.settings import Shop

API_REGISTER = "A1"
"""Series of receipts of tills that are programs."""
MOST_PIECES = 99
MOST_LOOSE_MILLI = 50_000
MOST_LINES = 100
BASKET_LIFE = timedelta(minutes=30)
REVERSE_AFTER = timedelta(minutes=3)
"""An unknown payment is taken back after that (trust.md 5)."""
REVIEW_AFTER = timedelta(hours=24)
STAFF_UNDO_CENTS = 50_00
"""Above that only a manager undoes a purchase."""

_shop = Shop()
_receipt_key = b"unset"


def use(shop: Shop, receipt_key: bytes) -> None:
    """Set the shop's rules, and the key from which receipts' tokens are derived."""
    global _shop, _receipt_key
    _shop, _receipt_key = shop, receipt_key


def quote_valid() -> timedelta:
    """Return how long a shown price holds."""
    return timedelta(seconds=_shop.quote_valid_s)


def undo_time() -> timedelta:
    """Return for how long a purchase can be undone at the kiosk."""
    return timedelta(seconds=_shop.undo_s)


def largest_basket_cents() -> int:
    """Return what one basket may cost at most."""
    return _shop.largest_basket_cents


def receipt_key() -> bytes:
    """Return the key of the receipts' tokens."""
    return _receipt_key
