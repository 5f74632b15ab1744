"""Hashes of passwords, PINs and short codes, and look-up keys.

Short secrets are first mixed with a pepper that lives outside the database, then hashed with Argon2id
(m=19456 KiB, t=2, p=1, OWASP). Long random tokens need no slow hash; their SHA-256 is enough (ASVS 6.5.2).
"""

import hashlib
import hmac
import secrets
import threading
import time
from collections import OrderedDict
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError, VerifyMismatchError

_hasher = PasswordHasher(time_cost=2, memory_cost=19456, parallelism=1)
_at_once = threading.BoundedSemaphore(2)


def token_hash(token: str) -> str:
    """Return the SHA-256 of an opaque token of at least 112 random bits, as hex."""
    return hashlib.sha256(token.encode()).hexdigest()


@cache
def _dummy_hash() -> str:
    """Return what is compared where nobody has a secret; nothing equals it."""
    return _hasher.hash(secrets.token_hex(32))


class SecretHasher:
    """Hashes short secrets with this hub's pepper.

    Args:
        pepper: at least 16 random bytes, kept outside the database.
    """

    REMEMBERED = 1024
    REMEMBER_S = 300.0

    def __init__(self, pepper: bytes) -> None:
        self._pepper = pepper
        self._run_key = secrets.token_bytes(32)
        self._verified: OrderedDict[bytes, float] = OrderedDict()
        self._lock = threading.Lock()
        self._dummy = _dummy_hash()

    def derive(self, purpose: str) -> bytes:
        """Return a 32-byte key for `purpose`, derived from the pepper."""
        return hmac.digest(self._pepper, b"key:" + purpose.encode(), "sha256")

    def lookup_key(self, context: str, secret: str) -> str:
        """Return a keyed hash that finds a secret by equality, e.g. a pick-up code of 8 digits."""
        return hmac.new(self.derive("lookup"), f"{context}\0{secret}".encode(), "sha256").hexdigest()

    def hash(self, context: str, secret: str) -> str:
        """Hash `secret`; `context` binds it to its owner, so that a copied hash is worthless elsewhere."""
        with _at_once:
            return _hasher.hash(self._peppered(context, secret))

    def verify(self, context: str, secret: str, stored: str | None) -> bool:
        """Compare `secret` with its hash, taking the same time when there is none.

        A secret that was right within the last five minutes is recognised without hashing again: the memory holds only
        a keyed hash under a key of this process.
        """
        if self.remembers(context, secret, stored):
            return True
        with _at_once:
            try:
                _hasher.verify(stored or self._dummy, self._peppered(context, secret))
            except (VerifyMismatchError, VerificationError, InvalidHashError):
                return False
        if stored is None:
            return False
        self._remember(self._memory(context, secret, stored))
        return True

    def remembers(self, context: str, secret: str, stored: str | None) -> bool:
        """Tell whether this very secret proved right within the last five minutes; costs no slow hash.

        Ask it only after `limits.check`: who may not try must not learn anything here either.
        """
        return stored is not None and self._was_right(self._memory(context, secret, stored))

    def _memory(self, context: str, secret: str, stored: str) -> bytes:
        return hmac.digest(self._run_key, f"{context}\0{secret}\0{stored}".encode(), "sha256")

    def _peppered(self, context: str, secret: str) -> str:
        return hmac.new(self._pepper, f"{context}\0{secret}".encode(), "sha256").hexdigest()

    def _was_right(self, memory: bytes) -> bool:
        with self._lock:
            until = self._verified.get(memory)
            return until is not None and until > time.monotonic()

    def _remember(self, memory: bytes) -> None:
        with self._lock:
            self._verified[memory] = time.monotonic() + self.REMEMBER_S
            while len(self._verified) > self.REMEMBERED:
                self._verified.popitem(last=False)
