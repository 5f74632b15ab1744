"""Sends mails and slips to recipients. Codes and tokens are made here, at the last moment, and shown once.

Every attempt makes new ones and ends the earlier ones: a mail that failed half-way leaves nothing usable behind.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from flask import render_template
from flask_babel import force_locale, gettext
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from shop_hub.core import clock, mail, qr
from shop_hub.core.outbox import Handler
from shop_hub.core.sites import Site
from shop_hub.core.web import ShopHub
from shop_hub.fleet import queries as fleet
from shop_hub.fleet import service as devices
from shop_hub.fleet.models import DeviceKind
from shop_hub.lockers.models import Compartment
from shop_hub.parcels import credentials, notify, states
from shop_hub.parcels.credentials import COLLECTABLE, Code
from shop_hub.parcels.models import Parcel

PRINTER_NODE = "printer"
PRINT_BY = "parcel"
PRINT_TTL_MS = 20_000
PRINT_WITHIN = timedelta(minutes=10)
"""A slip with a code must not come out hours later, when nobody who may have it stands there."""
_GROUP = 4


@dataclass(frozen=True)
class Letter:
    """All that a mail or slip says. Holds secrets: never log or store it."""

    parcel: Parcel
    site: Site
    compartment: int | None
    code: str
    link: str


def handlers(hub: ShopHub) -> dict[str, Handler]:
    """Return what sends the outbox messages of this feature."""
    return {
        notify.MAIL: lambda payload: _send_mail(hub, payload),
        notify.SLIP: lambda payload: _print_slip(hub, payload),
    }


def letter(hub: ShopHub, parcel_id: int, *, is_wanted: Callable[[Parcel], bool]) -> Letter | None:
    """Make a new code and token for a waiting parcel; None if it does not wait any more, or is not wanted."""
    while True:
        code = credentials.make_code(hub.hasher, parcel_id)
        with hub.database.transaction() as session:
            if credentials.is_taken(session, code):
                continue
            parcel = _locked(session, parcel_id)
            if parcel is None or not is_wanted(parcel):
                return None
            return issue(hub, session, parcel, code)


def issue(hub: ShopHub, session: Session, parcel: Parcel, code: Code) -> Letter:
    """Give a waiting parcel this code and a new token; earlier ones end."""
    credentials.revoke(session, parcel)
    session.flush()
    parcel.code_key, parcel.code_hash = code.key, code.hash
    token = credentials.issue_token(session, parcel)
    return _letter(hub, session, parcel, _in_groups(code.text), token)


def _send_mail(hub: ShopHub, payload: dict[str, Any]) -> None:
    what = payload["what"]
    if what == "ready":
        found = letter(hub, payload["parcel"], is_wanted=_may_be_told_by_mail)
    else:
        found = _news(hub, payload["parcel"], what)
    if found is None:
        return
    with hub.app_context(), force_locale(found.parcel.person.language if found.parcel.person else "de"):
        message = _compose(found, what)
    mail.send(hub.settings.mail, message)
    if what == "ready":
        _told(hub, found.parcel.id)


def _print_slip(hub: ShopHub, payload: dict[str, Any]) -> None:
    found = letter(hub, payload["parcel"], is_wanted=_is_fresh)
    if found is None:
        return
    with hub.app_context(), force_locale(found.parcel.person.language if found.parcel.person else "de"):
        document = slip(found)
    with hub.database.transaction() as session:
        printer = _printer(session, found.site.id, payload.get("kiosk"))
        if printer is None:
            return
        by = f"{PRINT_BY}:{found.parcel.id}"
        devices.request(session, printer, PRINTER_NODE, "print", {"document": document}, by=by, ttl_ms=PRINT_TTL_MS)


def note_slip(session: Session, parcel: Parcel, *, actor: str) -> None:
    """Note that the recipient got a slip."""
    states.note(session, parcel, "slip-printed", actor=actor, values={"told_at": clock.now()})


def slip(found: Letter) -> dict[str, Any]:
    """Return the document for the slip printer (devices/printer)."""
    person = found.parcel.person
    lines = [
        person.name if person else "",
        person.address if person else "",
        "",
        gettext("A parcel is waiting for you in the shop."),
        gettext("Compartment %(number)s", number=found.compartment),
        gettext("Your code: %(code)s", code=found.code),
        gettext("Please type the code on the screen, or hold the square below to the reader."),
        gettext("Your member card with its PIN works, too."),
    ]
    title = gettext("Your parcel is here")
    return {"title": title, "lines": lines, "qr": found.link}


def _news(hub: ShopHub, parcel_id: int, what: str) -> Letter | None:
    """Return a letter without code; a reminder carries one more token, the code of the first mail stays good."""
    is_reminder = what in {"half-time", "last-day"}
    with hub.database.transaction() as session:
        parcel = _locked(session, parcel_id)
        if parcel is None or not notify.gets_mail(parcel) or (is_reminder and not _may_be_told_by_mail(parcel)):
            return None
        token = credentials.issue_token(session, parcel) if is_reminder else ""
        return _letter(hub, session, parcel, "", token)


def _letter(hub: ShopHub, session: Session, parcel: Parcel, code: str, token: str) -> Letter:
    number = session.scalar(select(Compartment.number).where(Compartment.id == parcel.compartment_id))
    base = hub.settings.http.public_url.rstrip("/").upper()
    link = f"{base}/P#{token}" if base else token
    return Letter(parcel, session.get_one(Site, parcel.site_id), number, code, link if token else "")


def _compose(found: Letter, what: str) -> mail.Mail:
    subjects = {
        "ready": gettext("Your parcel is here"),
        "half-time": gettext("Your parcel is still waiting for you"),
        "last-day": gettext("Your parcel: the last day"),
        "withdrawn": gettext("Your parcel is not in the station any more"),
        "opened-by-staff": gettext("Your compartment was opened by the shop"),
    }
    text = render_template("parcels/mail/news.txt", what=what, letter=found, person=found.parcel.person)
    files = (mail.Attachment("qr.png", "image/png", qr.png(found.link)),) if found.link else ()
    assert found.parcel.person is not None  # noqa: S101 - gets_mail
    return mail.Mail(found.parcel.person.email, subjects[what], text, files)


def _told(hub: ShopHub, parcel_id: int) -> None:
    with hub.database.transaction() as session:
        session.execute(update(Parcel).where(Parcel.id == parcel_id).values(told_at=clock.now()))


def _printer(session: Session, site_id: int, kiosk_id: int | None) -> int | None:
    """Return the printer where the courier stands, else any of the site."""
    bound = fleet.bound_to(session, kiosk_id, DeviceKind.PRINTER) if kiosk_id is not None else None
    if bound is not None:
        return bound.id
    return next((device.id for device in fleet.devices(session, site_id, DeviceKind.PRINTER)), None)


def _locked(session: Session, parcel_id: int) -> Parcel | None:
    return session.scalar(select(Parcel).where(Parcel.id == parcel_id).with_for_update(of=Parcel))


def _may_be_told_by_mail(parcel: Parcel) -> bool:
    return parcel.state in COLLECTABLE and notify.gets_mail(parcel)


def _is_fresh(parcel: Parcel) -> bool:
    is_new = parcel.ready_at is not None and clock.now() - parcel.ready_at <= PRINT_WITHIN
    return parcel.state in COLLECTABLE and parcel.person is not None and is_new


def _in_groups(code: str) -> str:
    return " ".join(code[place : place + _GROUP] for place in range(0, len(code), _GROUP))
