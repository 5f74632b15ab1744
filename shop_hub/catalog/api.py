"""API of the catalogue: what a site sells, at which price."""

from flask import Blueprint
from pydantic import Field

from shop_hub.catalog import queries
from shop_hub.catalog.errors import NoPriceError, UnknownBarcodeError, UnreadableBarcodeError, WrongCheckDigitError
from shop_hub.catalog.queries import FoundProduct
from shop_hub.core.access import Role, principal
from shop_hub.core.api import PREFIX, ApiModel, Page, PageQuery, operation
from shop_hub.core.errors import BadInputError
from shop_hub.core.web import session

blueprint = Blueprint("catalog_api", __name__, url_prefix=PREFIX)
READERS = (Role.TILL, Role.MONITOR, Role.CARRIER)


class ProductQuery(PageQuery):
    """Query of products: words of the name or digits of a code, and the key of a group."""

    q: str = Field(default="", max_length=200)
    group: str | None = Field(default=None, max_length=40)


class BasePriceOut(ApiModel):
    """Price per reference unit (PAngV §4)."""

    cents: int
    unit: str


class ProductOut(ApiModel):
    """Goods for sale. Prices are gross cents; the deposit comes on top; rates are permille."""

    id: str
    gtin: str
    codes: list[str]
    name: str
    name_en: str
    group: str
    unit: str
    price_cents: int
    base_price: BasePriceOut | None
    vat_permille: int
    deposit_cents: int
    min_age: int


@operation(
    blueprint, "GET", "/products", roles=READERS, query=ProductQuery, result=Page[ProductOut], errors=(BadInputError,)
)
def list_products(query: ProductQuery) -> Page[ProductOut]:
    """List what is for sale, in the order of the names."""
    site_id = principal().site
    found = queries.search(session(), site_id, query.q, group=query.group, limit=query.limit, cursor=query.cursor)
    codes = queries.printed_codes(session(), [product.product_id for product in found.items])
    items = [_out(product, codes.get(product.product_id, [])) for product in found.items]
    return Page[ProductOut](items=items, next=found.next)


@operation(
    blueprint,
    "GET",
    "/products/<string:gtin>",
    roles=READERS,
    result=ProductOut,
    errors=(UnknownBarcodeError, UnreadableBarcodeError, WrongCheckDigitError, NoPriceError),
)
def get_product(gtin: str) -> ProductOut:
    """Return what a code means."""
    found = queries.find_by_barcode(session(), principal().site, gtin)
    return _out(found, queries.printed_codes_of(session(), found.product_id))


def _out(found: FoundProduct, codes: list[str]) -> ProductOut:
    base = found.base_price
    return ProductOut(
        id=str(found.public_id),
        gtin=codes[0] if codes else "",
        codes=codes,
        name=found.name,
        name_en=found.name_en,
        group=found.group_key,
        unit=found.unit.value,
        price_cents=found.unit_price_cents,
        base_price=BasePriceOut(cents=base.cents, unit=base.unit.value) if base else None,
        vat_permille=found.vat_permille,
        deposit_cents=found.deposit[1] if found.deposit else 0,
        min_age=found.min_age,
    )
