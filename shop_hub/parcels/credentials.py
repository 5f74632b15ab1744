"""What opens a recipient's door: an 8-digit code, a QR token, or the member card with its PIN.

A code lies in the database as a keyed look-up hash and a slow hash, a token as SHA-256; both are made at the moment
they are sent or printed. Wrong codes are counted per pad and per site, because a wrong code names no parcel; QR codes
and cards are never blocked by them (parcels.md I10, trust.md 3.4).
"""

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from shop_hub.core import limits, tokens
from shop_hub.core.db import paused
from shop_hub.core.hashing import SecretHasher
from shop_hub.core.ids import random_digits
from shop_hub.core.limits import Limit
from shop_hub.core.tokens import Purpose, Token, TokenState
from shop_hub.parcels.errors import StaleCodeError, WrongCodeError
from shop_hub.parcels.models import Parcel, ParcelState

CODE_LENGTH = 8
PAD_LIMIT = Limit("pickup-code-pad", tries=5, window=timedelta(minutes=15))
SITE_LIMIT = Limit("pickup-code-site", tries=15, window=timedelta(minutes=15))
DAY_LIMIT = Limit("pickup-code-day", tries=300, window=timedelta(days=1), first_wait=timedelta(minutes=5))
"""With 12 waiting parcels and 8 digits a guesser opens one of them with less than 0.01 % a day."""

COLLECTABLE = (ParcelState.READY, ParcelState.COLLECTING, ParcelState.EXPIRED)
_CONTEXT = "pickup-code"


@dataclass(frozen=True)
class Code:
    """A fresh pick-up code with its two hashes; `text` is shown once."""

    text: str
    key: str
    hash: str


def make_code(hasher: SecretHasher, parcel_id: int) -> Code:
    """Return a fresh code; takes about 80 ms, so call it outside of a transaction."""
    text = random_digits(CODE_LENGTH)
    return Code(text, hasher.lookup_key(_CONTEXT, text), hasher.hash(f"{_CONTEXT}:{parcel_id}", text))


def is_taken(session: Session, code: Code) -> bool:
    """Tell whether another live parcel has this code (about one in a million); then make another one."""
    return session.scalar(select(Parcel.id).where(Parcel.code_key == code.key)) is not None


def issue_token(session: Session, parcel: Parcel) -> str:
    """Return the text of a new pick-up token (`D1P…`); earlier ones stay good until the parcel is gone."""
    return tokens.issue(session, Purpose.PICKUP, parcel.id, site_id=parcel.site_id).text


def revoke(session: Session, parcel: Parcel) -> None:
    """Make all codes and tokens of a parcel worthless at once."""
    tokens.revoke_all(session, Purpose.PICKUP, parcel.id)
    parcel.code_key = parcel.code_hash = None


def claim(session: Session, parcel: Parcel) -> None:
    """Note that a door is about to open for the parcel; its tokens stay good until the pick-up is over."""
    _move(session, parcel, (TokenState.ISSUED,), TokenState.CLAIMED)


def give_back(session: Session, parcel: Parcel) -> None:
    """Note that the parcel certainly still lies in its compartment."""
    _move(session, parcel, (TokenState.CLAIMED,), TokenState.ISSUED)


def use_up(session: Session, parcel: Parcel) -> None:
    """Note that the parcel is gone: its door was seen open, and it was taken."""
    _move(session, parcel, (TokenState.ISSUED, TokenState.CLAIMED), TokenState.USED)


def by_token(session: Session, site_id: int, text: str) -> Parcel:
    """Return the parcel of a scanned pick-up token.

    Raises:
        StaleCodeError: unknown, revoked or used, or of another site.
    """
    token = tokens.find(session, Purpose.PICKUP, text)
    parcel = session.get(Parcel, token.subject_id) if token is not None else None
    if parcel is None or parcel.site_id != site_id or parcel.state not in COLLECTABLE:
        raise StaleCodeError
    return parcel


def by_code(session: Session, hasher: SecretHasher, site_id: int, code: str, *, pad: str) -> Parcel:
    """Return the parcel of a typed code; call it before anything was written.

    The try is counted before the code is looked at; a right one takes back its own count only.

    Args:
        pad: where it was typed, e.g. "kiosk:3".

    Raises:
        TooManyAttemptsError: the code was not looked at.
        WrongCodeError: no parcel waits for it.
    """
    digits = "".join(code.split())
    if not (digits.isascii() and digits.isdigit() and len(digits) == CODE_LENGTH):
        raise WrongCodeError
    counters = ((PAD_LIMIT, pad), (SITE_LIMIT, str(site_id)), (DAY_LIMIT, str(site_id)))
    limits.count(session, *counters)
    parcel = _with_code(session, hasher, site_id, digits)
    limits.take_back(session, *counters)
    return parcel


def _with_code(session: Session, hasher: SecretHasher, site_id: int, digits: str) -> Parcel:
    parcel = session.scalar(
        select(Parcel).where(
            Parcel.code_key == hasher.lookup_key(_CONTEXT, digits),
            Parcel.site_id == site_id,
            Parcel.state.in_(COLLECTABLE),
        )
    )
    context = f"{_CONTEXT}:{parcel.id}" if parcel is not None else _CONTEXT
    stored = parcel.code_hash if parcel is not None else None
    with paused(session):
        is_right = hasher.verify(context, digits, stored)
    if parcel is None or not is_right:
        raise WrongCodeError
    return parcel


def _move(session: Session, parcel: Parcel, from_: tuple[TokenState, ...], to: TokenState) -> None:
    session.execute(
        update(Token)
        .where(Token.purpose == Purpose.PICKUP, Token.subject_id == parcel.id, Token.state.in_(from_))
        .values(state=to)
    )
