"""Verbs of the noticeboard: hand in, approve, refuse, change, extend, take down."""

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import delete, update
from sqlalchemy.orm import Session

from shop_hub.board import calendars, queries, slips, texts
from shop_hub.board.errors import (
    BadTimesError,
    BoardBusyError,
    EmptyTextError,
    LongTextError,
    ReasonMissingError,
    UnknownSlipError,
    WrongStateError,
)
from shop_hub.board.models import Contact, Occurrence, Origin, Post, PostKind, PostState
from shop_hub.core import audit, clock, events, limits
from shop_hub.core.errors import TooManyAttemptsError
from shop_hub.core.hashing import SecretHasher
from shop_hub.core.limits import Limit
from shop_hub.core.sites import Site

LIFE = timedelta(days=14)
KEPT_AFTER_END = timedelta(days=30)
HAND_IN_LIMIT = Limit("board-hand-in", tries=6, window=timedelta(minutes=10), longest_wait=timedelta(minutes=5))
SLIP_LIMIT = Limit("board-slip", tries=6, window=timedelta(minutes=15))
KIOSK_KINDS = (PostKind.OFFER, PostKind.SEEK, PostKind.LOST, PostKind.HELP, PostKind.NOTICE)


@dataclass(frozen=True, kw_only=True)
class Times:
    """When an event takes place, in local time; minutes after midnight, beyond 1440 on the next day."""

    first_day: date
    start_minute: int = 0
    end_minute: int = 1440
    is_all_day: bool = False
    repeat_weeks: int = 0
    repeat_until: date | None = None
    skip_days: tuple[date, ...] = ()
    place: str = ""


@dataclass(frozen=True, kw_only=True)
class Draft:
    """What someone wants to put up.

    Args:
        title: made from the text if empty.
        contact_text: name and number; shown only with `has_consent`, else for the shop.
        expires_on: last local day; default is 14 days, or the last day of the event.
        times: only for events, and always for them.
    """

    kind: PostKind
    text: str
    title: str = ""
    language: str = "de"
    translations: dict[str, dict[str, str]] = field(default_factory=dict)
    contact_text: str = ""
    has_consent: bool = False
    expires_on: date | None = None
    times: Times | None = None
    person_id: int | None = None


def check_kiosk_text(text: str, *, begun_with: str = "") -> None:
    """Accept the text of a notice written at a kiosk, or say what is wrong with it.

    Args:
        begun_with: words that stood there before anyone wrote; alone they are no text.

    Raises:
        EmptyTextError, LongTextError: more than 280 letters, or none of the writer's own.
    """
    text = _checked_text(text, texts.MOST_KIOSK)
    if text == texts.clean(begun_with):
        raise EmptyTextError(field="text")


def hand_in(session: Session, hasher: SecretHasher, site_id: int, draft: Draft, *, pad: str) -> Post:
    """Take a notice written at a kiosk; it waits for approval. Call it before anything was written.

    Args:
        pad: the kiosk, e.g. "kiosk:3"; six notices in ten minutes, further ones wait.

    Raises:
        EmptyTextError, LongTextError: more than 280 letters, or none.
        BoardBusyError: too many notices came from this kiosk.
    """
    text = _checked_text(draft.text, texts.MOST_KIOSK)
    try:
        limits.count(session, (HAND_IN_LIMIT, pad))
    except TooManyAttemptsError as busy:
        raise BoardBusyError(**busy.params) from None
    post = Post(site_id=site_id, kind=draft.kind, state=PostState.PENDING, origin=Origin.KIOSK)
    post.created_at = clock.now()
    _fill(session, post, draft, text)
    session.add(post)
    session.flush()
    post.slip_key = slips.key_of(hasher, slips.code_of(hasher, post.public_id))
    audit.record(session, site_id, pad, "notice-handed-in", f"post:{post.id}", kind=post.kind.value)
    _announce(session, post)
    return post


def find_by_slip(session: Session, hasher: SecretHasher, site_id: int, code: str, *, pad: str) -> Post:
    """Return the notice of a slip code; the try is counted first.

    Raises:
        UnknownSlipError: no living notice of this site has the code.
        TooManyAttemptsError: too many codes were tried here.
    """
    limits.count(session, (SLIP_LIMIT, pad))
    post = queries.by_slip_key(session, site_id, slips.key_of(hasher, code))
    if post is None:
        raise UnknownSlipError
    limits.take_back(session, (SLIP_LIMIT, pad))
    return post


