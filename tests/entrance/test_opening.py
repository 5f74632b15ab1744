"""When the shop is open: rules, special days, holidays of the Land, Christmas Eve and the nights of clock changes."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from shop_hub.entrance.models import Audience, HolidayRule, OpeningRule, SpecialDay, SpecialKind
from shop_hub.entrance.opening import Opening, Window

ZONE = ZoneInfo("Europe/Berlin")
EVERYONE, MEMBERS = Audience.EVERYONE, Audience.MEMBERS


def rule(opens="05:00", closes="22:00", **more):
    values = {
        "audience": EVERYONE,
        "weekdays": 127,
        "holidays": HolidayRule.ALSO,
        "valid_from": date(2026, 1, 1),
        "valid_to": None,
        "christmas_eve_minute": None,
    }
    return OpeningRule(opens_minute=minute(opens), closes_minute=minute(closes), **values | more)


def special(day, kind=SpecialKind.CLOSED, opens=None, closes=None, audience=None):
    return SpecialDay(
        day=day,
        kind=kind,
        audience=audience,
        opens_minute=minute(opens) if opens else None,
        closes_minute=minute(closes) if closes else None,
    )


def minute(text):
    hours, minutes = text.split(":")
    return int(hours) * 60 + int(minutes)


def opening(*rules, special_days=(), land="BB"):
    return Opening(rules, special_days, land, "Europe/Berlin")


def at(text):
    return datetime.fromisoformat(text).replace(tzinfo=ZONE)


def test_without_a_rule_it_is_closed_for_all():
    closed = opening()
    assert not closed.is_open(at("2026-11-23T12:00"), MEMBERS)
    assert closed.opens(at("2026-11-23T12:00"), EVERYONE) is None


@pytest.mark.parametrize(
    ("moment", "is_open"),
    [("04:59", False), ("05:00", True), ("21:59", True), ("22:00", False)],
)
def test_a_window_holds_from_its_first_to_before_its_last_minute(moment, is_open):
    assert opening(rule()).is_open(at(f"2026-11-23T{moment}"), EVERYONE) is is_open


def test_members_may_come_whenever_everyone_may_and_more():
    shop = opening(rule(), rule("00:00", "24:00", audience=MEMBERS))
    night = at("2026-11-23T03:00")
    assert (shop.is_open(night, EVERYONE), shop.is_open(night, MEMBERS)) == (False, True)
    assert opening(rule()).is_open(at("2026-11-23T12:00"), MEMBERS)


def test_weekdays_are_a_sum():
    saturday_sunday = opening(rule(weekdays=32 + 64))
    open_days = [saturday_sunday.is_open(at(f"2026-11-{day}T12:00"), EVERYONE) for day in range(23, 30)]
    assert open_days == [False] * 5 + [True] * 2


@pytest.mark.parametrize(
    ("holidays", "on_holiday", "on_workday"),
    [(HolidayRule.ALSO, True, True), (HolidayRule.EXCEPT, False, True), (HolidayRule.ONLY, True, False)],
)
def test_rules_hold_on_holidays_too_or_not_or_only_then(holidays, on_holiday, on_workday):
    shop = opening(rule(holidays=holidays))
    good_friday, thursday = at("2026-04-03T12:00"), at("2026-04-02T12:00")
    assert (shop.is_open(good_friday, EVERYONE), shop.is_open(thursday, EVERYONE)) == (on_holiday, on_workday)


@pytest.mark.parametrize(
    ("day", "land", "is_holiday"),
    [
        (date(2026, 10, 31), "BB", True),
        (date(2026, 10, 31), "BY", False),
        (date(2026, 6, 4), "BY", True),
        (date(2026, 6, 4), "ST", False),
        (date(2026, 6, 4), "HE", True),
        (date(2026, 4, 5), "BB", True),
        (date(2026, 8, 15), "BY", False),
    ],
)
def test_holidays_follow_the_land(day, land, is_holiday):
    assert opening(land=land).is_holiday(day) is is_holiday


def test_a_municipality_may_have_a_holiday_of_its_own():
    assumption = date(2026, 8, 15)
    shop = opening(
        rule(holidays=HolidayRule.EXCEPT), special_days=[special(assumption, SpecialKind.HOLIDAY)], land="BY"
    )
    assert shop.windows(assumption, EVERYONE) == ()


def test_christmas_eve_ends_early_if_the_rule_says_so():
    shop = opening(rule(christmas_eve_minute=14 * 60))
    assert shop.windows(date(2026, 12, 24), EVERYONE) == (Window(300, 840),)
    assert shop.windows(date(2026, 12, 23), EVERYONE) == (Window(300, 1320),)
    assert opening(rule("15:00", christmas_eve_minute=14 * 60)).windows(date(2026, 12, 24), EVERYONE) == ()


def test_dated_rules_change_over_night():
    shop = opening(
        rule("08:00", "18:00", valid_to=date(2026, 11, 30)), rule("06:00", "20:00", valid_from=date(2026, 12, 1))
    )
    assert shop.windows(date(2026, 11, 30), EVERYONE) == (Window(480, 1080),)
    assert shop.windows(date(2026, 12, 1), EVERYONE) == (Window(360, 1200),)


def test_a_special_day_replaces_the_rules_of_its_audience():
    day = date(2026, 11, 27)
    night_for_members = rule("00:00", "24:00", audience=MEMBERS)
    shop = opening(
        rule(), night_for_members, special_days=[special(day, SpecialKind.HOURS, "10:00", "12:00", EVERYONE)]
    )
    assert shop.windows(day, EVERYONE) == (Window(600, 720),)
    assert shop.windows(day, MEMBERS) == (Window(0, 1440),)
    closed = opening(rule(), night_for_members, special_days=[special(day)])
    assert closed.windows(day, MEMBERS) == ()


def test_windows_that_touch_are_one():
    shop = opening(rule("05:00", "12:00"), rule("12:00", "22:00"), rule("06:00", "07:00"))
    assert shop.windows(date(2026, 11, 23), EVERYONE) == (Window(300, 1320),)


def test_closing_time_goes_on_over_midnight():
    shop = opening(rule("18:00", "24:00", weekdays=1), rule("00:00", "02:00", weekdays=2))
    assert shop.closes(at("2026-11-23T19:00"), EVERYONE) == at("2026-11-24T02:00")


def test_day_and_night_has_no_closing_time():
    assert opening(rule("00:00", "24:00")).closes(at("2026-11-23T19:00"), EVERYONE) is None


def test_the_next_opening_is_found_days_ahead():
    monday_only = opening(rule("08:00", "18:00", weekdays=1))
    assert monday_only.opens(at("2026-11-23T07:00"), EVERYONE) == at("2026-11-23T08:00")
    assert monday_only.opens(at("2026-11-23T18:00"), EVERYONE) == at("2026-11-30T08:00")


@pytest.mark.parametrize(
    ("utc", "is_open"),
    [
        ("2026-10-25T00:30", True),
        ("2026-10-25T01:30", True),
        ("2026-10-25T02:30", False),
        ("2026-03-29T00:30", True),
        ("2026-03-29T01:30", False),
    ],
)
def test_nights_of_clock_changes_follow_the_clock_on_the_wall(utc, is_open):
    until_three = opening(rule("00:00", "03:00"))
    moment = datetime.fromisoformat(utc).replace(tzinfo=UTC)
    assert until_three.is_open(moment, EVERYONE) is is_open


def test_closing_time_on_the_long_night_is_the_wall_clock_s():
    until_five = opening(rule("00:00", "05:00"))
    began = datetime(2026, 10, 24, 23, 0, tzinfo=UTC)
    assert until_five.closes(began, EVERYONE).astimezone(UTC) == datetime(2026, 10, 25, 4, 0, tzinfo=UTC)


def test_an_unknown_land_still_has_the_national_holidays():
    assert opening(land="XX").is_holiday(date(2026, 10, 3))
