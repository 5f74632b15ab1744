"""Server-side sessions: what the hub remembers of a browser's visit.

The cookie holds a random id, the database only its hash and the data; the row is deleted at logout, so a copied cookie
is worthless from then on (ASVS 7.4.1). Flask's `session` is kept here; Flask-Login lives on top of it.
"""

from copy import deepcopy
from datetime import datetime, timedelta
from typing import Any

from flask import Flask, Request, Response, current_app
from flask.sessions import SessionInterface, SessionMixin
from sqlalchemy import Index, delete
from sqlalchemy.orm import Mapped, mapped_column
from werkzeug.datastructures import CallbackDict

from shop_hub.core import clock
from shop_hub.core.db import Base, Database
from shop_hub.core.hashing import token_hash
from shop_hub.core.ids import random_base32

COOKIE = "visit"
ID_LENGTH = 26
TOUCH = timedelta(seconds=60)
COPY_HEADER = "X-Public-Copy"
NOBODYS = "nobodys"
"""Id of the visit behind a kiosk's copy of a public page (kiosk/assets/src/service-worker.ts), which the next visitor
reads: it holds nothing of this one and is never saved."""


class WebVisit(Base):
    """One browser's visit."""

    __tablename__ = "web_visit"
    __table_args__ = (Index("ix_web_visit_seen", "seen_at"),)

    id_hash: Mapped[str] = mapped_column(primary_key=True)
    data: Mapped[dict[str, Any]]
    operator_id: Mapped[int | None]
    created_at: Mapped[datetime]
    seen_at: Mapped[datetime]


class Visit(CallbackDict[str, Any], SessionMixin):
    """The data of a visit, with its secret id."""

    def __init__(self, visit_id: str, data: dict[str, Any] | None = None, *, seen_at: datetime | None = None) -> None:
        def changed(visit: "Visit") -> None:
            visit.modified = True

        super().__init__(data or {}, changed)
        self._before = deepcopy(data or {})
        self.id = visit_id
        self.old_ids: list[str] = []
        self.seen_at = seen_at
        self.new = seen_at is None
        self.modified = False

    def merged_into(self, now_there: dict[str, Any]) -> dict[str, Any]:
        """Return what a row holds after this request: only the keys that the request changed are taken over.

        A twin of this request may have written meanwhile; what it wrote must not be undone.
        """
        gone = self._before.keys() - self.keys()
        changed = {key: value for key, value in self.items() if key not in self._before or self._before[key] != value}
        return {key: value for key, value in now_there.items() if key not in gone} | changed

    def renew(self) -> None:
        """Take a new id, as at every sign-in, so that an id planted before is worthless."""
        self.old_ids.append(self.id)
        self.id = random_base32()
        self.modified = True

    def end(self) -> None:
        """Forget everything and take a new id."""
        self.clear()
        self.renew()


class VisitInterface(SessionInterface):
    """Keeps Flask's session in the database."""

    def __init__(self, database: Database, *, idle: timedelta, absolute: timedelta, secure: bool) -> None:
        self._database = database
        self._idle = idle
        self._absolute = absolute
        self._secure = secure

    def open_session(self, app: Flask, request: Request) -> Visit | None:  # noqa: ARG002 - Flask's signature
        """Load the visit of the request's cookie; without a row the id stays and the data are empty.

        Programs and assets have no visit: None makes Flask's own empty session, which cannot be written.
        """
        if request.path.startswith(("/api/", "/static/")):
            return None
        if request.method == "GET" and COPY_HEADER in request.headers:
            return Visit(NOBODYS)
        visit_id = request.cookies.get(COOKIE, "")
        if len(visit_id) != ID_LENGTH:
            return Visit(random_base32())
        with self._database.reading() as session:
            row = session.get(WebVisit, token_hash(visit_id))
        now = clock.now()
        if row is None:
            return Visit(visit_id)
        if now - row.seen_at > self._idle or now - row.created_at > self._absolute:
            return Visit(random_base32())
        return Visit(visit_id, dict(row.data), seen_at=row.seen_at)

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:  # noqa: ARG002
        """Write the visit if it changed, or once a minute to note that it is alive; set the cookie.

        Flask asks this only where there is a visit.
        """
        from flask import request  # noqa: PLC0415 - only here is there a request

        assert isinstance(session, Visit)  # noqa: S101 - made by open_session
        if session.id == NOBODYS:
            return
        response.vary.add("Cookie")
        is_due = session.seen_at is not None and clock.now() - session.seen_at > TOUCH
        if session.modified or is_due:
            self._write(session)
        if request.cookies.get(COOKIE) != session.id:
            response.set_cookie(COOKIE, session.id, httponly=True, samesite="Lax", secure=self._secure)

    def _write(self, visit: Visit) -> None:
        now = clock.now()
        with self._database.transaction() as session:
            gone = [token_hash(old) for old in visit.old_ids]
            if gone:
                session.execute(delete(WebVisit).where(WebVisit.id_hash.in_(gone)))
            row = session.get(WebVisit, token_hash(visit.id), with_for_update=True)
            if row is None and (not visit or (visit.seen_at is not None and not gone)):
                return  # nothing to remember, or signed out meanwhile: an ended visit never comes back
            if row is None:
                row = WebVisit(id_hash=token_hash(visit.id), created_at=now, data={})
                session.add(row)
            row.data = dict(visit) if gone else visit.merged_into(row.data)
            row.seen_at = now
            user = row.data.get("_user_id")
            row.operator_id = int(user) if user else None


def end_visits_of(operator_id: int) -> None:
    """Sign an operator out everywhere, e.g. after a password change or when the account is blocked."""
    database: Database = current_app.extensions["database"]
    with database.transaction() as session:
        session.execute(delete(WebVisit).where(WebVisit.operator_id == operator_id))
