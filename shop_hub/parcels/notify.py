"""Telling recipients: by mail, or by a printed slip where there is no mail. At the kiosk the card shows parcels anyway.

Only the wish goes into the outbox; codes and tokens are made when the mail or slip is sent: none lies there in clear.
"""

from sqlalchemy.orm import Session

from shop_hub.core import outbox
from shop_hub.parcels import credentials
from shop_hub.parcels.models import CourierSession, Parcel
from shop_hub.people.models import Notify

MAIL = "parcel-mail"
SLIP = "parcel-slip"


def ready(session: Session, parcel: Parcel) -> None:
    """Have the recipient told that the parcel waits; without a known recipient the operator must find one first."""
    if parcel.person is None:
        return
    if gets_mail(parcel):
        _enqueue(session, parcel, MAIL, "ready")
        return
    at_work = session.get(CourierSession, parcel.session_id) if parcel.session_id is not None else None
    _enqueue(session, parcel, SLIP, "ready", kiosk=at_work.kiosk_id if at_work is not None else None)


def remind(session: Session, parcel: Parcel, what: str) -> None:
    """Have the recipient reminded by mail; `what` is "half-time" or "last-day"."""
    if gets_mail(parcel):
        _enqueue(session, parcel, MAIL, what)


def withdrawn(session: Session, parcel: Parcel) -> None:
    """Take the news back: the courier took the parcel out again, or it turned out that something is wrong."""
    if gets_mail(parcel) and parcel.told_at is not None:
        _enqueue(session, parcel, MAIL, "withdrawn")


def opened_by_staff(session: Session, parcel: Parcel) -> None:
    """Tell the recipient that someone of the shop opened the door (parcels.md O2)."""
    if gets_mail(parcel):
        _enqueue(session, parcel, MAIL, "opened-by-staff")


def gets_mail(parcel: Parcel) -> bool:
    """Tell whether the recipient is known and wants mail."""
    person = parcel.person
    return person is not None and person.notify is Notify.MAIL and bool(person.email)


def forget_codes(session: Session, parcel: Parcel) -> None:
    """Make all that was sent or printed for this parcel worthless."""
    credentials.revoke(session, parcel)
    session.flush()


def _enqueue(session: Session, parcel: Parcel, kind: str, what: str, **more: object) -> None:
    session.refresh(parcel, ["person"])
    payload = {"parcel": parcel.id, "what": what, **more}
    outbox.enqueue(session, kind, f"{kind}:{parcel.id}:{what}:{parcel.sequence}", payload, site_id=parcel.site_id)
