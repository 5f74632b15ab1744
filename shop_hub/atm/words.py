"""What people read about a cash machine's state."""

from datetime import date

from flask_babel import format_date

from shop_hub.atm.models import Service, Withdrawal
from shop_hub.core.errors import N_

SERVICE = {
    Service.IN_SERVICE: N_("In service"),
    Service.OUT_OF_SERVICE: N_("Out of order"),
    Service.MAINTENANCE: N_("Maintenance"),
    Service.UNKNOWN: N_("Not known"),
}
TONE = {
    Service.IN_SERVICE: "good",
    Service.OUT_OF_SERVICE: "bad",
    Service.MAINTENANCE: "warning",
    Service.UNKNOWN: "warning",
}
WITHDRAWAL = {
    Withdrawal.OK: N_("You can get cash."),
    Withdrawal.LOW: N_("You can get cash, but not much is left."),
    Withdrawal.NONE: N_("There is no cash right now."),
}
ADVICE = {
    Service.OUT_OF_SERVICE: N_("You cannot get cash right now. The bank has been told."),
    Service.MAINTENANCE: N_("Please come back a little later."),
    Service.UNKNOWN: N_("We hear nothing from the cash machine. It may work or not."),
}
LEVEL = {
    "ok": N_("in order"),
    "full": N_("filled up"),
    "high": N_("high"),
    "low": N_("low"),
    "empty": N_("empty"),
    "inoperative": N_("does not work"),
    "missing": N_("missing"),
    "manipulated": N_("manipulated"),
    "notConfigured": N_("not set up"),
    "unknown": N_("not known"),
}
"""Words of XFS4IoT for cassettes and paying in; others are shown as they come."""
LINK = {
    "never": N_("never heard"),
    "offline": N_("not connected"),
    "silent": N_("silent"),
    "behind": N_("catching up"),
    "ready": N_("connected"),
}


def sentence(service: Service, withdrawal: Withdrawal | None) -> str:
    """Return the msgid of what matters to someone who wants cash."""
    if service is Service.IN_SERVICE:
        return WITHDRAWAL[withdrawal] if withdrawal is not None else N_("The cash machine is in service.")
    return ADVICE[service]


def tone(service: Service, withdrawal: Withdrawal | None) -> str:
    """Return the colour of a state: good, warning or bad."""
    if service is Service.IN_SERVICE and withdrawal is Withdrawal.NONE:
        return "bad"
    if service is Service.IN_SERVICE and withdrawal is Withdrawal.LOW:
        return "warning"
    return TONE[service]


def level(word: str) -> str:
    """Return the msgid of a technical word, or the word itself."""
    return LEVEL.get(word, word)


def month(first: date) -> str:
    """Return a month in words: "November 2026"."""
    return str(format_date(first, "LLLL y", rebase=False))
