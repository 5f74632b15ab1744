"""What door sensors and verdicts mean for openings and compartments.

The sensor decides: an opening is `opened` and `closed` only when a sensor said so. A door that opens without anyone
having asked makes its compartment suspect, and so does every outcome that nobody can be sure of.
"""

from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from shop_hub.core import audit, clock, events
from shop_hub.fleet.models import CommandState, Device, DeviceCommand
from shop_hub.lockers import service as lockers
from shop_hub.lockers import setup_news
from shop_hub.lockers.models import LIVE_OPENINGS, Compartment, Door, DoorOpening, Locker, OpeningState
from shop_hub.lockers.service import DoorChange, DoorFact

UNSEEN_CLOSING = timedelta(seconds=15)
UNANSWERED = timedelta(seconds=90)
LEFT_OPEN = timedelta(seconds=60)
LATE = (OpeningState.UNKNOWN, OpeningState.NOT_OPENED, OpeningState.REFUSED)

_DEFINITE = {
    CommandState.FAILED: (OpeningState.NOT_OPENED, DoorFact.NOT_OPENED),
    CommandState.REJECTED: (OpeningState.REFUSED, DoorFact.REFUSED),
    CommandState.EXPIRED: (OpeningState.REFUSED, DoorFact.REFUSED),
}


def compartment_of(session: Session, device: Device, node: str) -> Compartment | None:
    """Return the compartment behind a node of a station, or None for boards and unknown nodes."""
    return session.scalar(
        select(Compartment)
        .join(Locker, Locker.id == Compartment.locker_id)
        .where(Locker.device_id == device.id, Compartment.node == node)
    )


def record_opened(session: Session, compartment: Compartment, cause: str) -> None:
    """A sensor saw the door open. `cause` is the ULID of the command that the station connects with it, or empty."""
    _see(compartment, Door.OPEN)
    opening = _live(session, compartment.id) or _late(session, compartment.id, cause)
    if opening is None and cause:
        opening = setup_news.opening_by_test(session, compartment, cause)
    if opening is None:
        _forced(session, compartment)
        return
    _opened(session, compartment, opening)


def record_forced(session: Session, compartment: Compartment) -> None:
    """The station says that nobody asked for this opening. A waiting command may still be its cause."""
    record_opened(session, compartment, "")


def record_closed(session: Session, compartment: Compartment, presence: bool | None) -> None:  # noqa: FBT001 - a reading
    """A sensor saw the door close. `presence` is what the light barrier said then; None where there is none."""
    _see(compartment, Door.CLOSED)
    compartment.presence = presence
    opening = _live(session, compartment.id)
    if opening is None or opening.state is not OpeningState.OPENED:
        lockers.tell(session, DoorChange(DoorFact.CLOSED, compartment, None))
        return
    opening.state, opening.closed_at, opening.presence_after = OpeningState.CLOSED, clock.now(), presence
    session.flush()
    lockers.tell(session, DoorChange(DoorFact.CLOSED, compartment, opening))


def record_left_open(session: Session, compartment: Compartment) -> None:
    """The door has been open for longer than a minute."""
    opening = _live(session, compartment.id)
    if opening is not None and opening.left_open_at is None:
        opening.left_open_at = clock.now()
    lockers.tell(session, DoorChange(DoorFact.LEFT_OPEN, compartment, opening))


def record_door(session: Session, compartment: Compartment, door: Door) -> None:
    """Take the sensor's state as published. What happened in between is told by events, not by this."""
    if compartment.door is not door:
        _see(compartment, door)
        events.publish(session, lockers.TOPIC, compartment.site_id, compartment=compartment.number)


