"""Idempotent POSTs: same key and body → the stored answer; other body → 422; a running twin is waited for.

The record is written in the effect's transaction. A refusal rolls the effect back; its record is then written alone.
Source: IETF draft "The Idempotency-Key HTTP Header Field"; decisions.md 1.
"""

import hmac
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, TypeVar, cast

from flask import Request, Response
from sqlalchemy import LargeBinary, Table, bindparam, delete, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from shop_hub.core import clock
from shop_hub.core.db import Base
from shop_hub.core.errors import KeyMissingError, KeyReusedError
from shop_hub.core.prepared import Prepared

KEPT = timedelta(days=30)
FORM_FIELD = "idempotency_key"
FORMS = frozenset({"application/x-www-form-urlencoded", "multipart/form-data"})
UNHASHED_FIELDS = (FORM_FIELD, "csrf_token")

View = TypeVar("View", bound=Callable[..., object])


class IdempotencyRecord(Base):
    """The answer that was given for a key."""

    __tablename__ = "idempotency_record"

    scope: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    request_hash: Mapped[str]
    status: Mapped[int]
    headers: Mapped[dict[str, Any]]
    body: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[datetime] = mapped_column(index=True)


_record = cast("Table", IdempotencyRecord.__table__)
_find = Prepared(
    select(_record.c.request_hash, _record.c.status, _record.c.headers, _record.c.body).where(
        _record.c.scope == bindparam("of"), _record.c.key == bindparam("by")
    )
)
_keep = Prepared(lambda insert: insert(_record).on_conflict_do_nothing())


def idempotent(view: View) -> View:
    """Declare that a POST moves money, goods, parcels or doors: it needs a key and repeats its answer."""
    view.is_idempotent = True  # type: ignore[attr-defined]
    return view


def is_idempotent(view: object) -> bool:
    """Tell whether a view was declared so."""
    return getattr(view, "is_idempotent", False)


def request_key(request: Request) -> str:
    """Return the key of a request, from the header or the form field.

    Raises:
        KeyMissingError: there is none, or it is not 8 to 64 characters long.
    """
    key = request.headers.get("Idempotency-Key") or request.form.get(FORM_FIELD) or ""
    key = key.strip().strip('"')
    if not 8 <= len(key) <= 64:  # noqa: PLR2004 - a UUID has 36
        raise KeyMissingError
    return key


def request_hash(request: Request, key: bytes) -> str:
    """Return the keyed hash of what is asked for: method, path and body, without idempotency key and form token.

    Keyed, since a body may hold a PIN, which a bare hash would give away to whoever reads the database.
    """
    digest = hmac.new(key, f"{request.method} {request.path}\n".encode(), "sha256")
    if request.mimetype in FORMS and request.form:
        for name, value in sorted(request.form.items(multi=True)):
            if name not in UNHASHED_FIELDS:
                digest.update(f"{name}={value}\n".encode())
    else:
        digest.update(request.get_data())
    return digest.hexdigest()


def stored_answer(session: Session, scope: str, key: str, hash_: str) -> Response | None:
    """Return the answer given before, or None.

    Raises:
        KeyReusedError: the key was used for another request.
    """
    row = _find.first(session, {"of": scope, "by": key})
    if row is None:
        return None
    if row.request_hash != hash_:
        raise KeyReusedError
    return Response(row.body, status=row.status, headers={**row.headers, "Idempotent-Replayed": "true"})


def keep(session: Session, scope: str, key: str, hash_: str, response: Response) -> bool:
    """Store an answer in the transaction of its effect.

    False: a twin with the same key has finished first, so this effect must be rolled back. On PostgreSQL the insert
    waits for a twin that is still running.
    """
    values = {"scope": scope, "key": key, "request_hash": hash_, "created_at": clock.now(), **_answer(response)}
    return bool(_keep.run(session, values))


def forget_old(session: Session) -> None:
    """Delete records older than 30 days."""
    session.execute(delete(IdempotencyRecord).where(IdempotencyRecord.created_at < clock.now() - KEPT))


def _answer(response: Response) -> dict[str, object]:
    kept = ("Content-Type", "Location", "HX-Redirect", "HX-Push-Url", "Cache-Control")
    headers = {name: response.headers[name] for name in kept if name in response.headers}
    return {"status": response.status_code, "headers": headers, "body": response.get_data()}