def change_by_slip(session: Session, post_id: int, text: str, *, pad: str) -> Post:
    """Change the text of an own notice; it waits for approval again.

    Raises:
        EmptyTextError, LongTextError: more than 280 letters, or none.
        WrongStateError: it has ended.
    """
    text = _checked_text(text, texts.MOST_KIOSK)
    post = _move(session, post_id, (PostState.PENDING, PostState.PUBLISHED, PostState.REJECTED), PostState.PENDING)
    post.text = text if post.contact is Contact.SHOWN else texts.hide_contacts(text)
    post.title, post.translations = texts.title_of(post.text), {}
    post.reject_reason, post.ended_at = "", None
    return _changed(session, post, pad, "notice-changed")


def extend(session: Session, post_id: int, *, actor: str) -> Post:
    """Show a published notice for another 14 days from now.

    Raises:
        WrongStateError: it is not on the board.
    """
    post = _move(session, post_id, (PostState.PUBLISHED,), PostState.PUBLISHED)
    post.expires_at = max(post.expires_at or clock.now(), clock.now() + LIFE)
    return _changed(session, post, actor, "notice-extended")


def write(session: Session, site_id: int, draft: Draft, *, actor: str, publish: bool = False) -> Post:
    """Enter a notice or an event in the office, as a draft or at once on the board.

    Raises:
        EmptyTextError, LongTextError: more than 2,000 letters, or none.
        BadTimesError: an event without days, or days that do not fit.
    """
    text = _checked_text(draft.text, texts.MOST_OFFICE)
    post = Post(site_id=site_id, kind=draft.kind, state=PostState.DRAFT, origin=Origin.OFFICE)
    post.created_at = clock.now()
    _fill(session, post, draft, text)
    session.add(post)
    session.flush()
    audit.record(session, site_id, actor, "notice-written", f"post:{post.id}", kind=post.kind.value)
    return approve(session, post.id, actor=actor) if publish else _announce(session, post)


def change(session: Session, post_id: int, draft: Draft, *, actor: str) -> Post:
    """Change a notice or event in the office; its state stays.

    Raises:
        EmptyTextError, LongTextError, BadTimesError: as in `write`.
        WrongStateError: it has ended.
    """
    text = _checked_text(draft.text, texts.MOST_OFFICE)
    post = session.get_one(Post, post_id)
    if post.state not in queries.LIVING:
        raise WrongStateError
    _fill(session, post, draft, text)
    if post.state is PostState.PUBLISHED:
        post.expires_at = _expiry(session, post, draft.expires_on)
    return _changed(session, post, actor, "notice-edited")


def approve(session: Session, post_id: int, *, actor: str, expires_on: date | None = None) -> Post:
    """Put a notice on the board.

    Raises:
        WrongStateError: someone else has decided already.
        BadTimesError: the event is over.
    """
    post = _move(session, post_id, (PostState.PENDING, PostState.DRAFT), PostState.PUBLISHED, expires_at=clock.now())
    post.published_at = post.published_at or clock.now()
    post.expires_at = _expiry(session, post, expires_on)
    return _changed(session, post, actor, "notice-published")


def reject(session: Session, post_id: int, reason: str, *, actor: str) -> Post:
    """Refuse a notice; the writer reads the reason with the slip code.

    Raises:
        ReasonMissingError: there is none.
        WrongStateError: someone else has decided already.
    """
    reason = texts.clean_line(reason)[: texts.MOST_KIOSK]
    if not reason:
        raise ReasonMissingError(field="reason")
    post = _move(session, post_id, (PostState.PENDING,), PostState.REJECTED, reject_reason=reason, ended_at=clock.now())
    return _changed(session, post, actor, "notice-rejected")


def withdraw(session: Session, post_id: int, *, actor: str) -> Post:
    """Take a notice down; calendars that know the event see it cancelled.

    Raises:
        WrongStateError: it is down already.
    """
    post = _move(session, post_id, queries.LIVING, PostState.WITHDRAWN, ended_at=clock.now())
    return _changed(session, post, actor, "notice-withdrawn")


def expire(session: Session) -> int:
    """End what is over; return how many."""
    over = (Post.state == PostState.PUBLISHED, Post.expires_at <= clock.now())
    sites = session.scalars(
        update(Post).where(*over).values(state=PostState.EXPIRED, ended_at=clock.now()).returning(Post.site_id)
    ).all()
    for site_id in set(sites):
        events.publish(session, "board", site_id)
    return len(sites)


