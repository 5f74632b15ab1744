"""When the shop is open: a pure calculation over dated rules, special days and the public holidays of a Land.

All comparing is done in local days and minutes, so that nights of 23 or 25 hours need no thought. Closed unless a rule
says otherwise (money-and-machines.md 3.13). On 24 December a rule may end early.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from shop_hub.core.germany import public_holidays
from shop_hub.entrance.models import Audience, HolidayRule, OpeningRule, SpecialDay, SpecialKind

DAY_MINUTES = 1440
_LOOK_AHEAD = 15
_CHRISTMAS_EVE = (12, 24)


@dataclass(frozen=True, order=True)
class Window:
    """Minutes of a local day, the second one not included."""

    opens_minute: int
    closes_minute: int

    def __contains__(self, minute: int) -> bool:
        return self.opens_minute <= minute < self.closes_minute


@dataclass(frozen=True)
class Opening:
    """The opening rules of a site."""

    rules: Sequence[OpeningRule]
    special_days: Sequence[SpecialDay]
    land: str
    timezone: str

    @property
    def zone(self) -> ZoneInfo:
        """The site's time zone."""
        return ZoneInfo(self.timezone)

    def windows(self, day: date, audience: Audience) -> tuple[Window, ...]:
        """Return when the audience may come in on a local day; members may whenever everyone may."""
        found = self._windows_of(day, Audience.EVERYONE)
        if audience is Audience.MEMBERS:
            found = found + self._windows_of(day, Audience.MEMBERS)
        return _merged(found)

    def is_open(self, at: datetime, audience: Audience) -> bool:
        """Tell whether the audience may come in at a moment."""
        day, minute = self._local(at)
        return any(minute in window for window in self.windows(day, audience))

    def closes(self, at: datetime, audience: Audience) -> datetime | None:
        """Return when an open shop closes for the audience; None if not within two weeks (day and night)."""
        day, minute = self._local(at)
        for _ in range(_LOOK_AHEAD):
            window = next((w for w in self.windows(day, audience) if minute in w), None)
            if window is None:
                return self._moment(day, minute)
            minute = window.closes_minute
            if minute == DAY_MINUTES:
                day, minute = day + timedelta(days=1), 0
            else:
                return self._moment(day, minute)
        return None

    def opens(self, at: datetime, audience: Audience) -> datetime | None:
        """Return when a closed shop opens next for the audience; None if not within two weeks."""
        day, minute = self._local(at)
        for offset in range(_LOOK_AHEAD):
            for window in self.windows(day + timedelta(days=offset), audience):
                if offset > 0 or window.opens_minute > minute:
                    return self._moment(day + timedelta(days=offset), window.opens_minute)
        return None

    def times(self, first: date, days: int, audience: Audience) -> list[tuple[datetime, datetime]]:
        """Return from when to when the audience may come in, on so many days from the first on."""
        return [
            (self._moment(day, window.opens_minute), self._moment(day, window.closes_minute))
            for day in (first + timedelta(days=offset) for offset in range(days))
            for window in self.windows(day, audience)
        ]

    def is_holiday(self, day: date) -> bool:
        """Tell whether a day is a public holiday of the Land, or one that the municipality has of its own."""
        is_local = any(special.day == day and special.kind is SpecialKind.HOLIDAY for special in self.special_days)
        return is_local or day in public_holidays(self.land, day.year)

    def _windows_of(self, day: date, audience: Audience) -> tuple[Window, ...]:
        specials = [s for s in self.special_days if s.day == day and s.audience in (None, audience)]
        if any(special.kind is SpecialKind.CLOSED for special in specials):
            return ()
        other = tuple(_special_window(special) for special in specials if special.kind is SpecialKind.HOURS)
        if other:
            return other
        is_holiday = self.is_holiday(day)
        return tuple(
            window
            for rule in self.rules
            if rule.audience is audience and _holds(rule, day, is_holiday=is_holiday)
            if (window := _window(rule, day)) is not None
        )

    def _local(self, at: datetime) -> tuple[date, int]:
        local = at.astimezone(self.zone)
        return local.date(), local.hour * 60 + local.minute

    def _moment(self, day: date, minute: int) -> datetime:
        if minute == DAY_MINUTES:
            day, minute = day + timedelta(days=1), 0
        clock_time = time(minute // 60, minute % 60, tzinfo=self.zone)
        return datetime.combine(day, clock_time)


def _holds(rule: OpeningRule, day: date, *, is_holiday: bool) -> bool:
    if day < rule.valid_from or (rule.valid_to is not None and day > rule.valid_to):
        return False
    if not rule.weekdays & 1 << day.weekday():
        return False
    if is_holiday:
        return rule.holidays is not HolidayRule.EXCEPT
    return rule.holidays is not HolidayRule.ONLY


def _window(rule: OpeningRule, day: date) -> Window | None:
    closes = rule.closes_minute
    if (day.month, day.day) == _CHRISTMAS_EVE and rule.christmas_eve_minute is not None:
        closes = min(closes, rule.christmas_eve_minute)
    return Window(rule.opens_minute, closes) if rule.opens_minute < closes else None


def _special_window(special: SpecialDay) -> Window:
    return Window(special.opens_minute or 0, special.closes_minute or DAY_MINUTES)


def _merged(windows: tuple[Window, ...]) -> tuple[Window, ...]:
    merged: list[Window] = []
    for window in sorted(windows):
        if merged and window.opens_minute <= merged[-1].closes_minute:
            last = merged.pop()
            window = Window(last.opens_minute, max(last.closes_minute, window.closes_minute))  # noqa: PLW2901
        merged.append(window)
    return tuple(merged)
