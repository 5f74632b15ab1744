"""Reads of the alarms."""

from collections.abc import Sequence

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from shop_hub.alarms.models import Alarm, AlarmContact

_PAGE = 50


def open_alarms(session: Session, site_id: int) -> list[Alarm]:
    """Return what needs a person now, worst first, those that nobody looks after before the others."""
    found = session.scalars(select(Alarm).where(Alarm.site_id == site_id, Alarm.ended_at.is_(None)))
    return sorted(found, key=lambda a: (a.acknowledged_at is not None, -a.severity.rank, a.began_at))


def past(session: Session, site_id: int, *, before: int | None = None) -> list[Alarm]:
    """Return alarms that are over, newest first; `before` is the id of the last one of the page before."""
    wanted = select(Alarm).where(Alarm.site_id == site_id, Alarm.ended_at.is_not(None))
    if before is not None:
        wanted = wanted.where(Alarm.id < before)
    return list(session.scalars(wanted.order_by(Alarm.id.desc()).limit(_PAGE)))


def following(found: Sequence[Alarm]) -> int | None:
    """Return where the next page begins, or None on the last one."""
    return found[-1].id if len(found) == _PAGE else None


def waiting(session: Session, site_id: int) -> int:
    """Return how many alarms nobody looks after."""
    wanted = select(func.count()).where(
        Alarm.site_id == site_id, Alarm.ended_at.is_(None), Alarm.acknowledged_at.is_(None)
    )
    return session.scalar(wanted) or 0


def contacts(session: Session, site_id: int) -> list[AlarmContact]:
    """Return who is told, those told first before those of the escalation."""
    wanted = select(AlarmContact).where(AlarmContact.site_id == site_id)
    return list(session.scalars(wanted.order_by(AlarmContact.after_minutes, AlarmContact.name, AlarmContact.id)))
