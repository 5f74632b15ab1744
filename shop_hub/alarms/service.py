"""From conditions to alarms: each is one row while it lasts, told once to each contact, until somebody looks after it.

Everything is decided in one transaction from what holds now, and messages go through the outbox: after a crash or an
outage the next look goes on where the last one stopped.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from shop_hub.alarms.models import Alarm, AlarmContact, AlarmNotice, News
from shop_hub.core import audit, clock, events, outbox
from shop_hub.core.conditions import Condition, Severity, Source
from shop_hub.core.errors import NotFoundError
from shop_hub.core.sites import Site
from shop_hub.people import queries as people

MESSAGE = "alarm"
REFRESH = timedelta(seconds=45)
"""So old the last look at an alarm may be in the books: not every look is a write to the disk."""
CALM = timedelta(minutes=2)
"""So long a condition must be gone before its alarm ends."""
SAME_AGAIN = timedelta(minutes=30)
"""What comes back within this time is no new alarm, and nobody is told again unless it stays."""
STAYS = timedelta(minutes=10)
"""What came back and has lasted so long since then is told again to those who were told that it was over."""
KEPT = timedelta(days=365)
_LONGEST_NOTE = 500


def look(session: Session, sources: Iterable[Source]) -> None:
    """Look at all sites: begin and end alarms, and tell those who are to be told now."""
    asked = list(sources)
    for site in session.scalars(select(Site).order_by(Site.id)).all():
        holding = {found.key: found for source in asked for found in source(session, site.id)}
        _follow(session, site.id, holding)
        _tell(session, site)


def acknowledge(session: Session, site_id: int, public_id: UUID, note: str, *, actor: str) -> None:
    """Note that somebody looks after an alarm: nobody else is woken for it. Only the first one counts.

    Raises:
        NotFoundError: the site has no such alarm.
    """
    alarm = session.scalar(select(Alarm).where(Alarm.public_id == public_id, Alarm.site_id == site_id))
    if alarm is None:
        raise NotFoundError(what="alarm")
    if alarm.acknowledged_at is not None:
        return
    alarm.acknowledged_at, alarm.acknowledged_by = clock.now(), actor
    alarm.note = note.strip()[:_LONGEST_NOTE]
    audit.record(session, site_id, actor, "alarm-acknowledged", f"alarm:{alarm.id}", note=alarm.note)
    events.publish(session, "alarms", site_id)


def forget_old(session: Session) -> None:
    """Delete alarms that ended more than a year ago."""
    session.execute(delete(Alarm).where(Alarm.ended_at < clock.now() - KEPT))


def is_quiet(contact: AlarmContact, local: datetime) -> bool:
    """Tell whether a local time lies in a contact's quiet hours."""
    if contact.quiet_from is None or contact.quiet_to is None:
        return False
    minute = local.hour * 60 + local.minute
    if contact.quiet_from <= contact.quiet_to:
        return contact.quiet_from <= minute < contact.quiet_to
    return minute >= contact.quiet_from or minute < contact.quiet_to


def _follow(session: Session, site_id: int, holding: dict[str, Condition]) -> None:
    now = clock.now()
    known = {
        alarm.key: alarm
        for alarm in session.scalars(select(Alarm).where(Alarm.site_id == site_id, Alarm.ended_at.is_(None)))
    }
    for key, condition in holding.items():
        alarm = known.get(key) or _begin(session, site_id, condition, now)
        if not timedelta(0) <= now - alarm.seen_at < REFRESH:
            alarm.seen_at = now
        if condition.severity.rank > alarm.severity.rank:
            alarm.severity = condition.severity
        alarm.text, alarm.params = condition.text, dict(condition.params)
        if alarm.returns and now - alarm.began_at >= STAYS:
            _forget_the_end(session, alarm)
    for key, alarm in known.items():
        if key not in holding and now - alarm.seen_at >= CALM:
            alarm.ended_at = now
            events.publish(session, "alarms", site_id)
    session.flush()


def _begin(session: Session, site_id: int, condition: Condition, now: datetime) -> Alarm:
    events.publish(session, "alarms", site_id)
    recent = session.scalar(
        select(Alarm)
        .where(Alarm.site_id == site_id, Alarm.key == condition.key, Alarm.ended_at > now - SAME_AGAIN)
        .order_by(Alarm.id.desc())
        .limit(1)
    )
    if recent is not None:
        _reopen(recent, condition, now)
        return recent
    alarm = Alarm(
        site_id=site_id,
        key=condition.key,
        severity=condition.severity,
        text=condition.text,
        params=dict(condition.params),
        advice=condition.advice,
        endpoint=condition.endpoint,
        since=condition.since,
        began_at=now,
        seen_at=now,
    )
    session.add(alarm)
    return alarm


