"""Periodic work on parcels. What depends on dates waits while the clock cannot be trusted (decisions.md 4)."""

from datetime import timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from shop_hub.core import clock
from shop_hub.core.hashing import SecretHasher
from shop_hub.core.jobs import Job
from shop_hub.core.sites import Site
from shop_hub.core.web import ShopHub
from shop_hub.lockers.models import Compartment, DoorOpening, OpeningState
from shop_hub.parcels import notify, rules, sessions, states
from shop_hub.parcels.models import FINAL, CourierSession, Parcel, ParcelState
from shop_hub.parcels.service import deposits, pickups

SYSTEM = "system"
QUIET_FROM, QUIET_UNTIL = 20, 8
_NEVER_OPENED = (OpeningState.NOT_OPENED, OpeningState.REFUSED)


def jobs(hub: ShopHub) -> list[Job]:
    """Return the jobs of this feature."""
    minute = timedelta(minutes=1)
    return [
        Job("parcels.finish-pickups", timedelta(seconds=10), finish_pickups, needs_trusted_clock=True),
        Job("parcels.end-sessions", minute, end_forgotten_sessions, needs_trusted_clock=True),
        Job("parcels.expire", minute, expire, needs_trusted_clock=True),
        Job("parcels.remind", timedelta(minutes=15), remind, needs_trusted_clock=True),
        Job(
            "parcels.forget-names",
            timedelta(hours=1),
            lambda session: forget_names(session, hub.hasher),
            needs_trusted_clock=True,
        ),
    ]


def finish_pickups(session: Session) -> None:
    """Believe that a parcel was taken when no light barrier could tell and the door stayed closed for three minutes."""
    before = clock.now() - rules.reopen_grace()
    for parcel in session.scalars(
        select(Parcel)
        .join(DoorOpening, DoorOpening.id == Parcel.opening_id)
        .where(
            Parcel.state == ParcelState.COLLECTING,
            DoorOpening.state == OpeningState.CLOSED,
            DoorOpening.closed_at <= before,
        )
    ):
        pickups.confirm_collected(session, parcel, actor=SYSTEM, to_check=True)


def end_forgotten_sessions(session: Session) -> None:
    """End sessions of couriers who went away; what they left half done is undone if certain, else looked at."""
    before = clock.now() - sessions.FORGOTTEN
    for at_work in session.scalars(
        select(CourierSession).where(CourierSession.ended_at.is_(None), CourierSession.seen_at <= before)
    ):
        parcel = deposits.in_hand(session, at_work)
        if parcel is not None and not _give_up(session, parcel):
            continue
        sessions.end(session, at_work)


def expire(session: Session) -> None:
    """Put what was not collected in time on the courier's list; it can be collected until it is taken out."""
    for parcel in session.scalars(
        select(Parcel).where(Parcel.state == ParcelState.READY, Parcel.expires_at <= clock.now())
    ):
        states.transition(session, parcel, ParcelState.EXPIRED, "expired", actor=SYSTEM)


def remind(session: Session) -> None:
    """Remind by mail after half of the time and on the last day, never at night; each once."""
    now = clock.now()
    waiting = (
        select(Parcel, Site.timezone)
        .join(Site, Site.id == Parcel.site_id)
        .where(Parcel.state == ParcelState.READY, Parcel.ready_at.is_not(None))
    )
    for parcel, timezone in session.execute(waiting):
        if not QUIET_UNTIL <= now.astimezone(ZoneInfo(timezone)).hour < QUIET_FROM:
            continue
        if parcel.ready_at is None or parcel.expires_at is None:
            continue
        if parcel.expires_at - now <= timedelta(hours=24):
            notify.remind(session, parcel, "last-day")
        elif now - parcel.ready_at >= (parcel.expires_at - parcel.ready_at) / 2:
            notify.remind(session, parcel, "half-time")


def forget_names(session: Session, hasher: SecretHasher) -> None:
    """Delete names some days after the end; the number becomes a keyed hash, by which a carrier can still ask."""
    before = clock.now() - rules.personal_data_kept()
    for parcel_id, number in session.execute(
        select(Parcel.id, Parcel.number).where(
            Parcel.state.in_(FINAL), Parcel.purged_at.is_(None), Parcel.ended_at <= before
        )
    ):
        session.execute(
            update(Parcel)
            .where(Parcel.id == parcel_id)
            .values(
                recipient_name="",
                sender="",
                blocked_reason="",
                person_id=None,
                number=hasher.lookup_key("parcel-number", number),
                purged_at=clock.now(),
            )
        )


def _give_up(session: Session, parcel: Parcel) -> bool:
    """End a deposit whose courier is gone; False while its door may still move."""
    opening = session.get_one(DoorOpening, parcel.opening_id)
    if opening.state is OpeningState.REQUESTED:
        return False
    if opening.state in _NEVER_OPENED and parcel.ready_at is None:
        deposits.give_up(session, opening, session.get_one(Compartment, opening.compartment_id))
        deposits.finish_undo(session, parcel, actor=SYSTEM)
    else:
        deposits.doubt(session, parcel, actor=SYSTEM, kind="courier-left")
    return True
