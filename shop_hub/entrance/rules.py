"""Verbs that change the opening rules. Each change is audited: it decides when strangers may come in."""

from dataclasses import dataclass
from datetime import date, timedelta
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from shop_hub.core import audit, clock, events
from shop_hub.core.errors import NotFoundError
from shop_hub.core.sites import Site
from shop_hub.entrance.errors import NoWeekdayError, WrongDatesError, WrongHoursError
from shop_hub.entrance.models import Audience, HolidayRule, OpeningRule, SpecialDay, SpecialKind
from shop_hub.entrance.opening import DAY_MINUTES

ALL_WEEKDAYS = 127


@dataclass(frozen=True, kw_only=True)
class NewRule:
    """A weekly window; see OpeningRule for units. `valid_from` None means today."""

    audience: Audience
    opens_minute: int
    closes_minute: int
    weekdays: int = ALL_WEEKDAYS
    holidays: HolidayRule = HolidayRule.EXCEPT
    christmas_eve_minute: int | None = 14 * 60
    valid_from: date | None = None
    valid_to: date | None = None
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class NewSpecialDay:
    """A day that differs from the rules."""

    day: date
    kind: SpecialKind
    audience: Audience | None = None
    opens_minute: int | None = None
    closes_minute: int | None = None
    note: str = ""


def add_rule(session: Session, site_id: int, new: NewRule, *, actor: str) -> OpeningRule:
    """Add a weekly window.

    Raises:
        WrongHoursError: it does not begin before it ends.
        NoWeekdayError: no day of the week.
        WrongDatesError: its last day lies before its first.
    """
    valid_from = new.valid_from or _today(session, site_id)
    _check_hours(new.opens_minute, new.closes_minute)
    if not 1 <= new.weekdays <= ALL_WEEKDAYS:
        raise NoWeekdayError(field="weekdays")
    if new.valid_to is not None and new.valid_to < valid_from:
        raise WrongDatesError(field="valid_to")
    rule = OpeningRule(site_id=site_id, **{**vars(new), "valid_from": valid_from})
    session.add(rule)
    session.flush()
    _changed(session, site_id, actor, "opening-rule-added", f"opening-rule:{rule.id}")
    return rule


def end_rule(session: Session, site_id: int, public_id: UUID, *, actor: str) -> None:
    """Let a rule hold no longer, from this day on. One that has held before stays on record.

    Raises:
        NotFoundError: the site has no such rule.
    """
    rule = session.scalar(select(OpeningRule).where(OpeningRule.public_id == public_id, OpeningRule.site_id == site_id))
    if rule is None:
        raise NotFoundError(what="opening rule")
    yesterday = _today(session, site_id) - timedelta(days=1)
    if rule.valid_from > yesterday:
        session.delete(rule)
    else:
        rule.valid_to = yesterday if rule.valid_to is None else min(rule.valid_to, yesterday)
    _changed(session, site_id, actor, "opening-rule-ended", f"opening-rule:{rule.id}")


def add_special_day(session: Session, site_id: int, new: NewSpecialDay, *, actor: str) -> SpecialDay:
    """Add a day that differs: closed, other hours, or a holiday of this municipality only.

    Raises:
        WrongHoursError: other hours that do not begin before they end.
    """
    opens, closes = (None, None)
    if new.kind is SpecialKind.HOURS:
        opens, closes = new.opens_minute, new.closes_minute
        _check_hours(opens, closes)
    special = SpecialDay(
        site_id=site_id,
        day=new.day,
        kind=new.kind,
        audience=new.audience,
        opens_minute=opens,
        closes_minute=closes,
        note=new.note,
    )
    session.add(special)
    session.flush()
    _changed(session, site_id, actor, "special-day-added", f"special-day:{special.id}")
    return special


def remove_special_day(session: Session, site_id: int, public_id: UUID, *, actor: str) -> None:
    """Take a special day back.

    Raises:
        NotFoundError: the site has no such day.
    """
    special = session.scalar(select(SpecialDay).where(SpecialDay.public_id == public_id, SpecialDay.site_id == site_id))
    if special is None:
        raise NotFoundError(what="special day")
    session.delete(special)
    _changed(session, site_id, actor, "special-day-removed", f"special-day:{special.id}")


def _check_hours(opens: int | None, closes: int | None) -> None:
    if opens is None or closes is None or not 0 <= opens < closes <= DAY_MINUTES:
        raise WrongHoursError(field="closes")


def _changed(session: Session, site_id: int, actor: str, action: str, thing: str) -> None:
    audit.record(session, site_id, actor, action, thing)
    events.publish(session, "entrance", site_id)


def _today(session: Session, site_id: int) -> date:
    return clock.today(session.get_one(Site, site_id).timezone)
