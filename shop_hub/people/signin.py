"""Who is signed in at this browser: kept in the server-side visit, checked anew at every request.

Villagers and couriers sign in for a short while: it ends by itself when nothing was asked for longer than the kiosk
waits, warning included. Flask-Login keeps operators.
"""

from datetime import datetime, timedelta
from typing import Any, cast

import flask_login
from flask import request
from flask import session as visit
from sqlalchemy.orm import Session

from shop_hub.core import clock
from shop_hub.core.settings import Settings
from shop_hub.core.visits import Visit
from shop_hub.people import service
from shop_hub.people.models import Courier, Operator, Person

PIN_FRESH = timedelta(minutes=5)
TOUCH = timedelta(seconds=5)


def member(session: Session, card_text: str, person: Person) -> None:
    """Sign a villager in whose PIN has just proved right; the visit takes a new id.

    The screen follows the villager's language and text size, unless the visitor has chosen otherwise.
    """
    _begin("member", id=person.id, card=service.card_id(session, card_text))
    visit.setdefault("language", person.language)
    visit.setdefault("zoom", str(person.text_size))


def courier(session: Session, badge_text: str, who: Courier) -> None:
    """Sign a courier in; the visit takes a new id."""
    _begin("courier", id=who.id, carrier_id=who.carrier_id, badge=service.badge_id(session, badge_text))


def operator(who: Operator, *, site_id: int) -> None:
    """Sign an operator in; the visit starts empty and takes a new id."""
    language = visit.get("language")
    _visit().end()
    visit["site_id"] = site_id
    visit["language"] = language or who.language
    flask_login.login_user(who)


def out() -> None:
    """Forget everything of this visit; a copied cookie is worthless from now on."""
    _visit().end()


def member_out() -> None:
    """End a villager's sign-in, keep the rest."""
    visit.pop("member", None)


def courier_out() -> None:
    """End a courier's sign-in, keep the rest."""
    visit.pop("courier", None)


def confirm_pin() -> None:
    """Note that the villager's PIN has just proved right again."""
    if "member" in visit:
        visit["member"] = {**visit["member"], "pin_at": clock.now().isoformat()}


def has_fresh_pin() -> bool:
    """Tell whether the villager's PIN is not older than five minutes; money and doors ask for it again after that."""
    found = visit.get("member")
    return found is not None and clock.now() - datetime.fromisoformat(found["pin_at"]) <= PIN_FRESH


def live(kind: str, life: timedelta) -> dict[str, Any] | None:
    """Return the sign-in of `kind` ("member", "courier") if it is not older than `life`, and prolong it."""
    found: dict[str, Any] | None = visit.get(kind)
    if found is None:
        return None
    age = clock.now() - datetime.fromisoformat(found["at"])
    if not timedelta(0) <= age <= life:
        return None
    if age > TOUCH and not _is_background():
        visit[kind] = {**found, "at": clock.now().isoformat()}
    return found


def member_life(settings: Settings) -> timedelta:
    """Return how long a villager stays signed in without touching the screen."""
    return timedelta(seconds=settings.kiosk.idle_private_s + settings.kiosk.idle_warning_s)


def courier_life(settings: Settings) -> timedelta:
    """Return how long a courier stays signed in without doing anything."""
    return timedelta(seconds=settings.parcels.courier_idle_s + settings.kiosk.idle_warning_s)


def _begin(kind: str, **values: Any) -> None:
    now = clock.now().isoformat()
    _visit().renew()
    visit[kind] = {**values, "at": now, "pin_at": now}


def _is_background() -> bool:
    """Tell whether a script asks on its own; only people prolong a sign-in."""
    return "text/event-stream" in request.headers.get("Accept", "") or "X-Background" in request.headers


def _visit() -> Visit:
    return cast("Visit", visit._get_current_object())  # type: ignore[attr-defined]  # noqa: SLF001 - the proxy's target
