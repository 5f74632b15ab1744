"""API of the stock."""

from flask import Blueprint

from shop_hub.catalog import queries as catalog
from shop_hub.catalog.errors import NoPriceError, UnknownBarcodeError, UnreadableBarcodeError, WrongCheckDigitError
from shop_hub.core.access import Role, principal
from shop_hub.core.api import PREFIX, ApiModel, operation
from shop_hub.core.web import session
from shop_hub.stock import queries

blueprint = Blueprint("stock_api", __name__, url_prefix=PREFIX)
MILLI = 1000


class StockOut(ApiModel):
    """What the books say is at the site. `on_hand` counts whole units, `on_hand_milli` thousandths; may be negative."""

    gtin: str
    name: str
    unit: str
    on_hand: int
    on_hand_milli: int


@operation(
    blueprint,
    "GET",
    "/stock/<string:gtin>",
    roles=(Role.TILL, Role.MONITOR),
    result=StockOut,
    errors=(UnknownBarcodeError, UnreadableBarcodeError, WrongCheckDigitError, NoPriceError),
)
def get_stock(gtin: str) -> StockOut:
    """Return how much of an article is there."""
    site_id = principal().site
    found = catalog.find_by_barcode(session(), site_id, gtin)
    codes = catalog.printed_codes(session(), [found.product_id]).get(found.product_id, [""])
    milli = queries.level(session(), site_id, found.product_id)
    return StockOut(gtin=codes[0], name=found.name, unit=found.unit.value, on_hand=milli // MILLI, on_hand_milli=milli)