def forget_ended(session: Session) -> None:
    """Delete what ended more than 30 days ago (retention of posts)."""
    session.execute(delete(Post).where(Post.ended_at < clock.now() - KEPT_AFTER_END))


def _checked_text(text: str, most: int) -> str:
    text = texts.clean(text)
    if not text:
        raise EmptyTextError(field="text")
    if len(text) > most:
        raise LongTextError(field="text", most=most, count=len(text))
    return text


def _fill(session: Session, post: Post, draft: Draft, text: str) -> None:
    contact_text = texts.clean_line(draft.contact_text)[:80]
    is_shown = draft.has_consent and bool(contact_text)
    hide = post.origin is Origin.KIOSK and not is_shown
    post.kind, post.language, post.person_id = draft.kind, draft.language, draft.person_id
    post.text = texts.hide_contacts(text) if hide else text
    title = texts.clean_line(draft.title)[: texts.MOST_TITLE]
    post.title = (texts.hide_contacts(title) if hide else title) or texts.title_of(post.text)
    post.translations = {language: _translation(words) for language, words in draft.translations.items()}
    post.contact, post.contact_text = (Contact.SHOWN if is_shown else Contact.RELAY), contact_text
    post.consent_at = (post.consent_at or clock.now()) if is_shown else None
    post.changed_at = clock.now()
    _set_times(session, post, draft.times)


def _translation(words: dict[str, str]) -> dict[str, str]:
    text = _checked_text(words["text"], texts.MOST_OFFICE)
    return {"title": texts.clean_line(words.get("title", ""))[: texts.MOST_TITLE] or texts.title_of(text), "text": text}


def _set_times(session: Session, post: Post, times: Times | None) -> None:
    if (post.kind is PostKind.EVENT) != (times is not None):
        raise BadTimesError(field="first_day")
    if times is None:
        return
    is_series = times.repeat_weeks > 0
    if times.end_minute <= times.start_minute or is_series != (times.repeat_until is not None):
        raise BadTimesError(field="end_minute")
    post.first_day, post.place = times.first_day, texts.clean_line(times.place)[:80]
    post.is_all_day = times.is_all_day
    post.start_minute, post.end_minute = (0, 1440) if times.is_all_day else (times.start_minute, times.end_minute)
    post.repeat_weeks, post.repeat_until = times.repeat_weeks, times.repeat_until
    post.skip_days = [day.isoformat() for day in times.skip_days]
    _set_occurrences(session, post)


def _set_occurrences(session: Session, post: Post) -> None:
    timezone = session.get_one(Site, post.site_id).timezone
    post.occurrences.clear()
    session.flush()  # the days of before go first: a day is unique within an event
    for day in calendars.days_of(post):
        starts_at, ends_at = (calendars.moment(day, at, timezone) for at in (post.start_minute, post.end_minute))
        post.occurrences.append(Occurrence(site_id=post.site_id, day=day, starts_at=starts_at, ends_at=ends_at))
    if not post.occurrences:
        raise BadTimesError(field="first_day")


def _expiry(session: Session, post: Post, expires_on: date | None) -> datetime:
    if post.kind is PostKind.EVENT:
        expires_at = post.occurrences[-1].ends_at
    elif expires_on is not None:
        timezone = session.get_one(Site, post.site_id).timezone
        expires_at = calendars.moment(expires_on, 1440, timezone)
    else:
        expires_at = clock.now() + LIFE
    if expires_at <= clock.now():
        raise BadTimesError(field="expires_on")
    return expires_at


def _move(session: Session, post_id: int, from_: tuple[PostState, ...], to: PostState, **values: Any) -> Post:
    result = session.execute(
        update(Post).where(Post.id == post_id, Post.state.in_(from_)).values(state=to, changed_at=clock.now(), **values)
    )
    if not result.rowcount:  # type: ignore[attr-defined]
        raise WrongStateError
    return session.get_one(Post, post_id, populate_existing=True)


def _changed(session: Session, post: Post, actor: str, action: str) -> Post:
    post.changed_at, post.sequence = clock.now(), post.sequence + 1
    audit.record(session, post.site_id, actor, action, f"post:{post.id}")
    return _announce(session, post)


def _announce(session: Session, post: Post) -> Post:
    session.flush()
    events.publish(session, "board", post.site_id)
    return post
