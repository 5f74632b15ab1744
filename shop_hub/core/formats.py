"""How pages write money, quantities, days and times: Jinja filters in the reader's language and local time."""

from datetime import UTC, date, datetime
from decimal import Decimal

from babel.numbers import format_currency, format_decimal
from flask import Flask
from flask_babel import format_date, format_datetime, format_time, get_locale, gettext, to_user_timezone

from shop_hub.core import clock

MILLI = Decimal(1000)


def init_formats(app: Flask) -> None:
    """Offer the filters to all templates."""
    app.jinja_env.filters.update(
        money=money, quantity=quantity, rate=rate, long_day=long_day, day=day, hour=hour, moment=moment, iso=iso
    )


def money(cents: int) -> str:
    """Return an amount of cents as euros: 349 is "3,49 €" in German."""
    return format_currency(Decimal(cents) / 100, "EUR", locale=get_locale())


def quantity(milli: int, unit: str = "") -> str:
    """Return thousandths as a number, with its unit if given: 1500 and "kg" are "1,5 kg"."""
    number = format_decimal(Decimal(milli) / MILLI, locale=get_locale())
    return f"{number}\u00a0{unit}" if unit else number


def rate(permille: int) -> str:
    """Return a rate in permille as a percentage without its sign: 78 is "7,8" in German."""
    return str(format_decimal(Decimal(permille) / 10, locale=get_locale()))


def long_day(value: date | datetime) -> str:
    """Return a day in words without year: "Sonntag, 22. November"."""
    pattern = "EEEE, d. MMMM" if str(get_locale()).startswith("de") else "EEEE, d MMMM"
    return str(format_date(local_day(value), pattern, rebase=False))


def day(value: date | datetime) -> str:
    """Return a day in figures: "22.11.2026"."""
    return str(format_date(local_day(value), "medium", rebase=False))


def hour(value: datetime) -> str:
    """Return a time of day, always with 24 hours: "17:30"."""
    return str(format_time(value, "HH:mm"))


def moment(value: datetime) -> str:
    """Return a moment as a person says it: "today, 14:05", "yesterday, 14:05", else day and time."""
    distance = (local_day(value) - local_day(clock.now())).days
    words = {0: gettext("today"), -1: gettext("yesterday"), 1: gettext("tomorrow")}
    if distance in words:
        return f"{words[distance]}, {hour(value)}"
    return f"{format_datetime(value, 'd. MMM y' if str(get_locale()).startswith('de') else 'd MMM y')}, {hour(value)}"


def iso(value: datetime) -> str:
    """Return a moment for machines, e.g. for <time datetime>."""
    return value.astimezone(UTC).isoformat(timespec="seconds")


def local_day(value: date | datetime) -> date:
    """Return the calendar day at the shop."""
    return to_user_timezone(value).date() if isinstance(value, datetime) else value
