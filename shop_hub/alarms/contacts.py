"""Who is told, and where to: mail, or any service that apprise knows and that we let it use."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from shop_hub.alarms import sending
from shop_hub.alarms.errors import BadQuietHoursError, NotYourContactError
from shop_hub.alarms.models import AlarmContact, AlarmNotice
from shop_hub.alarms.service import MESSAGE
from shop_hub.core import audit, events, outbox
from shop_hub.core.conditions import Severity
from shop_hub.core.db import paused
from shop_hub.core.errors import BadInputError, NotFoundError
from shop_hub.core.ids import uuid7

_LONGEST_NAME = 60
_DAY_MINUTES = 1440


@dataclass(frozen=True, kw_only=True)
class NewContact:
    """See AlarmContact for units."""

    name: str
    address: str
    least: Severity = Severity.WARNING
    after_minutes: int = 0
    quiet: tuple[int, int] | None = None
    is_woken: bool = True
    language: str = "de"


def add(session: Session, site_id: int, operator_id: int, new: NewContact, *, actor: str) -> AlarmContact:
    """Enter who is to be told.

    Raises:
        BadInputError: no name, or a time that is none.
        BadAddressError: we cannot send there.
        NoServicesError: only mail works on this hub.
        BadQuietHoursError: quiet hours that never end.
        RuntimeError: the transaction has written already.
    """
    if not new.name.strip() or not 0 <= new.after_minutes <= _DAY_MINUTES:
        raise BadInputError(field="name" if not new.name.strip() else "after")
    if new.quiet is not None and not (new.quiet[0] != new.quiet[1] and all(0 <= m < _DAY_MINUTES for m in new.quiet)):
        raise BadQuietHoursError(field="quiet_from")
    with paused(session):  # the library that knows the services takes seconds to load on a small computer
        way, shown = sending.check(new.address.strip())
    contact = AlarmContact(
        site_id=site_id,
        operator_id=operator_id,
        name=new.name.strip()[:_LONGEST_NAME],
        way=way,
        address=new.address.strip(),
        shown=shown,
        least=new.least,
        after_minutes=new.after_minutes,
        quiet_from=new.quiet[0] if new.quiet else None,
        quiet_to=new.quiet[1] if new.quiet else None,
        is_woken=new.is_woken,
        language=new.language,
    )
    session.add(contact)
    session.flush()
    audit.record(session, site_id, actor, "alarm-contact-added", f"alarm-contact:{contact.id}", way=way.value)
    events.publish(session, "alarms", site_id)
    return contact


def remove(session: Session, site_id: int, public_id: UUID, *, by: int | None, actor: str) -> None:
    """Tell someone nothing more.

    Args:
        by: the operator who asks; None for a manager, who may remove any.

    Raises:
        NotFoundError: the site has no such contact.
        NotYourContactError: somebody else has entered it.
    """
    contact = of(session, site_id, public_id)
    if by is not None and contact.operator_id != by:
        raise NotYourContactError
    session.execute(delete(AlarmNotice).where(AlarmNotice.contact_id == contact.id))
    session.delete(contact)
    audit.record(session, site_id, actor, "alarm-contact-removed", f"alarm-contact:{contact.id}")
    events.publish(session, "alarms", site_id)


def test(session: Session, site_id: int, public_id: UUID) -> None:
    """Send a message that says that messages arrive.

    Raises:
        NotFoundError: the site has no such contact.
    """
    contact = of(session, site_id, public_id)
    key = f"alarm.test.{uuid7()}"
    payload = {"contact": contact.id, "news": "test", "alarms": [], "key": key}
    outbox.enqueue(session, MESSAGE, key, payload, site_id=site_id)


def of(session: Session, site_id: int, public_id: UUID) -> AlarmContact:
    """Return a contact of a site.

    Raises:
        NotFoundError: the site has none with this id.
    """
    found = session.scalar(
        select(AlarmContact).where(AlarmContact.public_id == public_id, AlarmContact.site_id == site_id)
    )
    if found is None:
        raise NotFoundError(what="contact")
    return found
