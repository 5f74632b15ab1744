"""Tells contacts of alarms. What is told is read at the moment of sending; who is gone meanwhile is told nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from flask_babel import force_locale, gettext, ngettext
from sqlalchemy import select

from shop_hub.alarms import sending, words
from shop_hub.alarms.models import Alarm, AlarmContact, News, Way
from shop_hub.alarms.service import MESSAGE
from shop_hub.core import mail
from shop_hub.core.mail import Mail
from shop_hub.core.outbox import Handler
from shop_hub.core.sites import Site
from shop_hub.core.web import ShopHub


@dataclass(frozen=True)
class _Letter:
    contact: AlarmContact
    site: Site
    alarms: Sequence[Alarm]
    news: str


def handlers(hub: ShopHub) -> dict[str, Handler]:
    """Return what sends the outbox messages of this feature."""
    return {MESSAGE: lambda payload: _send(hub, payload)}


def _send(hub: ShopHub, payload: dict[str, Any]) -> None:
    letter = _read(hub, payload)
    if letter is None:
        return
    with hub.app_context(), force_locale(letter.contact.language):
        subject, text = _subject(letter), _text(letter, hub.settings.http.public_url)
    if letter.contact.way is Way.MAIL:
        mail.send(hub.settings.mail, Mail(letter.contact.address, subject, text, key=payload["key"]))
    else:
        sending.send(letter.contact.address, subject, text)


def _read(hub: ShopHub, payload: dict[str, Any]) -> _Letter | None:
    with hub.database.reading() as session:
        contact = session.get(AlarmContact, payload["contact"])
        if contact is None:
            return None
        wanted = select(Alarm).where(Alarm.id.in_(payload["alarms"]), Alarm.site_id == contact.site_id)
        alarms = session.scalars(wanted.order_by(Alarm.id)).all()
        if payload["alarms"] and not alarms:
            return None
        return _Letter(contact, session.get_one(Site, contact.site_id), alarms, payload["news"])


def _subject(letter: _Letter) -> str:
    if not letter.alarms:
        return gettext("%(shop)s: test", shop=letter.site.label)
    if len(letter.alarms) == 1:
        what = words.sentence(letter.alarms[0])
    else:
        what = ngettext("%(num)s alarm", "%(num)s alarms", len(letter.alarms))
    if letter.news == News.ENDED:
        return gettext("%(shop)s: over: %(what)s", shop=letter.site.label, what=what)
    return gettext("%(shop)s: %(what)s", shop=letter.site.label, what=what)


def _text(letter: _Letter, address: str) -> str:
    if not letter.alarms:
        return gettext("This is a test. Alarms of the shop reach you here.")
    parts = [_paragraph(alarm, is_over=letter.news == News.ENDED) for alarm in letter.alarms]
    if address:
        parts.append(f"{address.rstrip('/')}/office/alarms/")
    return "\n\n".join(parts)


def _paragraph(alarm: Alarm, *, is_over: bool) -> str:
    if is_over and alarm.ended_at is not None:
        return gettext("%(what)s: over since %(when)s.", what=words.sentence(alarm), when=words.exact(alarm.ended_at))
    since = gettext("Since %(when)s.", when=words.exact(alarm.since))
    return " ".join(part for part in (f"{words.sentence(alarm)}.", since, words.advice(alarm)) if part)
