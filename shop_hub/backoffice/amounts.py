"""Amounts of money as people type them."""

import re

from shop_hub.core.errors import BadInputError


def cents(text: str) -> int:
    """Read an amount of euros: "20", "20,5", "20,50", "1.250,00" or "20.50".

    Raises:
        BadInputError: it is no amount.
    """
    plain = text.strip().removesuffix("€").strip()
    plain = re.sub(r"(?<=\d)\.(?=\d{3}(\D|$))", "", plain).replace(",", ".")
    if not re.fullmatch(r"[0-9]{1,7}(\.[0-9]{1,2})?", plain, re.ASCII):
        raise BadInputError(field="amount")
    euros, _, rest = plain.partition(".")
    return int(euros) * 100 + int(rest.ljust(2, "0") or "0")
