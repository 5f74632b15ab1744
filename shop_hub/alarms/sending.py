"""Sends to services through apprise: an optional extra of 20 MB, loaded only when something is sent. Mail needs none.

Of apprise's more than a hundred kinds of address only those are taken that leave this machine for a person: none that
writes files, starts programs or shows windows here, and none at this machine itself (trust.md 3.1, threat 13).
"""

import re
import socket
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
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
_WITH_HOST = frozenset(
    name + secure
    for name in ("gotify", "json", "matrix", "mmost", "ntfy", "rocket", "signal", "smseagle")
    for secure in ("", "s")
)
"""Those whose address names a server; in the others its place is taken by a token."""
_MAIL = re.compile(r"[^@\s,;:/<>\"]{1,64}@[^@\s,;:/<>\"]{1,190}")
_LONGEST = 500
_NAT64 = IPv6Network("64:ff9b::/96")
_COMPATIBLE = IPv6Network("::/96")
"""Prefixes before an IPv4 address: RFC 6052, and RFC 4291 2.5.5.1, which is out of use."""


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
    if found is None or _is_here(scheme, found.host, socket.AI_NUMERICHOST):
        raise BadAddressError(field="address")
    return Way.SERVICE, str(found.url(privacy=True)).partition("?")[0]


def send(address: str, subject: str, text: str) -> None:
    """Send a message to a service.

    Raises:
        NotDeliveredError: it did not take it, its name leads to this machine, or the library that speaks to it is gone.
    """
    try:
        apprise = _apprise()
    except NoServicesError as error:
        raise NotDeliveredError from error
    found = apprise.Apprise.instantiate(address, suppress_exceptions=True)
    if found is None or _is_here(address.partition("://")[0].lower(), found.host):
        raise NotDeliveredError
    found.redirects = False  # the server elsewhere must not send us back to this machine
    target = apprise.Apprise()
    if not target.add(found) or not target.notify(title=subject, body=text):
        raise NotDeliveredError


def _is_here(scheme: str, named: str, flags: int = 0) -> bool:
    """Tell whether a service's server is this machine or its own network segment's magic addresses.

    Args:
        scheme: in lower case.
        named: the server as the library that will speak to it has understood its address.
        flags: of getaddrinfo; with AI_NUMERICHOST no name is asked for.
    """
    host = named.strip("[]").rstrip(".").lower()
    if scheme not in _WITH_HOST:
        return False
    if host == "localhost" or host.endswith(".localhost") or not host:
        return True
    try:
        found = socket.getaddrinfo(host, None, flags=flags)
    except OSError:
        return ":" in host  # an address with a zone: of this segment
    return any(not _is_outside(ip_address(str(entry[4][0]).partition("%")[0])) for entry in found)


def _is_outside(address: IPv4Address | IPv6Address) -> bool:
    if isinstance(address, IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if address in _NAT64 or address in _COMPATIBLE:
            inner = IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None and not _is_outside(inner):
            return False
    return not (address.is_loopback or address.is_link_local or address.is_multicast or address.is_unspecified)


def _apprise() -> ModuleType:
    try:
        import apprise  # noqa: PLC0415 - optional, and slow to load
    except ImportError:
        raise NoServicesError from None
    return apprise
