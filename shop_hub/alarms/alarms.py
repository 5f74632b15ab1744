"""That messages do not get out is worth an alarm of its own: it is seen in the backoffice even if no mail works."""

from collections.abc import Iterator
from datetime import timedelta

from sqlalchemy import and_, func, or_, select
from sqlalchemy.orm import Session

from shop_hub.core import clock
from shop_hub.core.conditions import Condition, Severity
from shop_hub.core.errors import N_
from shop_hub.core.outbox import OutboxMessage, OutboxState

LATE = timedelta(minutes=30)
SHOWN_FOR = timedelta(days=7)
"""What was given up longer ago is history."""


def conditions(session: Session, site_id: int) -> Iterator[Condition]:
    """Return that messages of the site wait for long, or were given up."""
    now = clock.now()
    is_late = and_(OutboxMessage.state == OutboxState.NEW, OutboxMessage.created_at < now - LATE)
    is_given_up = and_(OutboxMessage.state == OutboxState.FAILED, OutboxMessage.created_at > now - SHOWN_FOR)
    row = session.execute(
        select(func.count(), func.min(OutboxMessage.created_at)).where(
            or_(OutboxMessage.site_id == site_id, OutboxMessage.site_id.is_(None)), or_(is_late, is_given_up)
        )
    ).one()
    if row[0]:
        yield Condition(
            key="outbox:late",
            severity=Severity.WARNING,
            text=N_("Messages that could not be sent: %(num)s"),
            params={"num": int(row[0])},
            since=row[1],
            advice=N_("Look at the internet connection and at the mail settings."),
        )
