"""Setting a station up from the backoffice: find its boards, open each door once, give it its number, write the map.

The technician says which door opened, the contact must agree. Every step is a command of the station's node `setup`;
nothing is fired otherwise, and compartments are not given out meanwhile.
"""

import contextlib
from datetime import timedelta
from uuid import UUID

from pydantic import JsonValue
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from shop_hub.core import audit, clock, events
from shop_hub.core.errors import BadInputError
from shop_hub.fleet import queries as fleet_queries
from shop_hub.fleet import service as fleet
from shop_hub.fleet.errors import DeviceBusyError, DeviceOfflineError
from shop_hub.fleet.models import Device, DeviceCommand, DeviceKind
from shop_hub.lockers.errors import (
    BoardUnclearError,
    DoorsInUseError,
    LocksLeftError,
    NumberTakenError,
    SetupStepError,
    StationOfflineError,
    UnknownSetupError,
)
from shop_hub.lockers.models import (
    OPEN_SETUPS,
    Allocation,
    Compartment,
    Locker,
    LockState,
    Service,
    SetupLock,
    SetupState,
    Size,
    StationSetup,
)

NODE = "setup"
TWO_DOORS = "two-doors"
SCAN_FAILED = "scan"
NOT_WRITTEN = "map"
LOOK_AGAIN = "look-again"
"""The station has ended its set-up by itself: it begins anew with a look for the boards."""
OTHER_MAP = "other-map"
"""The station works with a map that is not what the locks say now."""
REASON = "set-up"
"""Why compartments are out of service meanwhile."""
MOST_NUMBERS = 999
IDLE = timedelta(minutes=30)
"""The station itself ends after a quarter of an hour without a step."""
Wire = tuple[str, int]
"""A lock: its board and channel."""


def of_device(session: Session, device_id: int) -> StationSetup | None:
    """Return the setting up that is under way at a station, or None."""
    return session.scalar(
        select(StationSetup).where(StationSetup.device_id == device_id, StationSetup.state.in_(OPEN_SETUPS))
    )


def find(session: Session, site_id: int, public_id: UUID) -> StationSetup:
    """Return a setting up of a site.

    Raises:
        UnknownSetupError: the site has none with this id.
    """
    found = session.scalar(
        select(StationSetup).where(StationSetup.site_id == site_id, StationSetup.public_id == public_id)
    )
    if found is None:
        raise UnknownSetupError
    return found


def find_lock(session: Session, setup: StationSetup, public_id: UUID) -> SetupLock:
    """Return a lock of a setting up.

    Raises:
        UnknownSetupError: it has none with this id.
    """
    found = session.scalar(select(SetupLock).where(SetupLock.setup_id == setup.id, SetupLock.public_id == public_id))
    if found is None:
        raise UnknownSetupError
    return found


def locks(session: Session, setup: StationSetup) -> list[SetupLock]:
    """Return all locks in the order of boards and channels."""
    wanted = select(SetupLock).where(SetupLock.setup_id == setup.id)
    return sorted(session.scalars(wanted), key=lambda lock: (len(lock.board), lock.board, lock.channel))


def next_number(found: list[SetupLock]) -> int:
    """Return the number that the next door most likely has: doors are numbered along the wires as a rule."""
    return max((lock.number for lock in found if lock.number is not None), default=0) + 1


def start(session: Session, device: Device, *, actor: str) -> StationSetup:
    """Begin, and have the station look for its boards; one that is under way is gone on with.

    Raises:
        BadInputError: the device is no station.
        StationOfflineError: it does not answer.
    """
    if device.kind is not DeviceKind.LOCKER:
        raise BadInputError(field="device")
    setup = of_device(session, device.id)
    if setup is not None:
        return setup
    setup = StationSetup(
        site_id=device.site_id,
        device_id=device.id,
        state=SetupState.SCANNING,
        started_by=actor,
        started_at=clock.now(),
    )
    setup.command_id = _step(session, setup, "scan", {}, actor=actor)
    session.add(setup)
    session.flush()
    close_for_others(session, device)
    tell(session, setup)
    audit.record(session, device.site_id, actor, "station-setup-started", f"device:{device.id}")
    return setup


def scan(session: Session, setup: StationSetup, *, actor: str) -> None:
    """Look for boards again, e.g. after an address was changed.

    Raises:
        SetupStepError: another step is under way.
        StationOfflineError: the station does not answer.
    """
    _must_be(setup, SetupState.TESTING)
    setup.command_id = _step(session, setup, "scan", {}, actor=actor)
    setup.state = SetupState.SCANNING
    tell(session, setup)


