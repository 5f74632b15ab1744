"""Identifiers and secrets made by this hub."""

import base64
import secrets
import time
import uuid


def uuid7() -> uuid.UUID:
    """Return a time-ordered UUID (RFC 9562, version 7) for everything that the outside may name."""
    milliseconds = time.time_ns() // 1_000_000
    value = milliseconds << 80 | 0x7 << 76 | secrets.randbits(12) << 64 | 0b10 << 62 | secrets.randbits(62)
    return uuid.UUID(int=value)


def random_base32(bits: int = 128) -> str:
    """Return an upper-case base32 secret of at least `bits` random bits (26 characters for 128 bits)."""
    length = -(-bits // 5)
    return base64.b32encode(secrets.token_bytes(-(-length * 5 // 8))).decode()[:length]


def random_digits(length: int) -> str:
    """Return `length` random decimal digits."""
    return "".join(secrets.choice("0123456789") for _ in range(length))
