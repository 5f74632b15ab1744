"""Periodic work: forgetting what is no longer needed (retention, trust.md 3.8)."""

from datetime import timedelta

from sqlalchemy import delete, or_
from sqlalchemy.orm import Session

from shop_hub.core import clock, idempotency
from shop_hub.core.jobs import Job
from shop_hub.core.limits import Attempt
from shop_hub.core.tokens import Purpose, Token, TokenState
from shop_hub.core.visits import WebVisit
from shop_hub.core.web import ShopHub

VISITS_KEPT = timedelta(days=7)
ATTEMPTS_KEPT = timedelta(days=30)
ONE_TIME = (Purpose.PAIRING, Purpose.PASSWORD, Purpose.STATION)


def jobs(hub: ShopHub) -> list[Job]:  # noqa: ARG001 - the same for every hub
    """Return the nightly clean-up of visits, counters, one-time codes and stored answers."""
    return [Job("people-forget", timedelta(hours=6), forget, needs_trusted_clock=True)]


def forget(session: Session) -> None:
    """Delete old visits (7 days), counters and stored answers (30 days), and one-time codes that are over."""
    now = clock.now()
    session.execute(delete(WebVisit).where(WebVisit.seen_at < now - VISITS_KEPT))
    session.execute(delete(Attempt).where(Attempt.window_start < now - ATTEMPTS_KEPT))
    is_over = or_(Token.state != TokenState.ISSUED, Token.expires_at < now)
    session.execute(delete(Token).where(Token.purpose.in_(ONE_TIME), is_over, Token.issued_at < now - VISITS_KEPT))
    idempotency.forget_old(session)
