"""Audit chain: who did what, in the transaction of the change; one gapless chain of keyed hashes per site.

A cut tail verifies well, so the head (number and hash) must also be kept outside the hub.
"""

import hmac
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import UniqueConstraint, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from shop_hub.core import clock
from shop_hub.core.db import Base
from shop_hub.core.triggers import append_only

_key = b"unset"


class AuditEntry(Base):
    """One act. Rows are never changed or deleted; triggers refuse it."""

    __tablename__ = "audit_entry"
    __table_args__ = (UniqueConstraint("site_id", "number"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    site_id: Mapped[int]
    number: Mapped[int]
    at: Mapped[datetime]
    actor: Mapped[str]
    action: Mapped[str]
    object: Mapped[str]
    detail: Mapped[dict[str, Any]]
    hash: Mapped[str]


class AuditHead(Base):
    """Number and hash of the last entry of a site."""

    __tablename__ = "audit_head"

    site_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    number: Mapped[int]
    hash: Mapped[str]


append_only(AuditEntry.__table__)


@dataclass(frozen=True)
class Broken:
    """An entry that does not fit the chain."""

    site_id: int
    number: int


def use_key(key: bytes) -> None:
    """Set the chain key of this hub; it lives outside the database."""
    global _key  # noqa: PLW0603 - set once at start
    _key = key


def record(session: Session, site_id: int, actor: str, action: str, object_: str, **detail: Any) -> None:
    """Append an act to the site's chain.

    Args:
        actor: kind and public number, e.g. "operator:3", "member:17", "courier:2", "system". Never a name.
        action: verb in the past, e.g. "door-opened".
        object_: kind and id of what was acted on.
        detail: JSON values without personal data.
    """
    head = session.scalar(select(AuditHead).where(AuditHead.site_id == site_id).with_for_update())
    if head is None:
        head = AuditHead(site_id=site_id, number=0, hash="")
        session.add(head)
    entry = AuditEntry(
        site_id=site_id,
        number=head.number + 1,
        at=clock.now(),
        actor=actor,
        action=action,
        object=object_,
        detail=detail,
    )
    entry.hash = _chain(head.hash, entry)
    head.number, head.hash = entry.number, entry.hash
    session.add(entry)


def broken_entries(session: Session, site_id: int) -> list[Broken]:
    """Recompute the chain of a site and return what does not fit."""
    broken, before, expected = [], "", 1
    for entry in session.scalars(
        select(AuditEntry).where(AuditEntry.site_id == site_id).order_by(AuditEntry.number)
    ).yield_per(500):
        if entry.number != expected or entry.hash != _chain(before, entry):
            broken.append(Broken(site_id, entry.number))
        before, expected = entry.hash, entry.number + 1
    head = session.get(AuditHead, site_id)
    if head is not None and (head.number, head.hash) != (expected - 1, before):
        broken.append(Broken(site_id, head.number))
    return broken


def _chain(before: str, entry: AuditEntry) -> str:
    row = [
        entry.site_id,
        entry.number,
        entry.at.isoformat(timespec="microseconds"),
        entry.actor,
        entry.action,
        entry.object,
        entry.detail,
    ]
    text = before + json.dumps(row, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hmac.new(_key, text.encode(), "sha256").hexdigest()
