"""Reads of the noticeboard."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Generic, TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from shop_hub.board.models import Contact, Occurrence, Post, PostKind, PostState
from shop_hub.core import clock
from shop_hub.core.errors import NotFoundError

Item = TypeVar("Item")

PAGE = 6
FRESH = timedelta(days=7)
LIVING = (PostState.DRAFT, PostState.PENDING, PostState.PUBLISHED)


@dataclass(frozen=True)
class Card:
    """A published notice in a list; `language` is that of the words."""

    public_id: UUID
    kind: PostKind
    title: str
    text: str
    language: str
    published_at: datetime


@dataclass(frozen=True)
class EventDay:
    """One day of a published event."""

    public_id: UUID
    title: str
    text: str
    language: str
    place: str
    starts_at: datetime
    ends_at: datetime
    is_all_day: bool


@dataclass(frozen=True)
class Page(Generic[Item]):
    """A part of a list. `pages` is at least 1."""

    items: list[Item]
    page: int
    pages: int
    total: int


@dataclass(frozen=True)
class Detail:
    """A published notice or event as everyone may read it."""

    public_id: UUID
    site_id: int
    kind: PostKind
    title: str
    text: str
    language: str
    contact: str
    place: str
    is_all_day: bool
    repeat_weeks: int
    published_at: datetime
    expires_at: datetime
    days: tuple[EventDay, ...]


@dataclass(frozen=True)
class Counts:
    """Numbers for the kiosk's tiles."""

    fresh_notices: int
    events_today: int
    events_this_week: int


def shown(session: Session, site_id: int, *, kind: PostKind | None, page: int, language: str) -> Page[Card]:
    """Return a page of at most six published notices, newest first; events are not among them."""
    found = _published(site_id)
    found.append(Post.kind == kind if kind is not None else Post.kind != PostKind.EVENT)
    total = session.scalar(select(func.count(Post.id)).where(*found)) or 0
    page, pages = _place(page, total)
    rows = session.execute(
        select(Post.public_id, Post.kind, Post.title, Post.text, Post.language, Post.published_at, Post.translations)
        .where(*found)
        .order_by(Post.published_at.desc(), Post.id.desc())
        .limit(PAGE)
        .offset((page - 1) * PAGE)
    )
    cards = [
        Card(
            row.public_id,
            row.kind,
            *_words(row.title, row.text, row.language, row.translations, language),
            row.published_at,
        )
        for row in rows
    ]
    return Page(cards, page, pages, total)


def kinds_shown(session: Session, site_id: int) -> list[PostKind]:
    """Return the kinds of which something hangs on the board, in the order of `PostKind`."""
    rows = set(session.scalars(select(Post.kind).where(*_published(site_id)).distinct()))
    return [kind for kind in PostKind if kind in rows and kind is not PostKind.EVENT]


def detail(session: Session, public_id: UUID, *, language: str) -> Detail:
    """Return a published notice or event.

    Raises:
        NotFoundError: there is none, or it is not on the board (any more).
    """
    post = session.scalar(select(Post).where(Post.public_id == public_id, Post.state == PostState.PUBLISHED))
    if post is None or post.published_at is None or post.expires_at is None or post.expires_at <= clock.now():
        raise NotFoundError(what="notice")
    title, text, spoken = _words(post.title, post.text, post.language, post.translations, language)
    days = [day for day in post.occurrences if day.ends_at > clock.now()]
    return Detail(
        post.public_id,
        post.site_id,
        post.kind,
        title,
        text,
        spoken,
        post.contact_text if post.contact is Contact.SHOWN else "",
        post.place,
        post.is_all_day,
        post.repeat_weeks,
        post.published_at,
        post.expires_at,
        tuple(_event_day(post, day, title, text, spoken) for day in days),
    )


def events(
    session: Session, site_id: int, *, until: datetime | None = None, page: int = 1, language: str
) -> Page[EventDay]:
    """Return a page of at most six days of published events that are not over, soonest first."""
    found = _coming(site_id, until)
    total = session.scalar(select(func.count(Occurrence.id)).join(Post).where(*found)) or 0
    page, pages = _place(page, total)
    return Page(_events(session, found, language, PAGE, (page - 1) * PAGE), page, pages, total)


def coming_events(
    session: Session, site_id: int, *, after: tuple[datetime, int] | None, limit: int, language: str
) -> list[tuple[int, EventDay]]:
    """Return days of published events with their number, soonest first; for the API.

    Args:
        after: start and number of the last day of the page before.
    """
    found = _coming(site_id, None)
    if after is not None:
        found.append(_later(*after))
    return _numbered(session, found, language, limit, 0)


def counts(session: Session, site_id: int, timezone: str) -> Counts:
    """Return how many notices of the last 7 days hang there, and how many events are today and within 7 days."""
    fresh = session.scalar(
        select(func.count(Post.id)).where(
            *_published(site_id), Post.kind != PostKind.EVENT, Post.published_at > clock.now() - FRESH
        )
    )
    numbers = [
        session.scalar(
            select(func.count(Occurrence.id)).join(Post).where(*_coming(site_id, end_of_day(timezone, days)))
        )
        for days in (1, 7)
    ]
    return Counts(fresh or 0, numbers[0] or 0, numbers[1] or 0)


