"""Identifiers made on the spot, without asking anyone."""

import hashlib
import secrets
import time

ULID_PATTERN = r"^[0-7][0-9A-HJKMNP-TV-Z]{25}$"

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_RANDOM_BITS = 80
_LENGTH = 26


def new_ulid() -> str:
    """Return a new ULID: 48 bits of wall clock in ms, then 80 random bits, in Crockford's base 32.

    The order is a convenience for people who read logs; nothing may rely on it, since clocks jump.
    Source: github.com/ulid/spec.
    """
    number = (time.time_ns() // 1_000_000) << _RANDOM_BITS | secrets.randbits(_RANDOM_BITS)
    return "".join(_ALPHABET[number >> shift & 31] for shift in range(5 * (_LENGTH - 1), -1, -5))


def new_epoch() -> str:
    """Return 64 random bits as 16 hex digits: the name of one journal's life."""
    return secrets.token_hex(8)


def client_id(user: str, password: str) -> str:
    """Return a client id that nobody else can guess: nats-server ends the session of whoever had it before."""
    return f"{user}-{hashlib.sha256(password.encode()).hexdigest()[:16]}"


def new_lease() -> str:
    """Return an unguessable value that a device hands out as its current lease."""
    return secrets.token_urlsafe(16)
