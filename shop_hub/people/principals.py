"""Who asks: the principal of a request, from API token, operator's sign-in, kiosk cookie, villager or courier.

Everything is read anew at every request, so a blocked card, courier, kiosk, token or operator has no effect from the
next request on. One browser never acts as two: /office knows operators only, all other pages kiosk and visitors only.
"""

from collections.abc import Callable
from typing import NamedTuple

import flask_login
from flask import request
from flask import session as visit
from sqlalchemy import select
from sqlalchemy.orm import Session

from shop_hub.core import tokens
from shop_hub.core.access import Principal, Role, staff_roles
from shop_hub.core.sites import Site
from shop_hub.core.tokens import Purpose, Token, TokenState
from shop_hub.core.web import ShopHub, session
from shop_hub.people import signin
from shop_hub.people.models import Courier, Operator, Person

KIOSK_COOKIE = "kiosk"

LOOPBACK = frozenset({"127.0.0.1", "::1"})


class KioskIdentity(NamedTuple):
    """A paired touchscreen and the site it stands at."""

    id: int
    site_id: int


def _no_kiosk(_reading: Session) -> tuple[int, int] | None:
    return None


find_first_kiosk: Callable[[Session], tuple[int, int] | None] = _no_kiosk
"""Returns id and site of the kiosk that a browser on this computer is, where `kiosk.auto_pair_loopback` is set; the
device registry above sets it."""

_first_site = select(Site.id).order_by(Site.id).limit(1)


def load(hub: ShopHub) -> Principal:
    """Return who asks in this request."""
    if request.path.startswith("/static/"):
        return Principal()
    bearer = request.headers.get("Authorization", "")
    if bearer[:7].lower() == "bearer ":
        return _from_token(bearer[7:])
    if request.path.startswith("/api/"):
        return Principal()
    if request.path.startswith("/office"):
        return _operator()
    return _visitor(hub)


def init_login(hub: ShopHub) -> None:
    """Set Flask-Login up over our visits; without remember-me cookies."""
    manager = flask_login.LoginManager()
    manager.session_protection = "strong"
    # what init_app does, without a hook in each request for remember-me cookies
    hub.login_manager = manager  # type: ignore[attr-defined]

    @manager.user_loader  # type: ignore[untyped-decorator]
    def load_operator(operator_id: str) -> Operator | None:
        found = session().get(Operator, int(operator_id))
        return found if found is not None and found.is_active else None


def current_operator() -> Operator | None:
    """Return the operator who is signed in, or None."""
    user = flask_login.utils._get_user()  # noqa: SLF001 - the proxy's target, without the proxy
    return user if isinstance(user, Operator) else None


def _operator() -> Principal:
    found = current_operator()
    if found is None or not found.roles:
        return Principal()
    sites = {row.site_id: row.role for row in found.roles}
    site_id = visit.get("site_id")
    if site_id not in sites:
        site_id = min(sites)
    roles = staff_roles(sites[site_id]) | {Role.ANONYMOUS}
    return Principal(roles=roles, site_id=site_id, operator_id=found.id)


def _from_token(text: str) -> Principal:
    token = tokens.find(session(), Purpose.API, text)
    if token is None:
        return Principal()
    roles = frozenset({Role.ANONYMOUS, Role(token.data["role"])})
    carrier_id = token.data.get("carrier_id")
    return Principal(roles=roles, site_id=token.site_id, carrier_id=carrier_id, token_id=token.id)


def _visitor(hub: ShopHub) -> Principal:
    reading = session()
    kiosk = _kiosk(hub, reading)
    member_id = _member_id(hub, reading)
    courier = _courier(hub, reading)
    roles = {Role.ANONYMOUS}
    if kiosk is not None:
        roles.add(Role.KIOSK)
    if member_id is not None:
        roles.add(Role.VILLAGER)
    if courier is not None:
        roles.add(Role.COURIER)
    return Principal(
        roles=frozenset(roles),
        site_id=_site_id(reading, kiosk),
        kiosk_id=kiosk.id if kiosk else None,
        member_id=member_id,
        courier_id=courier.id if courier else None,
        carrier_id=courier.carrier_id if courier else None,
    )


def _kiosk(hub: ShopHub, reading: Session) -> KioskIdentity | None:
    text = request.cookies.get(KIOSK_COOKIE)
    token = tokens.find(reading, Purpose.KIOSK, text) if text else None
    if token is not None and token.site_id is not None:
        return KioskIdentity(token.subject_id, token.site_id)
    is_local = hub.settings.kiosk.auto_pair_loopback and request.remote_addr in LOOPBACK
    found = find_first_kiosk(reading) if is_local and request.path.startswith("/kiosk") else None
    return KioskIdentity(*found) if found is not None else None


def _member_id(hub: ShopHub, reading: Session) -> int | None:
    found = signin.live("member", signin.member_life(hub.settings)) if visit else None
    if found is None or not _is_live(reading, found["card"]):
        return None
    is_blocked = reading.scalar(select(Person.is_blocked).where(Person.id == found["id"]))
    return found["id"] if is_blocked is False else None


def _courier(hub: ShopHub, reading: Session) -> Courier | None:
    found = signin.live("courier", signin.courier_life(hub.settings)) if visit else None
    if found is None or not _is_live(reading, found["badge"]):
        return None
    courier = reading.get(Courier, found["id"])
    return None if courier is None or courier.is_blocked or courier.carrier.is_blocked else courier


def _is_live(reading: Session, token_id: int) -> bool:
    return reading.scalar(select(Token.state).where(Token.id == token_id)) is TokenState.ISSUED


def _site_id(reading: Session, kiosk: KioskIdentity | None) -> int | None:
    """Return the kiosk's site; else the one that the visit chose (a phone by the station's QR), else the first."""
    if kiosk is not None:
        return kiosk.site_id
    return visit.get("site_id") or reading.scalar(_first_site)
