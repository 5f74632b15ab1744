"""The office's form of a notice or event, as a draft of the service."""

import re
from collections.abc import Mapping
from datetime import date

from shop_hub.board.errors import BadTimesError
from shop_hub.board.models import Post, PostKind
from shop_hub.board.service import Draft, Times

LANGUAGES = ("de", "en")
_HOUR = re.compile(r"([01]?[0-9]|2[0-3])[:.]([0-5][0-9])", re.ASCII)


def draft(form: Mapping[str, str]) -> Draft:
    """Read the form.

    Raises:
        BadTimesError: a day or a time is missing or none.
    """
    kind = next((kind for kind in PostKind if kind == form.get("kind")), PostKind.NOTICE)
    language = form.get("language", "de")
    other = "en" if language == "de" else "de"
    words = {"title": form.get("other_title", ""), "text": form.get("other_text", "")}
    return Draft(
        kind=kind,
        title=form.get("title", ""),
        text=form.get("text", ""),
        language=language if language in LANGUAGES else "de",
        translations={other: words} if words["text"].strip() else {},
        contact_text=form.get("contact_text", ""),
        has_consent="has_consent" in form,
        expires_on=_day(form.get("expires_on", "")),
        times=_times(form) if kind is PostKind.EVENT else None,
    )


def values(post: Post) -> dict[str, object]:
    """Return what the form shows of a post."""
    other = "en" if post.language == "de" else "de"
    words = post.translations.get(other, {})
    return {
        "kind": post.kind.value,
        "title": post.title,
        "text": post.text,
        "language": post.language,
        "other_title": words.get("title", ""),
        "other_text": words.get("text", ""),
        "contact_text": post.contact_text,
        "has_consent": post.consent_at is not None,
        "place": post.place,
        "first_day": post.first_day.isoformat() if post.first_day else "",
        "start": _clock(post.start_minute),
        "end": _clock(post.end_minute),
        "is_all_day": post.is_all_day,
        "repeat_weeks": post.repeat_weeks,
        "repeat_until": post.repeat_until.isoformat() if post.repeat_until else "",
        "skip_days": " ".join(post.skip_days),
    }


def _times(form: Mapping[str, str]) -> Times:
    first_day = _day(form.get("first_day", ""))
    is_all_day = "is_all_day" in form
    weeks = int(form["repeat_weeks"]) if form.get("repeat_weeks") in {"1", "2", "4"} else 0
    start, end = (0, 1440) if is_all_day else (_minute(form.get("start", "")), _minute(form.get("end", "")))
    if first_day is None:
        raise BadTimesError(field="first_day")
    skipped = [_day(text) for text in form.get("skip_days", "").replace(",", " ").split()]
    if None in skipped:
        raise BadTimesError(field="skip_days")
    return Times(
        first_day=first_day,
        start_minute=start,
        end_minute=end if end > start else end + 1440,
        is_all_day=is_all_day,
        repeat_weeks=weeks,
        repeat_until=_day(form.get("repeat_until", "")) if weeks else None,
        skip_days=tuple(day for day in skipped if day),
        place=form.get("place", ""),
    )


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text.strip())
    except ValueError:
        return None


def _minute(text: str) -> int:
    found = _HOUR.fullmatch(text.strip())
    if found is None:
        raise BadTimesError(field="start")
    return int(found[1]) * 60 + int(found[2])


def _clock(minute: int) -> str:
    return f"{minute // 60 % 24:02}:{minute % 60:02}"