def test(session: Session, setup: StationSetup, lock: SetupLock, *, actor: str) -> None:
    """Fire one lock once.

    Raises:
        SetupStepError: another step is under way, or two doors opened and the boards were not looked for since.
        StationOfflineError: the station does not answer.
    """
    _must_be(setup, SetupState.TESTING)
    if setup.problem == TWO_DOORS or not is_clear(setup, lock.board):
        raise SetupStepError
    args: dict[str, JsonValue] = {"board": lock.board, "channel": lock.channel}
    lock.command_id = setup.command_id = _step(session, setup, "test", args, actor=actor)
    _reset(lock, LockState.TESTING)
    tell(session, setup)
    audit.record(session, setup.site_id, actor, "lock-tested", f"device:{setup.device_id}", **args)


def assign(session: Session, setup: StationSetup, lock: SetupLock, number: int, size: Size) -> None:
    """Take the technician's word that this door opened; the contact of the same lock must have seen it.

    Raises:
        SetupStepError: no contact, or another one, saw a door open.
        NumberTakenError: another lock has this number.
        BadInputError: no number a door can have.
    """
    _must_be(setup, SetupState.TESTING)
    if not 1 <= number <= MOST_NUMBERS:
        raise BadInputError(field="number")
    if lock.state not in (LockState.OPENED, LockState.MAPPED) or is_crossed(lock):
        raise SetupStepError
    taken = select(SetupLock.id).where(
        SetupLock.setup_id == setup.id, SetupLock.number == number, SetupLock.id != lock.id
    )
    if session.scalar(taken) is not None:
        raise NumberTakenError(number=number)
    lock.state, lock.number, lock.size = LockState.MAPPED, number, size
    tell(session, setup)


def leave_out(session: Session, setup: StationSetup, lock: SetupLock) -> None:
    """Take the technician's word that no door hangs on this lock.

    Raises:
        SetupStepError: it is just being fired.
    """
    _must_be(setup, SetupState.TESTING)
    if lock.state is LockState.TESTING:
        raise SetupStepError
    _reset(lock, LockState.UNUSED)
    tell(session, setup)


def leave_out_rest(session: Session, setup: StationSetup, lock: SetupLock) -> None:
    """Take the technician's word that nothing hangs on this lock and all untried ones after it on its board.

    Raises:
        SetupStepError: it was tried already, or another step is under way.
    """
    _must_be(setup, SetupState.TESTING)
    if lock.state is not LockState.UNTESTED:
        raise SetupStepError
    for one in locks(session, setup):
        if one.board == lock.board and one.channel >= lock.channel and one.state is LockState.UNTESTED:
            _reset(one, LockState.UNUSED)
    tell(session, setup)


def report_two_doors(session: Session, setup: StationSetup, lock: SetupLock, *, actor: str) -> None:
    """Take the technician's word that more than one door opened: the station stops.

    Two boards at one address say the same, so their contacts cannot tell.

    Raises:
        SetupStepError: another step is under way.
        StationOfflineError: the station does not answer, and could not be stopped.
    """
    _must_be(setup, SetupState.TESTING)
    args: dict[str, JsonValue] = {"board": lock.board, "channel": lock.channel}
    setup.command_id = _step(session, setup, "halt", args, actor=actor)
    setup.problem = TWO_DOORS
    tell(session, setup)
    audit.record(session, setup.site_id, actor, "two-doors-opened", f"device:{setup.device_id}", **args)


def write(session: Session, setup: StationSetup, *, actor: str) -> None:
    """Have the station write its door map, with a revision that neither side has used.

    Raises:
        LocksLeftError: some lock is neither mapped nor left out, or none is mapped.
        BoardUnclearError: a board with numbers may be two.
        DoorsInUseError: a door with something behind it would be left out.
        SetupStepError: another step is under way.
        StationOfflineError: the station does not answer.
    """
    _must_be(setup, SetupState.TESTING)
    found = locks(session, setup)
    states = {lock.state for lock in found}
    if (
        setup.problem == TWO_DOORS
        or LockState.MAPPED not in states
        or not states <= {LockState.MAPPED, LockState.UNUSED}
    ):
        raise LocksLeftError
    _check_doors(session, setup, found)
    device = fleet_queries.device(session, setup.device_id)
    setup.revision = _next_revision(session, device)
    args: dict[str, JsonValue] = {"revision": setup.revision, "doors": door_map(session, setup)}
    setup.command_id = _step(session, setup, "map", args, actor=actor)
    setup.state = SetupState.WRITING
    tell(session, setup)


def door_map(session: Session, setup: StationSetup) -> dict[str, JsonValue]:
    """Return the numbers of the doors, board by board in the order of its channels; 0 for no door."""
    found = locks(session, setup)
    return {
        board["board"]: [lock.number or 0 for lock in found if lock.board == board["board"]] for board in setup.boards
    }


