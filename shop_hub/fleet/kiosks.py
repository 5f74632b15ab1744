"""Touchscreens: entered in the office, paired with a browser by a one-time code, parted again.

The code is typed at the kiosk within ten minutes. The browser then holds a token in a cookie that reaches /kiosk only.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from shop_hub.core import audit, clock, limits, tokens
from shop_hub.core.errors import BadInputError, NotFoundError
from shop_hub.core.limits import Limit
from shop_hub.core.tokens import Issued, Purpose, Token, TokenState
from shop_hub.fleet.errors import RegisterTakenError, WrongPairingCodeError
from shop_hub.fleet.models import Kiosk

SIGNS = "34679ACDEFGHJKMNPQRTUWXY"
LENGTH = 8
CODE_LIFE = timedelta(minutes=10)
PAIR_LIMIT = Limit("kiosk-pair", tries=5, window=timedelta(minutes=15))
LONGEST_REGISTER = 6


@dataclass(frozen=True)
class KioskRow:
    """A kiosk in a list."""

    public_id: UUID
    name: str
    register_code: str
    paired_at: datetime | None


def create(session: Session, site_id: int, name: str, register_code: str, *, actor: str) -> Kiosk:
    """Enter a kiosk.

    Args:
        register_code: prefix of its receipt numbers, e.g. "K1"; up to 6 letters and digits, never reused.

    Raises:
        BadInputError: name or register code is missing or has other signs.
        RegisterTakenError: another kiosk of the site has this register code.
    """
    name, register_code = " ".join(name.split())[:60], register_code.strip().upper()
    if not name or not (register_code.isascii() and register_code.isalnum()) or len(register_code) > LONGEST_REGISTER:
        raise BadInputError(field="register_code")
    if session.scalar(select(Kiosk.id).where(Kiosk.site_id == site_id, Kiosk.register_code == register_code)):
        raise RegisterTakenError(field="register_code")
    kiosk = Kiosk(site_id=site_id, name=name, register_code=register_code)
    session.add(kiosk)
    session.flush()
    audit.record(session, site_id, actor, "kiosk-created", f"kiosk:{kiosk.id}")
    return kiosk


def all_of(session: Session, site_id: int) -> list[KioskRow]:
    """Return the kiosks of a site with the time of their pairing, by name."""
    rows = session.execute(
        select(Kiosk.public_id, Kiosk.name, Kiosk.register_code, Token.issued_at)
        .outerjoin(
            Token,
            (Token.purpose == Purpose.KIOSK) & (Token.subject_id == Kiosk.id) & (Token.state == TokenState.ISSUED),
        )
        .where(Kiosk.site_id == site_id)
        .order_by(Kiosk.name)
    )
    return [KioskRow(*row) for row in rows]


def by_public_id(session: Session, site_id: int, public_id: UUID) -> Kiosk:
    """Return a kiosk of a site.

    Raises:
        NotFoundError: the site has none with this id.
    """
    found = session.scalar(select(Kiosk).where(Kiosk.site_id == site_id, Kiosk.public_id == public_id))
    if found is None:
        raise NotFoundError(what="kiosk")
    return found


def first(session: Session) -> tuple[int, int] | None:
    """Return id and site of the oldest kiosk of this hub, or None."""
    row = session.execute(select(Kiosk.id, Kiosk.site_id).order_by(Kiosk.id).limit(1)).one_or_none()
    return (row.id, row.site_id) if row is not None else None


def issue_code(session: Session, kiosk: Kiosk, *, actor: str) -> str:
    """Make the code that is typed at the kiosk, once, within ten minutes; earlier codes end."""
    tokens.revoke_all(session, Purpose.PAIRING, kiosk.id)
    code = "".join(secrets.choice(SIGNS) for _ in range(LENGTH))
    tokens.issue(
        session,
        Purpose.PAIRING,
        kiosk.id,
        site_id=kiosk.site_id,
        expires_at=clock.now() + CODE_LIFE,
        text=Purpose.PAIRING.value + code,
    )
    audit.record(session, kiosk.site_id, actor, "kiosk-code-issued", f"kiosk:{kiosk.id}")
    return code


def pair(session: Session, code: str, *, address: str) -> Issued:
    """Pair the browser that typed a code: return the token for its cookie; the browser before is parted.

    Call it before anything was written: the try is counted first, per address.

    Raises:
        WrongPairingCodeError: unknown, used or old code.
        TooManyAttemptsError: the code was not looked at.
    """
    limits.count(session, (PAIR_LIMIT, address))
    plain = "".join(sign for sign in code.upper()[:40] if sign.isalnum())
    found = tokens.find(session, Purpose.PAIRING, Purpose.PAIRING.value + plain)
    if found is None or not tokens.move(session, found.id, TokenState.ISSUED, TokenState.USED):
        raise WrongPairingCodeError
    kiosk = session.get_one(Kiosk, found.subject_id)
    tokens.revoke_all(session, Purpose.KIOSK, kiosk.id)
    audit.record(session, kiosk.site_id, f"kiosk:{kiosk.id}", "kiosk-paired", f"kiosk:{kiosk.id}")
    return tokens.issue(session, Purpose.KIOSK, kiosk.id, site_id=kiosk.site_id)


def part(session: Session, kiosk: Kiosk, *, actor: str) -> None:
    """End the pairing at once, e.g. when the screen was stolen."""
    tokens.revoke_all(session, Purpose.KIOSK, kiosk.id)
    audit.record(session, kiosk.site_id, actor, "kiosk-unpaired", f"kiosk:{kiosk.id}")
