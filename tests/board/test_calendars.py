"""Local times of events: right over the changes of the clock, and in the words of iCalendar."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shop_hub.board import calendars
from shop_hub.board.models import Origin, Post, PostKind, PostState
from shop_hub.core.ids import uuid7

BERLIN = "Europe/Berlin"


def event(first_day: date, **more: object) -> Post:
    values = {
        "public_id": uuid7(),
        "kind": PostKind.EVENT,
        "state": PostState.PUBLISHED,
        "origin": Origin.OFFICE,
        "title": "Chor",
        "text": "Wir singen.",
        "place": "",
        "start_minute": 19 * 60,
        "end_minute": 20 * 60 + 30,
        "is_all_day": False,
        "repeat_weeks": 0,
        "repeat_until": None,
        "skip_days": [],
        "sequence": 0,
        "changed_at": datetime(2026, 1, 1, tzinfo=UTC),
        "first_day": first_day,
    }
    return Post(**{**values, **more})


def ics(*posts: Post) -> str:
    return calendars.ics(posts, timezone=BERLIN, host="lindenau.shop-hub", name="Termine")


@pytest.mark.parametrize(
    ("day", "minute", "utc"),
    [
        (date(2026, 10, 24), 19 * 60, "2026-10-24T17:00"),
        (date(2026, 10, 25), 19 * 60, "2026-10-25T18:00"),
        (date(2027, 3, 27), 19 * 60, "2027-03-27T18:00"),
        (date(2027, 3, 28), 19 * 60, "2027-03-28T17:00"),
        (date(2026, 3, 29), 150, "2026-03-29T01:30"),  # 02:30 does not exist: 03:30
        (date(2026, 10, 25), 150, "2026-10-25T00:30"),  # 02:30 comes twice: the first
        (date(2026, 3, 28), 1440, "2026-03-28T23:00"),
    ],
)
def test_wall_clock_stays_the_same_over_changes_of_the_clock(day: date, minute: int, utc: str) -> None:
    assert calendars.moment(day, minute, BERLIN).isoformat(timespec="minutes") == f"{utc}+00:00"


@given(
    st.dates(date(2026, 1, 1), date(2030, 12, 31)),
    st.sampled_from([1, 2, 4]),
    st.integers(0, 400),
    st.sets(st.integers(0, 400), max_size=5),
)
def test_series_falls_on_one_weekday_within_its_days(first: date, weeks: int, length: int, skipped: set[int]) -> None:
    skip = [(first + timedelta(days=days)).isoformat() for days in skipped]
    days = list(
        calendars.days_of(event(first, repeat_weeks=weeks, repeat_until=first + timedelta(days=length), skip_days=skip))
    )
    every = [first + timedelta(weeks=weeks * number) for number in range(length // (7 * weeks) + 1)]
    assert days == [day for day in every if day.isoformat() not in skip][:120]


def test_file_has_every_change_of_the_clock_around_its_events() -> None:
    text = ics(event(date(2026, 10, 20), repeat_weeks=1, repeat_until=date(2027, 4, 6)))
    zone = text[text.index("BEGIN:VTIMEZONE") : text.index("END:VTIMEZONE")]
    for change in (
        "20261025T030000\r\nTZOFFSETFROM:+0200\r\nTZOFFSETTO:+0100",
        "20270328T020000\r\nTZOFFSETFROM:+0100",
    ):
        assert f"DTSTART:{change}" in zone
    assert "DTSTART;TZID=Europe/Berlin:20261020T190000\r\nDTEND;TZID=Europe/Berlin:20261020T203000\r\n" in text
    assert "RRULE:FREQ=WEEKLY;INTERVAL=1;UNTIL=20270406T215900Z\r\n" in text


def test_skipped_days_are_named_and_the_first_may_be_one() -> None:
    text = ics(
        event(
            date(2026, 12, 17),
            repeat_weeks=1,
            repeat_until=date(2027, 1, 7),
            skip_days=["2026-12-17", "2026-12-24"],
        )
    )
    assert "DTSTART;TZID=Europe/Berlin:20261224" not in text
    assert "EXDATE;TZID=Europe/Berlin:20261224T190000\r\n" in text
    assert "DTSTART;TZID=Europe/Berlin:20261231T190000\r\n" in text


def test_all_day_event_has_dates_without_times() -> None:
    text = ics(event(date(2026, 12, 31), is_all_day=True, start_minute=0, end_minute=1440))
    assert "DTSTART;VALUE=DATE:20261231\r\nDTEND;VALUE=DATE:20270101\r\n" in text


@given(st.text(alphabet=st.characters(exclude_categories=("Cs", "Cc")), max_size=300))
def test_any_text_is_folded_at_75_octets_and_comes_back_whole(text: str) -> None:
    written = ics(event(date(2026, 5, 1), text=f"a,b;c\\d\n{text}"))
    assert all(len(line.encode()) <= 75 for line in written.split("\r\n"))
    unfolded = written.replace("\r\n ", "")
    line = next(line for line in unfolded.split("\r\n") if line.startswith("DESCRIPTION:"))
    raw = line.removeprefix("DESCRIPTION:")
    plain = raw.replace("\\\\", "\0").replace("\\n", "\n").replace("\\,", ",").replace("\\;", ";").replace("\0", "\\")
    assert plain == f"a,b;c\\d\n{text}"


def test_text_cannot_break_out_of_its_line() -> None:
    written = ics(event(date(2026, 5, 1), title="x\r\nEND:VEVENT\r\nBEGIN:VALARM"))
    assert written.count("END:VEVENT\r\n") == 1
    assert "\r\nBEGIN:VALARM" not in written
