"""Days of events: local times to UTC, and iCalendar files (RFC 5545)."""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from shop_hub.board.models import Post, PostState
from shop_hub.core import clock

MOST_OCCURRENCES = 120
LONGEST_LINE = 73


def days_of(post: Post) -> Iterator[date]:
    """Yield the local days of an event, repeats included, skipped days left out; at most 120."""
    day, count = post.first_day, 0
    last = post.repeat_until or post.first_day
    while day is not None and last is not None and day <= last and count < MOST_OCCURRENCES:
        if day.isoformat() not in post.skip_days:
            yield day
            count += 1
        if not post.repeat_weeks:
            return
        day += timedelta(weeks=post.repeat_weeks)


def moment(day: date, minute: int, timezone: str) -> datetime:
    """Return `minute` minutes of the wall clock after midnight of `day` as UTC.

    02:30 on the day when clocks go forward does not exist and becomes 03:30; an hour that comes twice is its first.
    """
    local = datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(timezone)) + timedelta(minutes=minute)
    return local.astimezone(UTC)


def ics(posts: Sequence[Post], *, timezone: str, host: str, name: str) -> str:
    """Return events as an iCalendar file; series stay series, withdrawn ones are cancelled.

    Args:
        host: right-hand side of the UIDs; must stay the same over the years.
        name: what calendars call this collection.
    """
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//shop_hub//board//EN", f"X-WR-CALNAME:{_text(name)}"]
    days = [day for post in posts for day in (post.first_day, post.repeat_until) if day]
    if days:
        lines += _zone(timezone, min(days).year, max(days).year)
    for post in posts:
        lines += _event(post, timezone, host)
    lines.append("END:VCALENDAR")
    return "".join(f"{line}\r\n" for whole in lines for line in _folded(whole))


def _event(post: Post, timezone: str, host: str) -> list[str]:
    first = next(days_of(post), post.first_day)
    if first is None:
        return []
    start, end = (_local(first, minute, timezone) for minute in (post.start_minute, post.end_minute))
    if post.is_all_day:
        start, end = f";VALUE=DATE:{first:%Y%m%d}", f";VALUE=DATE:{first + timedelta(days=1):%Y%m%d}"
    lines = [
        "BEGIN:VEVENT",
        f"UID:{post.public_id}@{host}",
        f"SEQUENCE:{post.sequence}",
        f"DTSTAMP:{_utc(clock.now())}",
        f"LAST-MODIFIED:{_utc(post.changed_at)}",
        f"DTSTART{start}",
        f"DTEND{end}",
        f"SUMMARY:{_text(post.title)}",
        f"DESCRIPTION:{_text(post.text)}",
    ]
    if post.place:
        lines.append(f"LOCATION:{_text(post.place)}")
    if post.repeat_weeks and post.repeat_until:
        until = moment(post.repeat_until, 1439, timezone)
        rule = f"{post.repeat_until:%Y%m%d}" if post.is_all_day else _utc(until)
        lines.append(f"RRULE:FREQ=WEEKLY;INTERVAL={post.repeat_weeks};UNTIL={rule}")
        lines += [_skip(date.fromisoformat(day), post, timezone) for day in post.skip_days]
    if post.state is PostState.WITHDRAWN:
        lines.append("STATUS:CANCELLED")
    return [*lines, "END:VEVENT"]


def _skip(day: date, post: Post, timezone: str) -> str:
    return f"EXDATE;VALUE=DATE:{day:%Y%m%d}" if post.is_all_day else f"EXDATE{_local(day, post.start_minute, timezone)}"


def _local(day: date, minute: int, timezone: str) -> str:
    local = moment(day, minute, timezone).astimezone(ZoneInfo(timezone))
    return f";TZID={timezone}:{local:%Y%m%dT%H%M%S}"


def _zone(timezone: str, first_year: int, last_year: int) -> list[str]:
    """Return the VTIMEZONE with every change of the clock in these years, found by comparing noons."""
    zone = ZoneInfo(timezone)
    lines = ["BEGIN:VTIMEZONE", f"TZID:{timezone}"]
    before = datetime(first_year - 1, 1, 1, 12, tzinfo=zone)
    lines += _observance(before, before.utcoffset() or timedelta())
    day = before
    while day.year <= last_year:
        following = day + timedelta(days=1)
        if following.utcoffset() != day.utcoffset():
            lines += _observance(_change(day, zone), day.utcoffset() or timedelta())
        day = following
    return [*lines, "END:VTIMEZONE"]


def _change(noon_before: datetime, zone: ZoneInfo) -> datetime:
    """Return the first quarter of an hour with the new offset."""
    at = noon_before.astimezone(UTC)
    while at.astimezone(zone).utcoffset() == noon_before.utcoffset():
        at += timedelta(minutes=15)
    return at.astimezone(zone)


def _observance(at: datetime, offset_before: timedelta) -> list[str]:
    offset = at.utcoffset() or timedelta()
    kind = "DAYLIGHT" if at.dst() else "STANDARD"
    local_before = (at.astimezone(UTC) + offset_before).strftime("%Y%m%dT%H%M%S")
    return [
        f"BEGIN:{kind}",
        f"DTSTART:{local_before}",
        f"TZOFFSETFROM:{_offset(offset_before)}",
        f"TZOFFSETTO:{_offset(offset)}",
        f"TZNAME:{at.tzname()}",
        f"END:{kind}",
    ]


def _offset(offset: timedelta) -> str:
    minutes = int(offset.total_seconds() // 60)
    return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}{abs(minutes) % 60:02}"


def _utc(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y%m%dT%H%M%SZ}"


def _text(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace(";", "\\;").replace(",", "\\,")
    return escaped.replace("\r\n", "\n").replace("\r", "\n").replace("\n", "\\n")


def _folded(line: str) -> Iterator[str]:
    """Fold at 75 octets without cutting a letter (RFC 5545, 3.1)."""
    part, prefix = b"", ""
    for sign in line:
        octets = sign.encode()
        if len(part) + len(octets) > LONGEST_LINE:
            yield prefix + part.decode()
            part, prefix = b"", " "
        part += octets
    yield prefix + part.decode()
