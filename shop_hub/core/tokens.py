"""Opaque tokens in QR codes and API headers: 128 random bits, one purpose, only their SHA-256 is stored.

A token in print starts with its purpose (D1P pick-up, D1M member, D1C courier …), so that a token for one purpose is
worthless for another. Life of a single-use token: ISSUED → CLAIMED → USED; a claimed token stays usable by its holder
until the door was seen open.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple, cast

from sqlalchemy import ColumnElement, Index, Table, and_, bindparam, or_, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from shop_hub.core import clock
from shop_hub.core.db import Base, enum_column
from shop_hub.core.hashing import token_hash
from shop_hub.core.ids import random_base32
from shop_hub.core.prepared import Prepared


class Purpose(StrEnum):
    """What a token is good for; the value is its printed prefix."""

    PICKUP = "D1P"
    MEMBER = "D1M"
    COURIER = "D1C"
    STATION = "D1S"
    RECEIPT = "D1R"
    KIOSK = "D1K"
    PAIRING = "D1A"
    API = "D1T"
    PASSWORD = "D1W"  # noqa: S105 - a prefix
    SLIP = "D1Z"


class TokenState(StrEnum):
    """Life of a single-use token. Standing tokens (cards, API) stay ISSUED."""

    ISSUED = "issued"
    CLAIMED = "claimed"
    USED = "used"
    REVOKED = "revoked"


class Token(Base):
    """A token that was given out."""

    __tablename__ = "token"
    __table_args__ = (Index("ix_token_subject", "purpose", "subject_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    hash: Mapped[str] = mapped_column(unique=True)
    purpose: Mapped[Purpose] = mapped_column(enum_column(Purpose))
    site_id: Mapped[int | None]
    subject_id: Mapped[int]
    state: Mapped[TokenState] = mapped_column(enum_column(TokenState), default=TokenState.ISSUED)
    label: Mapped[str] = mapped_column(default="")
    data: Mapped[dict[str, Any]] = mapped_column(default=dict)
    issued_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    used_at: Mapped[datetime | None]


class LiveToken(NamedTuple):
    """A token that may be used now."""

    id: int
    site_id: int | None
    subject_id: int
    data: dict[str, Any]


@dataclass(frozen=True)
class Issued:
    """A fresh token: `text` is shown once and cannot be recovered."""

    id: int
    text: str


def issue(
    session: Session,
    purpose: Purpose,
    subject_id: int,
    *,
    site_id: int | None = None,
    expires_at: datetime | None = None,
    label: str = "",
    data: dict[str, Any] | None = None,
    text: str | None = None,
) -> Issued:
    """Make a token for a subject (the id of a parcel, person, device … as the purpose says)."""
    text = text or purpose.value + random_base32()
    token = Token(
        hash=token_hash(text),
        purpose=purpose,
        site_id=site_id,
        subject_id=subject_id,
        label=label,
        data=data or {},
        issued_at=clock.now(),
        expires_at=expires_at,
    )
    session.add(token)
    session.flush()
    return Issued(token.id, text)


def is_live() -> ColumnElement[bool]:
    """Return the condition on a token in a statement of its own, to be run with the values of `looking_for`."""
    return and_(
        _token.hash == bindparam("hash"),
        _token.purpose == bindparam("purpose"),
        or_(_token.state == TokenState.ISSUED, _token.state == TokenState.CLAIMED),
        or_(_token.expires_at.is_(None), _token.expires_at > bindparam("now")),
    )


def looking_for(purpose: Purpose, text: str) -> dict[str, Any]:
    """Return the values with which a statement with `is_live` finds the token that `text` holds."""
    return {"hash": token_hash(normalise(text)), "purpose": purpose, "now": clock.now()}


def find(session: Session, purpose: Purpose, text: str) -> LiveToken | None:
    """Return the live token for `text`, or None if unknown, expired, used, revoked or of another purpose."""
    row = _find.first(session, looking_for(purpose, text))
    return None if row is None else LiveToken(row.id, row.site_id, row.subject_id, row.data)


def normalise(text: str) -> str:
    """Return the token inside a scan: bare, or behind the `#` of a printed address."""
    return text.strip().rsplit("#", 1)[-1].upper()


def move(session: Session, token_id: int, from_: TokenState, to: TokenState) -> bool:
    """Change the state of a token if it still is `from_`; tell whether this call did it."""
    values: dict[str, Any] = {"state": to}
    if to is TokenState.USED:
        values["used_at"] = clock.now()
    result = session.execute(update(Token).where(Token.id == token_id, Token.state == from_).values(**values))
    return bool(result.rowcount)  # type: ignore[attr-defined]


def revoke_all(session: Session, purpose: Purpose, subject_id: int) -> None:
    """Make every live token of a subject worthless at once."""
    session.execute(
        update(Token)
        .where(
            Token.purpose == purpose,
            Token.subject_id == subject_id,
            Token.state.in_((TokenState.ISSUED, TokenState.CLAIMED)),
        )
        .values(state=TokenState.REVOKED)
    )


_token = cast("Table", Token.__table__).c
_find = Prepared(select(_token.id, _token.site_id, _token.subject_id, _token.data).where(is_live()))
