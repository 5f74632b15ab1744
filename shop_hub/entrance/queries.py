"""Reads of the entrance: whether the shop is open, the door's state and its log."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from shop_hub.core import clock
from shop_hub.core.errors import NotFoundError
from shop_hub.core.sites import Site
from shop_hub.entrance.models import (
    Audience,
    DoorAlert,
    Entrance,
    OpeningRule,
    Passage,
    PassageKind,
    SpecialDay,
)
from shop_hub.entrance.opening import Opening, Window
from shop_hub.fleet import queries as fleet

NODE = "door"


@dataclass(frozen=True)
class DayHours:
    """The windows of one local day."""

    day: date
    is_holiday: bool
    everyone: tuple[Window, ...]
    members: tuple[Window, ...]


@dataclass(frozen=True)
class Status:
    """Whether one may come in now. `until` and `opens` are local times; None: not within two weeks."""

    for_everyone: bool
    for_members: bool
    is_kept_closed: bool
    until: datetime | None
    """While open for anyone: when that ends."""
    opens: datetime | None
    """While closed for everyone: when it opens for everyone."""
    now: datetime

    @property
    def is_open(self) -> bool:
        """Whether anyone at all may come in."""
        return (self.for_everyone or self.for_members) and not self.is_kept_closed

    @property
    def is_day_and_night(self) -> bool:
        """Whether the present opening has no end in sight."""
        return self.is_open and self.until is None


@dataclass(frozen=True)
class DoorView:
    """The door as operators see it; a word is "unknown" while the device is not heard."""

    id: int
    public_id: UUID
    name: str
    door: str
    lock: str
    mode: str
    is_connected: bool
    occupancy: int
    alert: DoorAlert | None
    alert_at: datetime | None
    is_kept_closed: bool
    is_free_for_everyone: bool
    hold_s: int


def opening(session: Session, site_id: int, *, around: date | None = None) -> Opening:
    """Return the opening rules of a site that can matter within three weeks after a day; default is today."""
    site = session.get_one(Site, site_id)
    day = around or clock.today(site.timezone)
    last = day + timedelta(days=21)
    rules = session.scalars(
        select(OpeningRule)
        .where(
            OpeningRule.site_id == site_id,
            OpeningRule.valid_from <= last,
            or_(OpeningRule.valid_to.is_(None), OpeningRule.valid_to >= day),
        )
        .order_by(OpeningRule.id)
    ).all()
    special_days = session.scalars(
        select(SpecialDay)
        .where(SpecialDay.site_id == site_id, SpecialDay.day.between(day, last))
        .order_by(SpecialDay.id)
    ).all()
    return Opening(rules, special_days, site.land, site.timezone)


def status(session: Session, site_id: int) -> Status:
    """Return whether the shop is open at this moment."""
    rules = opening(session, site_id)
    now = clock.now()
    for_everyone = rules.is_open(now, Audience.EVERYONE)
    for_members = rules.is_open(now, Audience.MEMBERS)
    kept_closed = select(Entrance.id).where(Entrance.site_id == site_id, Entrance.is_kept_closed).limit(1)
    audience = Audience.EVERYONE if for_everyone else Audience.MEMBERS
    return Status(
        for_everyone=for_everyone,
        for_members=for_members,
        is_kept_closed=session.scalar(kept_closed) is not None,
        until=rules.closes(now, audience) if for_members else None,
        opens=None if for_everyone else rules.opens(now, Audience.EVERYONE),
        now=now.astimezone(rules.zone),
    )


def week(session: Session, site_id: int) -> list[DayHours]:
    """Return the hours of today and the six days after."""
    rules = opening(session, site_id)
    first = clock.today(rules.timezone)
    days = (first + timedelta(days=offset) for offset in range(7))
    return [
        DayHours(
            day,
            is_holiday=rules.is_holiday(day),
            everyone=rules.windows(day, Audience.EVERYONE),
            members=rules.windows(day, Audience.MEMBERS),
        )
        for day in days
    ]


def rules(session: Session, site_id: int) -> list[OpeningRule]:
    """Return all rules that hold today or later."""
    today = clock.today(session.get_one(Site, site_id).timezone)
    return list(
        session.scalars(
            select(OpeningRule)
            .where(OpeningRule.site_id == site_id, or_(OpeningRule.valid_to.is_(None), OpeningRule.valid_to >= today))
            .order_by(OpeningRule.audience, OpeningRule.valid_from, OpeningRule.weekdays)
        )
    )


def special_days(session: Session, site_id: int) -> list[SpecialDay]:
    """Return the special days from today on."""
    today = clock.today(session.get_one(Site, site_id).timezone)
    return list(
        session.scalars(
            select(SpecialDay)
            .where(SpecialDay.site_id == site_id, SpecialDay.day >= today)
            .order_by(SpecialDay.day, SpecialDay.id)
        )
    )


def entrance(session: Session, site_id: int) -> Entrance:
    """Return the site's door.

    Raises:
        NotFoundError: the site has no door with a lock.
    """
    found = session.scalar(select(Entrance).where(Entrance.site_id == site_id).order_by(Entrance.id))
    if found is None:
        raise NotFoundError(what="entrance")
    return found


def has_entrance(session: Session, site_id: int) -> bool:
    """Tell whether the site has a door with a lock."""
    return session.scalar(select(Entrance.id).where(Entrance.site_id == site_id).limit(1)) is not None


def door(session: Session, site_id: int) -> DoorView:
    """Return the site's door as operators see it.

    Raises:
        NotFoundError: the site has no door with a lock.
    """
    found = entrance(session, site_id)
    return DoorView(
        id=found.id,
        public_id=found.public_id,
        name=found.name,
        door=_word(session, found, "door"),
        lock=_word(session, found, "lock"),
        mode=_word(session, found, "mode"),
        is_connected=fleet.is_ready(session, found.device_id),
        occupancy=found.occupancy,
        alert=found.alert,
        alert_at=found.alert_at,
        is_kept_closed=found.is_kept_closed,
        is_free_for_everyone=found.is_free_for_everyone,
        hold_s=found.hold_s,
    )


def passages(session: Session, entrance_id: int, *, limit: int = 30, before: int | None = None) -> list[Passage]:
    """Return the door's log, newest first; `before` is the id of the last line of the page before."""
    wanted = select(Passage).where(Passage.entrance_id == entrance_id)
    if before is not None:
        wanted = wanted.where(Passage.id < before)
    return list(session.scalars(wanted.order_by(Passage.id.desc()).limit(limit)))


def passage(session: Session, site_id: int, public_id: UUID) -> Passage:
    """Return one unlocking.

    Raises:
        NotFoundError: the site has none with this id.
    """
    found = session.scalar(
        select(Passage).where(
            Passage.public_id == public_id, Passage.site_id == site_id, Passage.kind == PassageKind.UNLOCK
        )
    )
    if found is None:
        raise NotFoundError(what="unlocking")
    return found


def _word(session: Session, found: Entrance, name: str) -> str:
    reading = fleet.property(session, found.device_id, NODE, name)
    return str(reading.value) if reading is not None and reading.is_current else "unknown"
