"""Periodic work of the noticeboard."""

from datetime import timedelta

from sqlalchemy.orm import Session

from shop_hub.board import service
from shop_hub.core.jobs import Job
from shop_hub.core.web import ShopHub


def jobs(hub: ShopHub) -> list[Job]:  # noqa: ARG001 - the same for every hub
    """Return the jobs: end what is over, forget what ended long ago."""
    return [
        Job("board-expire", timedelta(minutes=5), _expire, needs_trusted_clock=True),
        Job("board-forget", timedelta(days=1), service.forget_ended, needs_trusted_clock=True),
    ]


def _expire(session: Session) -> None:
    service.expire(session)
