"""What may be done with compartments: claim, fill, empty, doubt, open.

A compartment belongs to whoever won the one conditional UPDATE; nothing is read first and written later.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import bindparam, case, select, update
from sqlalchemy.orm import Session

from shop_hub.core import audit, clock, events
from shop_hub.core.ids import uuid7
from shop_hub.fleet import queries as fleet_queries
from shop_hub.fleet import service as fleet
from shop_hub.fleet.errors import DeviceBusyError, DeviceOfflineError
from shop_hub.lockers.errors import (
    CompartmentNotFreeError,
    DoorInUseError,
    DoorNotClosedError,
    NoCompartmentError,
    NoCooledCompartmentError,
    NoLowCompartmentError,
    ReasonMissingError,
    StationOfflineError,
    UnknownCompartmentError,
    UnknownLockerError,
)
from shop_hub.lockers.models import (
    LIVE_OPENINGS,
    Allocation,
    Compartment,
    Door,
    DoorOpening,
    Locker,
    Purpose,
    Service,
    Size,
    Zone,
)

TOPIC = "locker"
NEW_MAP = "new-map"
"""Why a compartment is suspect whose number may have come to another door: only staff may open it."""
_MOST_RACES = 100

_RANK = case({size: size.rank for size in Size}, value=Compartment.size)

ALLOCATABLE = (
    Compartment.allocation == Allocation.FREE,
    Compartment.door == Door.CLOSED,
    Compartment.service == Service.IN_SERVICE,
    Compartment.presence.is_distinct_from(True),
)
"""When a compartment may be given out, besides that its station answers (parcels.md 5, I4)."""

_smallest_fitting = (
    select(Compartment.id)
    .where(
        Compartment.locker_id == bindparam("locker"),
        Compartment.size.in_(bindparam("sizes", expanding=True)),
        Compartment.zone == bindparam("wanted_zone"),
        Compartment.is_accessible.in_(bindparam("reach", expanding=True)),
        *ALLOCATABLE,
    )
    .order_by(_RANK, Compartment.is_accessible, Compartment.number)
    .limit(1)
)
_claim = (
    update(Compartment)
    .where(Compartment.id == _smallest_fitting.scalar_subquery(), *ALLOCATABLE)
    .values(allocation=Allocation.RESERVED, allocation_since=bindparam("now"))
    .returning(Compartment.id)
    .execution_options(synchronize_session=False)
)


class DoorFact(StrEnum):
    """What became of a door, as its sensor or the station's verdict tells."""

    OPENED = "opened"
    CLOSED = "closed"
    NOT_OPENED = "not-opened"
    REFUSED = "refused"
    UNKNOWN = "unknown"
    LEFT_OPEN = "left-open"
    FORCED = "forced"


@dataclass(frozen=True)
class DoorChange:
    """A fact about a door, told to the features above; `opening` is None when nobody asked for it."""

    fact: DoorFact
    compartment: Compartment
    opening: DoorOpening | None


DoorCallback = Callable[[Session, DoorChange], None]
_callbacks: list[DoorCallback] = []


def on_door(callback: DoorCallback) -> None:
    """Have `callback` called in the transaction that records a door's fact."""
    if callback not in _callbacks:
        _callbacks.append(callback)


def tell(session: Session, change: DoorChange) -> None:
    """Hand a door's fact to all callbacks, and to the open screens after the commit."""
    for callback in _callbacks:
        callback(session, change)
    events.publish(session, TOPIC, change.compartment.site_id, compartment=change.compartment.number)


def claim(
    session: Session, locker_id: int, size: Size, *, accessible: bool = False, zone: Zone = Zone.AMBIENT
) -> Compartment:
    """Reserve the smallest free compartment that fits; among equals the accessible ones go last.

    Safe under concurrency: one UPDATE both looks and takes. When a twin took the same one, the next is tried.

    Args:
        accessible: only compartments within easy reach (DIN 18040: 85 to 105 cm); binding, never a wish.

    Raises:
        StationOfflineError: the station does not answer, so what we know of its doors may be old.
        NoLowCompartmentError, NoCooledCompartmentError, NoCompartmentError: none is free; nothing has changed.
    """
    locker = session.get(Locker, locker_id)
    if locker is None:
        raise UnknownLockerError
    if not fleet_queries.is_ready(session, locker.device_id):
        raise StationOfflineError
    wanted = {
        "locker": locker_id,
        "sizes": [each for each in Size if each.rank >= size.rank],
        "wanted_zone": zone,
        "reach": [True] if accessible else [False, True],
    }
    for _ in range(_MOST_RACES):
        won = session.execute(_claim, {**wanted, "now": clock.now()}).scalar()
        if won is not None:
            events.publish(session, TOPIC, locker.site_id)
            return session.get_one(Compartment, won, populate_existing=True)
        if session.scalar(_smallest_fitting, wanted) is None:
            break
    if accessible:
        raise NoLowCompartmentError(size=size)
    raise NoCooledCompartmentError(size=size) if zone is not Zone.AMBIENT else NoCompartmentError(size=size)


def take(session: Session, compartment_id: int) -> Compartment:
    """Reserve one particular compartment, e.g. to open it again for someone who has just emptied it.

    Raises:
        CompartmentNotFreeError: it is not free any more.
    """
    return _allocate(session, compartment_id, (Allocation.FREE,), Allocation.RESERVED)


def occupy(session: Session, compartment_id: int) -> Compartment:
    """Note that something lies in a reserved compartment.

    Raises:
        CompartmentNotFreeError: it is not reserved.
    """
    return _allocate(session, compartment_id, (Allocation.RESERVED,), Allocation.OCCUPIED)


