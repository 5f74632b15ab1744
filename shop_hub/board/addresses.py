"""Public addresses of posts, as printed in QR codes."""

import re
from uuid import UUID

# Only these signs fit the short "alphanumeric" form of QR codes; hence the address in capitals, which ours accept.
_ALPHANUMERIC = re.compile(r"[0-9A-Z $%*+./:-]+")


def public(base_url: str, public_id: UUID) -> str:
    """Return the address of a post for people."""
    return f"{base_url.rstrip('/')}/n/{public_id}"


def for_qr(base_url: str, public_id: UUID) -> str:
    """Return the address of a post in the form that makes the smallest QR code."""
    address = f"{base_url.rstrip('/')}/n/{public_id}"
    capitals = address.upper()
    return capitals if _ALPHANUMERIC.fullmatch(capitals) else address
