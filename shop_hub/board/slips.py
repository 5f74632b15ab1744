"""Slip codes: eight signs with which a writer without account finds the own notice again.

The code follows from the notice and the hub's secret, so it can be shown again while the writer stands at the kiosk;
the database holds only a keyed hash of it.
"""

import hmac
from uuid import UUID

from shop_hub.core.hashing import SecretHasher

SIGNS = "34679ACDEFGHJKMNPQRTUWXY"
LENGTH = 8


def code_of(hasher: SecretHasher, public_id: UUID) -> str:
    """Return the code of a notice: 8 of 24 signs without look-alikes, about 37 bits."""
    number = int.from_bytes(hmac.digest(hasher.derive("slip"), public_id.bytes, "sha256"))
    signs = ""
    for _ in range(LENGTH):
        number, place = divmod(number, len(SIGNS))
        signs += SIGNS[place]
    return signs


def key_of(hasher: SecretHasher, code: str) -> str:
    """Return the keyed hash under which a code is stored; blanks, hyphens and case do not matter."""
    plain = "".join(sign for sign in code.upper()[:40] if sign.isalnum())
    return hasher.lookup_key("slip", plain)


def spaced(code: str) -> str:
    """Return the code in two groups, as printed."""
    return f"{code[: LENGTH // 2]} {code[LENGTH // 2 :]}"