def record_verdict(session: Session, command: DeviceCommand) -> None:
    """Take the station's verdict on an `open` command.

    `done` alone proves nothing: the sensor's event does, unless the station says that the door stood open already.
    """
    opening = session.scalar(select(DoorOpening).where(DoorOpening.command_id == command.id))
    if opening is None or opening.state not in (OpeningState.REQUESTED, OpeningState.UNKNOWN):
        return
    opening.code = command.code
    compartment = session.get_one(Compartment, opening.compartment_id)
    if command.state in (CommandState.DONE, CommandState.PARTIAL):
        if command.result.get("already_open") is True:
            _see(compartment, Door.OPEN)
            _opened(session, compartment, opening)
        return
    if command.state is CommandState.UNKNOWN:
        _unknown(session, compartment, opening)
        return
    opening.state, fact = _DEFINITE[command.state]
    session.flush()
    lockers.tell(session, DoorChange(fact, compartment, opening))


def record_doubt(session: Session, compartment: Compartment) -> None:
    """A message about this door was lost or made no sense: what is behind it must be looked at."""
    lockers.mark_suspect(session, compartment.id, "message-lost")


def settle(session: Session) -> None:
    """End openings of which no more news will come: the station lost power, or its verdict never arrived."""
    now = clock.now()
    for opening, compartment in session.execute(
        select(DoorOpening, Compartment)
        .join(Compartment, Compartment.id == DoorOpening.compartment_id)
        .where(DoorOpening.state.in_(LIVE_OPENINGS))
        .order_by(DoorOpening.id)
    ):
        if opening.state is OpeningState.REQUESTED:
            if now - opening.requested_at > UNANSWERED:
                _unknown(session, compartment, opening)
        elif compartment.door is Door.CLOSED and now - compartment.door_since > UNSEEN_CLOSING:
            _unknown(session, compartment, opening)
        elif opening.left_open_at is None and now - _opened_at(opening) > LEFT_OPEN:
            record_left_open(session, compartment)


def _opened(session: Session, compartment: Compartment, opening: DoorOpening) -> None:
    if opening.state is OpeningState.OPENED:
        return
    opening.state, opening.opened_at = OpeningState.OPENED, clock.now()
    session.flush()
    lockers.tell(session, DoorChange(DoorFact.OPENED, compartment, opening))


def _opened_at(opening: DoorOpening) -> datetime:
    return opening.opened_at or opening.requested_at


def _unknown(session: Session, compartment: Compartment, opening: DoorOpening) -> None:
    if opening.state is OpeningState.UNKNOWN:
        return
    opening.state = OpeningState.UNKNOWN
    session.flush()
    lockers.tell(session, DoorChange(DoorFact.UNKNOWN, compartment, opening))


def _forced(session: Session, compartment: Compartment) -> None:
    subject = f"compartment:{compartment.number}"
    audit.record(session, compartment.site_id, "system", "door-forced", subject)
    compartment = lockers.mark_suspect(session, compartment.id, "forced")
    lockers.tell(session, DoorChange(DoorFact.FORCED, compartment, None))


def _see(compartment: Compartment, door: Door) -> None:
    if compartment.door is not door:
        compartment.door, compartment.door_since = door, clock.now()


def _live(session: Session, compartment_id: int) -> DoorOpening | None:
    return session.scalar(
        select(DoorOpening).where(DoorOpening.compartment_id == compartment_id, DoorOpening.state.in_(LIVE_OPENINGS))
    )


def _late(session: Session, compartment_id: int, cause: str) -> DoorOpening | None:
    """Return the newest opening if the sensor's event belongs to it although it was given up already."""
    newest = session.execute(
        select(DoorOpening, DeviceCommand.ulid)
        .join(DeviceCommand, DeviceCommand.id == DoorOpening.command_id)
        .where(DoorOpening.compartment_id == compartment_id)
        .order_by(DoorOpening.id.desc())
        .limit(1)
    ).one_or_none()
    if newest is None or not cause or newest.ulid != cause or newest.DoorOpening.state not in LATE:
        return None
    opening: DoorOpening = newest.DoorOpening
    return opening
