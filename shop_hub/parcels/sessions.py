"""Couriers at work: one session per courier and station, from signing in to leaving."""

from datetime import timedelta

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from shop_hub.core import clock
from shop_hub.core.ids import uuid7
from shop_hub.lockers.models import Locker
from shop_hub.parcels.errors import SessionOverError
from shop_hub.parcels.models import Channel, CourierSession, Parcel, ParcelState
from shop_hub.people.models import Courier

FORGOTTEN = timedelta(minutes=10)


def start(
    session: Session, locker: Locker, courier: Courier, channel: Channel, *, kiosk_id: int | None = None
) -> CourierSession:
    """Begin a session; an older one of the same courier ends, and what was left half done there goes on here."""
    now = clock.now()
    fresh = CourierSession(
        public_id=uuid7(),
        site_id=locker.site_id,
        locker_id=locker.id,
        courier_id=courier.id,
        carrier_id=courier.carrier_id,
        channel=channel,
        kiosk_id=kiosk_id,
        started_at=now,
        seen_at=now,
    )
    session.add(fresh)
    session.flush()
    older = list(
        session.scalars(
            select(CourierSession.id).where(
                CourierSession.courier_id == courier.id,
                CourierSession.ended_at.is_(None),
                CourierSession.id != fresh.id,
            )
        )
    )
    session.execute(
        update(Parcel)
        .where(Parcel.session_id.in_(older), Parcel.state == ParcelState.DEPOSITING, Parcel.locker_id == locker.id)
        .values(session_id=fresh.id)
    )
    session.execute(update(CourierSession).where(CourierSession.id.in_(older)).values(ended_at=now))
    return fresh


def of(session: Session, site_id: int, courier_id: int | None) -> CourierSession:
    """Return the open session of the courier who asks.

    Raises:
        SessionOverError: there is none at this site.
    """
    found = session.scalar(
        select(CourierSession).where(
            CourierSession.courier_id == courier_id,
            CourierSession.site_id == site_id,
            CourierSession.ended_at.is_(None),
        )
    )
    if found is None:
        raise SessionOverError
    return found


def touch(at_work: CourierSession) -> None:
    """Note that the courier is still there."""
    at_work.seen_at = clock.now()


def end(session: Session, at_work: CourierSession) -> None:
    """End a session. Couriers call it by leaving, the job when one was forgotten."""
    if at_work.ended_at is None:
        at_work.ended_at = clock.now()
        session.flush()
