"""Sends to services through apprise: an optional extra of 20 MB, loaded only when something is sent. Mail needs none.

Of apprise's more than a hundred kinds of address only those are taken that leave this machine for a person: none that
writes files, starts programs or shows windows here, and none at this machine itself (trust.md 3.1, threat 13).
"""

import re
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from types import ModuleType
from typing import Any

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
    if found is None or (scheme in _WITH_HOST and _server(found.host, socket.AI_NUMERICHOST) is None):
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
    if found is None:
        raise NotDeliveredError
    found.redirects = False  # the server elsewhere must not send us back to this machine
    with _only_to_checked(address.partition("://")[0].lower(), found.host):
        # not by way of its `Apprise`, which sends in threads of its own
        is_taken = found.notify(title=subject, body=text)
    if not is_taken:
        raise NotDeliveredError


@dataclass(frozen=True, slots=True)
class _Server:
    """A server by its name, and the addresses that were found behind it and checked; none: it was not looked up."""

    name: str
    addresses: Sequence[str]


class _Checked(threading.local):
    server: _Server | None = None


_checked = _Checked()


@contextmanager
def _only_to_checked(scheme: str, named: str) -> Iterator[None]:
    """Connect to nothing but what was checked: a name may lead elsewhere when it is asked for a second time.

    The library offers no way to say so, but all its connections are made by one function of urllib3. The name stays
    what it was for TLS and in the request.

    Raises:
        NotDeliveredError: the server is this machine, or its name is not known now.
    """
    if scheme not in _WITH_HOST:
        yield
        return
    server = _server(named)
    if server is None or not server.addresses:
        raise NotDeliveredError
    _checked.server = server
    try:
        yield
    finally:
        _checked.server = None


def _server(named: str, flags: int = 0) -> _Server | None:
    """Return a service's server; None if it is this machine or a magic address of its own network segment.

    Args:
        named: the server as the library that will speak to it has understood its address.
        flags: of getaddrinfo; with AI_NUMERICHOST no name is asked for.
    """
    host = _plain(named)
    if host == "localhost" or host.endswith(".localhost") or not host:
        return None
    try:
        found = socket.getaddrinfo(host, None, flags=flags)
    except OSError:
        return None if ":" in host else _Server(host, ())  # an address with a zone: of this segment
    addresses = [str(entry[4][0]) for entry in found]
    if any(not _is_outside(ip_address(address.partition("%")[0])) for address in addresses):
        return None
    return _Server(host, tuple(dict.fromkeys(addresses)))


def _plain(named: str) -> str:
    return named.strip("[]").rstrip(".").lower()


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
    _guard_connections()
    return apprise


def _guard_connections() -> None:
    """Have urllib3 connect where we say, in threads in which we say so; once for the process."""
    from urllib3.util import connection  # noqa: PLC0415 - comes with apprise

    original = connection.create_connection
    if getattr(original, "is_guarded", False):
        return

    def connect(address: tuple[str, int], *more: Any, **options: Any) -> Any:
        server = _checked.server
        if server is None:
            return original(address, *more, **options)
        if _plain(address[0]) != server.name:
            raise OSError("not the server that was checked")
        return _first_of(original, [(checked, address[1]) for checked in server.addresses], *more, **options)

    connect.is_guarded = True  # type: ignore[attr-defined]
    connection.create_connection = connect


def _first_of(connect: Any, addresses: Sequence[tuple[str, int]], *more: Any, **options: Any) -> Any:
    *others, last = addresses
    for address in others:
        try:
            return connect(address, *more, **options)
        except OSError:
            continue
    return connect(last, *more, **options)
