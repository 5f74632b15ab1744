"""Lists in the order of names, page by page: the cursor names the last row shown, so that new rows shift nothing."""

import base64
import binascii
import json
import unicodedata

from sqlalchemy import ColumnElement, and_, exists, or_

from shop_hub.catalog.models import Product, ProductCode
from shop_hub.core.errors import BadInputError

MOST_WORDS = 8
LONGEST_WORD = 40
FEWEST_CODE_DIGITS = 4


def search_key(*texts: str) -> str:
    """Return texts in lower case without accents; SQLite can only lower ASCII letters itself."""
    folded = unicodedata.normalize("NFKD", " ".join(texts).casefold())
    return " ".join("".join(letter for letter in folded if not unicodedata.combining(letter)).split())


def cursor(key: str, row_id: int) -> str:
    """Return the cursor of a row."""
    return base64.urlsafe_b64encode(json.dumps([key, row_id]).encode()).decode().rstrip("=")


def after(text: str) -> ColumnElement[bool]:
    """Return the condition for products behind a cursor.

    Raises:
        BadInputError: the cursor is not one of ours.
    """
    try:
        key, row_id = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (ValueError, binascii.Error, TypeError):
        raise BadInputError(field="cursor") from None
    if not isinstance(key, str) or not isinstance(row_id, int):
        raise BadInputError(field="cursor")
    return or_(Product.search_key > key, and_(Product.search_key == key, Product.id > row_id))


def has_words(text: str) -> list[ColumnElement[bool]]:
    """Return the conditions that a product's name and maker hold every word, or one of its codes the digits."""
    digits = text.strip()
    if digits.isascii() and digits.isdigit() and len(digits) >= FEWEST_CODE_DIGITS:
        bears = exists().where(ProductCode.product_id == Product.id, ProductCode.code.contains(digits))
        return [or_(bears, _contains(digits))]
    return [_contains(word) for word in search_key(text)[: MOST_WORDS * LONGEST_WORD].split()[:MOST_WORDS]]


def _contains(word: str) -> ColumnElement[bool]:
    return Product.search_key.contains(word[:LONGEST_WORD], autoescape=True)
