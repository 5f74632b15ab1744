"""The token in a receipt's QR code: derived from the sale, so that it can be shown again but is stored nowhere."""

import base64
import hmac
from uuid import UUID

from shop_hub.checkout import rules
from shop_hub.core.hashing import token_hash
from shop_hub.core.tokens import Purpose, normalise

_LENGTH = 26


def token_of(public_id: UUID) -> str:
    """Return the token (`D1R…`, 128 bit) of a sale's receipt."""
    digest = hmac.digest(rules.receipt_key(), public_id.bytes, "sha256")
    return Purpose.RECEIPT.value + base64.b32encode(digest)[:_LENGTH].decode()


def hash_of(public_id: UUID) -> str:
    """Return what is stored of the token: its SHA-256."""
    return token_hash(token_of(public_id))


def hash_of_scan(scan: str) -> str | None:
    """Return the hash of a scanned receipt code, bare or as address, or None if it is none."""
    text = normalise(scan)
    is_ours = text.startswith(Purpose.RECEIPT.value) and len(text) == len(Purpose.RECEIPT.value) + _LENGTH
    return token_hash(text) if is_ours else None


def address(host_url: str, public_id: UUID) -> str:
    """Return the address for the QR code; the token stands behind `#` and so never reaches a server's log.

    Upper case throughout: such a QR code is smaller.
    """
    return f"{host_url.rstrip('/').upper()}/R#{token_of(public_id)}"
