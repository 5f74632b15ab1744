"""What people read about alarms."""

from datetime import datetime

from flask_babel import format_decimal, gettext

from shop_hub.alarms.models import Alarm, AlarmContact
from shop_hub.core.conditions import Severity
from shop_hub.core.errors import N_
from shop_hub.core.formats import day, hour

SEVERITY = {Severity.INFO: N_("to know"), Severity.WARNING: N_("soon"), Severity.CRITICAL: N_("at once")}
LEAST = {
    Severity.INFO: N_("everything"),
    Severity.WARNING: N_("what must be looked at soon, or at once"),
    Severity.CRITICAL: N_("only what must be looked at at once"),
}
TONE = {Severity.INFO: "info", Severity.WARNING: "warning", Severity.CRITICAL: "bad"}


def sentence(alarm: Alarm) -> str:
    """Return what is the matter, in the reader's language, without full stop; `…_milli` are written as decimals."""
    params = {name: _decimal(value) if name.endswith("_milli") else value for name, value in alarm.params.items()}
    return gettext(alarm.text, **params)


def advice(alarm: Alarm) -> str:
    """Return what to do, in the reader's language, or nothing."""
    return gettext(alarm.advice) if alarm.advice else ""


def _decimal(milli: int) -> str:
    return str(format_decimal(milli / 1000, format="0.0"))


def exact(at: datetime) -> str:
    """Return day and time in figures: a message may be read days later."""
    return f"{day(at)} {hour(at)}"


def clock_time(minute: int) -> str:
    """Return a minute of the day as "05:00"."""
    return f"{minute // 60:02d}:{minute % 60:02d}"


def quiet(contact: AlarmContact) -> str:
    """Return a contact's quiet hours, or nothing."""
    if contact.quiet_from is None or contact.quiet_to is None:
        return ""
    return f"{clock_time(contact.quiet_from)} \N{EN DASH} {clock_time(contact.quiet_to)}"
