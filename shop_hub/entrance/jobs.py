"""Periodic work of the entrance."""

from datetime import timedelta

from sqlalchemy import delete
from sqlalchemy.orm import Session

from shop_hub.core import clock
from shop_hub.core.jobs import Job
from shop_hub.core.web import ShopHub
from shop_hub.entrance import service, visits
from shop_hub.entrance.models import Passage

KEPT = timedelta(days=90)


def jobs(hub: ShopHub) -> list[Job]:  # noqa: ARG001 - every feature's jobs get the hub
    """Return the steering of the lock by the rules, and the forgetting of the log."""
    return [
        Job("entrance-mode", timedelta(seconds=5), service.steer_all),
        Job("entrance-log", timedelta(hours=24), forget_old, needs_trusted_clock=True),
    ]


def forget_old(session: Session) -> None:
    """Delete lines of the door's log older than 90 days: it names nobody, but it is nobody's business for longer."""
    session.execute(delete(Passage).where(Passage.at < clock.now() - KEPT))
    visits.forget_old(session)