def end(session: Session, setup: StationSetup, *, actor: str) -> None:
    """Give up; the door map stays as it was. The station ends by itself if it cannot be told.

    Raises:
        SetupStepError: it is over already, or the map is being written.
    """
    if setup.state not in (SetupState.SCANNING, SetupState.TESTING):
        raise SetupStepError
    with contextlib.suppress(StationOfflineError, SetupStepError):
        _step(session, setup, "end", {}, actor=actor)
    close(session, setup, SetupState.ENDED)
    audit.record(session, setup.site_id, actor, "station-setup-ended", f"device:{setup.device_id}")


def end_idle(session: Session) -> None:
    """End what nobody has gone on with: the compartments must not stay closed because somebody forgot.

    While the map is being written only the station's answer tells which map counts.
    """
    forgotten = session.scalars(
        select(StationSetup)
        .join(DeviceCommand, DeviceCommand.id == StationSetup.command_id)
        .where(
            StationSetup.state.in_((SetupState.SCANNING, SetupState.TESTING)),
            DeviceCommand.touched_at < clock.now() - IDLE,
        )
    )
    for setup in forgotten.all():
        close(session, setup, SetupState.ENDED)
        audit.record(session, setup.site_id, "system", "station-setup-ended", f"device:{setup.device_id}")


def close(session: Session, setup: StationSetup, state: SetupState) -> None:
    """End a setting up, and give the compartments free that were only closed for it."""
    setup.state, setup.ended_at = state, clock.now()
    session.execute(
        update(Compartment)
        .where(
            Compartment.locker_id.in_(select(Locker.id).where(Locker.device_id == setup.device_id)),
            Compartment.service == Service.MAINTENANCE,
            Compartment.service_reason == REASON,
        )
        .values(service=Service.IN_SERVICE, service_reason="")
        .execution_options(synchronize_session="fetch")
    )
    tell(session, setup)


def set_problem(setup: StationSetup, problem: str) -> None:
    """Note why it cannot go on; only a new look for the boards makes two doors forgotten."""
    if setup.problem != TWO_DOORS:
        setup.problem = problem


def is_clear(setup: StationSetup, board: str) -> bool:
    """Tell whether a board answered for itself alone."""
    return any(one["board"] == board and one["finding"] == "ok" for one in setup.boards)


def is_crossed(lock: SetupLock) -> bool:
    """Tell whether another contact than this lock's own saw the door."""
    return lock.seen != [[lock.board, lock.channel]]


def _step(session: Session, setup: StationSetup, op: str, args: dict[str, JsonValue], *, actor: str) -> int:
    try:
        return fleet.request(session, setup.device_id, NODE, op, args, by=actor).id
    except DeviceOfflineError as error:
        raise StationOfflineError from error
    except DeviceBusyError as error:
        raise SetupStepError from error


def _must_be(setup: StationSetup, state: SetupState) -> None:
    if setup.state is not state:
        raise SetupStepError


def _check_doors(session: Session, setup: StationSetup, found: list[SetupLock]) -> None:
    if any(lock.number is not None and not is_clear(setup, lock.board) for lock in found):
        raise BoardUnclearError
    used = select(Compartment.number).where(
        Compartment.locker_id.in_(select(Locker.id).where(Locker.device_id == setup.device_id)),
        Compartment.allocation.in_((Allocation.OCCUPIED, Allocation.RESERVED)),
    )
    missing = set(session.scalars(used)) - {lock.number for lock in found}
    if missing:
        raise DoorsInUseError(numbers=", ".join(str(number) for number in sorted(missing)))


def _reset(lock: SetupLock, state: LockState) -> None:
    lock.state, lock.code, lock.seen, lock.number, lock.size = state, "", [], None, None


def _next_revision(session: Session, device: Device) -> int:
    """Return a number above all that hub and station have used: each attempt to write is another map."""
    reported = device.description.get("map")
    tried = session.scalar(select(func.max(StationSetup.revision)).where(StationSetup.device_id == device.id)) or 0
    return max(device.map_revision, tried, reported if isinstance(reported, int) else 0) + 1


def close_for_others(session: Session, device: Device) -> None:
    """Take the compartments out of service while a person works at their doors."""
    session.execute(
        update(Compartment)
        .where(
            Compartment.locker_id.in_(select(Locker.id).where(Locker.device_id == device.id)),
            Compartment.service == Service.IN_SERVICE,
        )
        .values(service=Service.MAINTENANCE, service_reason=REASON)
        .execution_options(synchronize_session="fetch")
    )


def tell(session: Session, setup: StationSetup) -> None:
    """Let the open pages know."""
    session.flush()
    events.publish(session, "locker", setup.site_id)