def end_of_day(timezone: str, days: int) -> datetime:
    """Return the local midnight `days` days after the one that began today."""
    today = clock.today(timezone)
    return datetime(today.year, today.month, today.day, tzinfo=ZoneInfo(timezone)) + timedelta(days=days)


def calendar_post(session: Session, public_id: UUID) -> Post:
    """Return an event that was published, also a withdrawn one: calendars must hear that it is off.

    Raises:
        NotFoundError: there is none.
    """
    found = session.scalar(
        select(Post).where(
            Post.public_id == public_id,
            Post.kind == PostKind.EVENT,
            Post.published_at.is_not(None),
            Post.state.in_((PostState.PUBLISHED, PostState.WITHDRAWN)),
        )
    )
    if found is None:
        raise NotFoundError(what="event")
    return found


def by_slip_key(session: Session, site_id: int, slip_key: str) -> Post | None:
    """Return the notice with this keyed slip code, unless its writer has taken it down or it is over."""
    return session.scalar(
        select(Post).where(
            Post.site_id == site_id,
            Post.slip_key == slip_key,
            Post.state.in_((*LIVING, PostState.REJECTED)),
        )
    )


def post(session: Session, site_id: int, public_id: UUID) -> Post:
    """Return a post of the site in any state, for its moderators.

    Raises:
        NotFoundError: there is none.
    """
    found = session.scalar(select(Post).where(Post.site_id == site_id, Post.public_id == public_id))
    if found is None:
        raise NotFoundError(what="notice")
    return found


def posts(session: Session, site_id: int, states: tuple[PostState, ...], *, page: int, size: int = 25) -> Page[Post]:
    """Return posts of the site for its moderators: waiting ones oldest first, others newest first."""
    found = (Post.site_id == site_id, Post.state.in_(states))
    total = session.scalar(select(func.count(Post.id)).where(*found)) or 0
    page, pages = _place(page, total, size)
    order = Post.created_at if PostState.PENDING in states else Post.changed_at.desc()
    items = session.scalars(select(Post).where(*found).order_by(order, Post.id).limit(size).offset((page - 1) * size))
    return Page(list(items), page, pages, total)


def waiting(session: Session, site_id: int) -> int:
    """Return how many posts wait for approval."""
    found = (Post.site_id == site_id, Post.state == PostState.PENDING)
    return session.scalar(select(func.count(Post.id)).where(*found)) or 0


def feed(session: Session, site_id: int, *, are_events: bool) -> list[Post]:
    """Return what feeds carry: published posts and those withdrawn within 30 days, newest first."""
    kind = Post.kind == PostKind.EVENT if are_events else Post.kind != PostKind.EVENT
    return list(
        session.scalars(
            select(Post)
            .where(
                Post.site_id == site_id,
                kind,
                Post.published_at.is_not(None),
                Post.state.in_((PostState.PUBLISHED, PostState.WITHDRAWN)),
            )
            .order_by(Post.changed_at.desc())
            .limit(500)
        )
    )


def _published(site_id: int) -> list[ColumnElement[bool]]:
    return [Post.site_id == site_id, Post.state == PostState.PUBLISHED, Post.expires_at > clock.now()]


def _coming(site_id: int, until: datetime | None) -> list[ColumnElement[bool]]:
    found = [Occurrence.site_id == site_id, Occurrence.ends_at > clock.now(), Post.state == PostState.PUBLISHED]
    if until is not None:
        found.append(Occurrence.starts_at < until)
    return found


def _later(starts_at: datetime, number: int) -> ColumnElement[bool]:
    same = (Occurrence.starts_at == starts_at) & (Occurrence.id > number)
    return (Occurrence.starts_at > starts_at) | same


def _events(
    session: Session, found: list[ColumnElement[bool]], language: str, limit: int, offset: int
) -> list[EventDay]:
    return [event for _, event in _numbered(session, found, language, limit, offset)]


def _numbered(
    session: Session, found: list[ColumnElement[bool]], language: str, limit: int, offset: int
) -> list[tuple[int, EventDay]]:
    rows = session.execute(
        select(Occurrence, Post)
        .join(Post)
        .where(*found)
        .order_by(Occurrence.starts_at, Occurrence.id)
        .limit(limit)
        .offset(offset)
    )
    return [(row.Occurrence.id, _shown_day(row.Post, row.Occurrence, language)) for row in rows]


def _shown_day(post: Post, day: Occurrence, language: str) -> EventDay:
    return _event_day(post, day, *_words(post.title, post.text, post.language, post.translations, language))


def _event_day(post: Post, day: Occurrence, title: str, text: str, language: str) -> EventDay:
    return EventDay(post.public_id, title, text, language, post.place, day.starts_at, day.ends_at, post.is_all_day)


def _words(title: str, text: str, own: str, translations: dict[str, Any], language: str) -> tuple[str, str, str]:
    """Return title, text and their language: the wished one if translated, else the writer's."""
    words = translations.get(language)
    return (words["title"], words["text"], language) if words and own != language else (title, text, own)


def _place(page: int, total: int, size: int = PAGE) -> tuple[int, int]:
    pages = max(1, -(-total // size))
    return min(max(1, page), pages), pages
