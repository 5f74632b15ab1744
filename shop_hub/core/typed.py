"""Numbers as people type them: with comma or point, with or without the thousands' point."""

import re
from decimal import Decimal

from shop_hub.core.errors import BadInputError

_THOUSANDS = re.compile(r"(?<=\d)\.(?=\d{3}(\D|$))")
_NUMBER = re.compile(r"[0-9]{1,7}(\.[0-9]{1,3})?", re.ASCII)


def cents(text: str, field: str = "amount") -> int:
    """Read euros: "20", "2,5", "1.250,00" or "20.50".

    Raises:
        BadInputError: it is no amount, or has parts of a cent.
    """
    amount = _decimal(text.strip().removesuffix("€"), field) * 100
    if amount != int(amount):
        raise BadInputError(field=field)
    return int(amount)


def milli(text: str, field: str = "quantity") -> int:
    """Read a quantity in thousandths: "1,5" is 1500.

    Raises:
        BadInputError: it is no quantity, or finer than a thousandth.
    """
    return int(_decimal(text, field) * 1000)


def _decimal(text: str, field: str) -> Decimal:
    plain = text.strip()
    if "," in plain:
        plain = _THOUSANDS.sub("", plain).replace(",", ".")
    if not _NUMBER.fullmatch(plain):
        raise BadInputError(field=field)
    return Decimal(plain)