def release(session: Session, compartment_id: int, *, to_check: bool = False) -> Compartment:
    """Give a compartment free that is known to be empty.

    Args:
        to_check: no sensor could tell; the next courier is asked to look inside.

    Raises:
        CompartmentNotFreeError: it is suspect; only an inspection frees it.
    """
    taken = (Allocation.RESERVED, Allocation.OCCUPIED)
    compartment = _allocate(session, compartment_id, taken, Allocation.FREE)
    compartment.is_to_check = to_check
    return compartment


def mark_suspect(session: Session, compartment_id: int, reason: str) -> Compartment:
    """Take a compartment out of allocation until someone has looked inside.

    Args:
        reason: a short word for the operator, such as "not-opened" or "forced".
    """
    compartment = _compartment(session, compartment_id)
    if compartment.allocation is not Allocation.SUSPECT:
        compartment = _allocate(session, compartment_id, tuple(Allocation), Allocation.SUSPECT, reason)
        subject = f"compartment:{compartment.number}"
        audit.record(session, compartment.site_id, "system", "compartment-suspect", subject, reason=reason)
    return compartment


def inspect(session: Session, compartment_id: int, *, actor: str, is_empty: bool) -> Compartment:
    """Clear the doubt after a person has looked inside.

    Raises:
        CompartmentNotFreeError: it was not suspect.
        DoorNotClosedError: an empty compartment must be closed before it is given out.
    """
    compartment = _compartment(session, compartment_id)
    if is_empty and compartment.door is not Door.CLOSED:
        raise DoorNotClosedError(number=compartment.number)
    after = Allocation.FREE if is_empty else Allocation.OCCUPIED
    compartment = _allocate(session, compartment_id, (Allocation.SUSPECT,), after)
    compartment.is_to_check = False
    subject = f"compartment:{compartment.number}"
    audit.record(session, compartment.site_id, actor, "compartment-inspected", subject, is_empty=is_empty)
    return compartment


def set_service(session: Session, compartment_id: int, service: Service, *, reason: str, actor: str) -> Compartment:
    """Take a compartment out of service, or put it back.

    Raises:
        ReasonMissingError: taking it out needs a reason.
    """
    if service is not Service.IN_SERVICE and not reason.strip():
        raise ReasonMissingError(field="reason")
    compartment = _compartment(session, compartment_id)
    compartment.service = service
    compartment.service_reason = "" if service is Service.IN_SERVICE else reason.strip()
    subject = f"compartment:{compartment.number}"
    audit.record(session, compartment.site_id, actor, "compartment-service", subject, service=service, reason=reason)
    events.publish(session, TOPIC, compartment.site_id, compartment=compartment.number)
    return compartment


def request_open(
    session: Session, compartment_id: int, *, purpose: Purpose, by: str, grant: str, reason: str = ""
) -> DoorOpening:
    """Ask the station to open one door. The door sensor, not this call, decides whether it opened.

    Args:
        by: who asks, e.g. "courier:2"; never a name.
        grant: what allows it, e.g. "parcel:17".

    Raises:
        StationOfflineError: nothing was sent and nothing will be.
        DoorInUseError: the last opening of this door is not finished.
        ReasonMissingError: staff must say why.
        CompartmentNotFreeError: this number may have come to another door, and staff has not looked yet.
    """
    if purpose is Purpose.STAFF and not reason.strip():
        raise ReasonMissingError(field="reason")
    compartment = _compartment(session, compartment_id)
    if purpose is not Purpose.STAFF and compartment.suspect_reason == NEW_MAP:
        raise CompartmentNotFreeError(number=compartment.number)
    if _has_live_opening(session, compartment_id):
        raise DoorInUseError(number=compartment.number)
    opening = DoorOpening(
        public_id=uuid7(),
        site_id=compartment.site_id,
        compartment_id=compartment_id,
        purpose=purpose,
        actor=by,
        grant=grant,
        reason=reason.strip(),
        requested_at=clock.now(),
    )
    opening.command_id = _command(session, compartment, opening)
    session.add(opening)
    session.flush()
    events.publish(session, TOPIC, compartment.site_id, compartment=compartment.number)
    return opening


def _command(session: Session, compartment: Compartment, opening: DoorOpening) -> int:
    device_id = session.get_one(Locker, compartment.locker_id).device_id
    by = f"{opening.purpose}:{opening.public_id}"
    try:
        command = fleet.request(session, device_id, compartment.node, "open", {}, by=by)
    except DeviceOfflineError as error:
        raise StationOfflineError from error
    except DeviceBusyError as error:
        raise DoorInUseError(number=compartment.number) from error
    return command.id


def _has_live_opening(session: Session, compartment_id: int) -> bool:
    live = select(DoorOpening.id).where(
        DoorOpening.compartment_id == compartment_id, DoorOpening.state.in_(LIVE_OPENINGS)
    )
    return session.scalar(live) is not None


def _compartment(session: Session, compartment_id: int) -> Compartment:
    compartment = session.get(Compartment, compartment_id)
    if compartment is None:
        raise UnknownCompartmentError
    return compartment


def _allocate(
    session: Session, compartment_id: int, from_: Sequence[Allocation], to: Allocation, reason: str = ""
) -> Compartment:
    changed = session.execute(
        update(Compartment)
        .where(
            Compartment.id == compartment_id,
            Compartment.allocation.in_(from_),
            *(ALLOCATABLE if to is Allocation.RESERVED else ()),
        )
        .values(allocation=to, allocation_since=clock.now(), suspect_reason=reason)
        .returning(Compartment.id)
        .execution_options(synchronize_session=False)
    ).scalar()
    compartment = session.get_one(Compartment, compartment_id, populate_existing=True)
    if changed is None:
        raise CompartmentNotFreeError(number=compartment.number)
    events.publish(session, TOPIC, compartment.site_id, compartment=compartment.number)
    return compartment