def _reopen(alarm: Alarm, condition: Condition, now: datetime) -> None:
    """Go on with an alarm that was over: whoever looked after it believes that it is done."""
    alarm.ended_at, alarm.returns = None, alarm.returns + 1
    alarm.since, alarm.began_at, alarm.seen_at = condition.since, now, now
    alarm.acknowledged_at, alarm.acknowledged_by, alarm.note = None, "", ""


def _forget_the_end(session: Session, alarm: Alarm) -> None:
    """Take back what was told to those who believe that an alarm is over, so that they are told of it anew."""
    believe = select(AlarmNotice.contact_id).where(AlarmNotice.alarm_id == alarm.id, AlarmNotice.news == News.ENDED)
    contacts = session.scalars(believe).all()
    if contacts:
        session.execute(
            delete(AlarmNotice).where(AlarmNotice.alarm_id == alarm.id, AlarmNotice.contact_id.in_(contacts))
        )


def _tell(session: Session, site: Site) -> None:
    contacts = session.scalars(select(AlarmContact).where(AlarmContact.site_id == site.id).order_by(AlarmContact.id))
    able = {operator.id for operator in people.operators(session, site.id) if not operator.is_blocked}
    recent = session.scalars(
        select(Alarm)
        .where(
            Alarm.site_id == site.id, (Alarm.ended_at.is_(None)) | (Alarm.ended_at > clock.now() - timedelta(days=2))
        )
        .order_by(Alarm.id)
    ).all()
    local = clock.now().astimezone(ZoneInfo(site.timezone))
    for contact in contacts.all() if recent else ():
        if contact.operator_id in able:
            _tell_contact(session, contact, recent, is_quiet=is_quiet(contact, local))


def _tell_contact(session: Session, contact: AlarmContact, recent: Sequence[Alarm], *, is_quiet: bool) -> None:
    told = {
        (notice.alarm_id, notice.news)
        for notice in session.scalars(
            select(AlarmNotice).where(
                AlarmNotice.contact_id == contact.id, AlarmNotice.alarm_id.in_([alarm.id for alarm in recent])
            )
        )
    }
    began = [
        alarm
        for alarm in recent
        if (alarm.id, News.BEGAN) not in told
        and _is_due(contact, alarm)
        and _may_come(contact, alarm, is_quiet=is_quiet)
    ]
    ended = [
        alarm
        for alarm in recent
        if alarm.ended_at is not None
        and (alarm.id, News.BEGAN) in told
        and (alarm.id, News.ENDED) not in told
        and not is_quiet
    ]
    _send(session, contact, News.BEGAN, began)
    _send(session, contact, News.ENDED, ended)


def _is_due(contact: AlarmContact, alarm: Alarm) -> bool:
    """Tell whether a contact is to hear of an alarm: it lasts, nobody looks after it, and it has lasted long enough."""
    waited = clock.now() - alarm.began_at >= timedelta(minutes=contact.after_minutes)
    is_serious = alarm.severity.rank >= contact.least.rank
    return alarm.ended_at is None and alarm.acknowledged_at is None and waited and is_serious


def _may_come(contact: AlarmContact, alarm: Alarm, *, is_quiet: bool) -> bool:
    return not is_quiet or (contact.is_woken and alarm.severity is Severity.CRITICAL)


def _send(session: Session, contact: AlarmContact, news: News, alarms: Sequence[Alarm]) -> None:
    """Tell a contact of several alarms in one message: a broker that fails is one message, not thirty."""
    if not alarms:
        return
    now = clock.now()
    for alarm in alarms:
        notice = AlarmNotice(alarm_id=alarm.id, contact_id=contact.id, news=news, site_id=contact.site_id, at=now)
        session.add(notice)
    # Each pair of alarm and contact is told a kind of news once per return, so the first alarm makes the key unique.
    key = f"alarm.{news}.{contact.public_id}.{alarms[0].public_id}.{alarms[0].returns}"
    payload = {"contact": contact.id, "news": news.value, "alarms": [alarm.id for alarm in alarms], "key": key}
    outbox.enqueue(session, MESSAGE, key, payload, site_id=contact.site_id)
