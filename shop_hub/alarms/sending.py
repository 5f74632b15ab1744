"""Sends to services through apprise: an optional extra of 20 MB, loaded only when something is sent. Mail needs none.

Of apprise's more than a hundred kinds of address only those are taken that leave this machine for a person: none that
writes files, starts programs or shows windows here.
"""

import re
from types import ModuleType

from shop_hub.alarms.errors import BadAddressError, NoServicesError
from shop_hub.alarms.models import Way

SCHEMES = frozenset(
    {
        "discord",
        "gotify",
        "gotifys",
        "json",
        "jsons",
        "matrix",
        "matrixs",
        "mmost",
        "mmosts",
        "msteams",
        "ntfy",
        "ntfys",
        "pover",
        "rocket",
        "rockets",
        "seven",
        "signal",
        "signals",
        "slack",
        "smseagle",
        "smseagles",
        "tgram",
        "threema",
        "twilio",
        "zulip",
    }
)
_MAIL = re.compile(r"[^@\s,;:/<>\"]{1,64}@[^@\s,;:/<>\"]{1,190}")
_LONGEST = 500


class NotDeliveredError(Exception):
    """The service did not take the message; it will be tried again."""


def check(address: str) -> tuple[Way, str]:
    """Return how an address is reached, and what of it may be shown.

    Raises:
        BadAddressError: we cannot send there.
        NoServicesError: it is an address of a service, and only mail works on this hub.
    """
    if _MAIL.fullmatch(address):
        return Way.MAIL, address
    scheme = address.partition("://")[0].lower()
    if scheme not in SCHEMES or len(address) > _LONGEST:
        raise BadAddressError(field="address")
    found = _apprise().Apprise.instantiate(address, suppress_exceptions=True)
    if found is None:
        raise BadAddressError(field="address")
    return Way.SERVICE, str(found.url(privacy=True)).partition("?")[0]


def send(address: str, subject: str, text: str) -> None:
    """Send a message to a service.

    Raises:
        NotDeliveredError: it did not take it, or the library that speaks to it is gone.
    """
    try:
        apprise = _apprise()
    except NoServicesError as error:
        raise NotDeliveredError from error
    target = apprise.Apprise()
    if not target.add(address) or not target.notify(title=subject, body=text):
        raise NotDeliveredError


def _apprise() -> ModuleType:
    try:
        import apprise  # noqa: PLC0415 - optional, and slow to load
    except ImportError:
        raise NoServicesError from None
    return apprise
