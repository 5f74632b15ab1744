"""What the station says while it is being set up, and what a written door map means for the compartments."""

from typing import Any

from pydantic import JsonValue
from sqlalchemy import select
from sqlalchemy.orm import Session

from shop_hub.core import clock, events
from shop_hub.core.ids import uuid7
from shop_hub.fleet import provisioning
from shop_hub.fleet import queries as fleet
from shop_hub.fleet.models import CommandState, Device, DeviceCommand
from shop_hub.lockers import layout, setups
from shop_hub.lockers.layout import NewCompartment
from shop_hub.lockers.models import (
    Compartment,
    DoorOpening,
    Locker,
    LockState,
    Purpose,
    Service,
    SetupLock,
    SetupState,
    StationSetup,
)
from shop_hub.lockers.setups import NODE, NOT_WRITTEN, SCAN_FAILED, TWO_DOORS

NOT_CONNECTED = "not connected"
_SAFETY = frozenset({"two_doors", "stopped"})
_SHUT = "not_opened"


def record_scan(session: Session, command: DeviceCommand) -> None:
    """Take the boards that were found. After two doors had opened at once everything is tried anew."""
    setup = _waiting(session, command, SetupState.SCANNING)
    if setup is None:
        return
    setup.state = SetupState.TESTING
    if command.state is CommandState.DONE:
        _take_boards(session, setup, command.result.get("boards"))
        setup.problem = ""
    else:
        setup.problem = setup.problem or SCAN_FAILED
    _tell(session, setup)


def record_test(session: Session, command: DeviceCommand) -> None:
    """Take what the contacts saw when one lock was fired."""
    lock = session.scalar(select(SetupLock).where(SetupLock.command_id == command.id))
    if lock is None or lock.state not in (LockState.TESTING, LockState.UNKNOWN):
        return
    setup = session.get_one(StationSetup, lock.setup_id)
    lock.code = command.code
    lock.seen = _wires(command.result.get("opened"))
    lock.state = _meaning(command)
    if command.code in _SAFETY:
        setup.problem = TWO_DOORS
    _tell(session, setup)


def record_map(session: Session, command: DeviceCommand) -> None:
    """Take over the door map once the station has written it; if it refused, the old one holds."""
    setup = _waiting(session, command, SetupState.WRITING)
    if setup is None:
        return
    if command.state is CommandState.DONE:
        _apply(session, setup)
        return
    setup.state, setup.problem = SetupState.TESTING, NOT_WRITTEN
    _tell(session, setup)


def record_property(session: Session, device: Device, name: str, value: JsonValue) -> None:
    """Take over a door map whose written word got lost: the station says with which revision it works."""
    setup = setups.of_device(session, device.id)
    if name == "map" and setup is not None and setup.revision > 0 and value == setup.revision:
        _apply(session, setup)


def opening_by_test(session: Session, compartment: Compartment, cause: str) -> DoorOpening | None:
    """Return the opening that a test of its lock is, as staff's own; None if `cause` is no test of this station."""
    command = session.scalar(
        select(DeviceCommand).where(
            DeviceCommand.ulid == cause,
            DeviceCommand.node == NODE,
            DeviceCommand.device_id
            == select(Locker.device_id).where(Locker.id == compartment.locker_id).scalar_subquery(),
        )
    )
    if command is None:
        return None
    opening = DoorOpening(
        public_id=uuid7(),
        site_id=compartment.site_id,
        compartment_id=compartment.id,
        purpose=Purpose.STAFF,
        actor=command.by,
        grant=setups.REASON,
        reason=setups.REASON,
        command_id=command.id,
        requested_at=command.touched_at,
    )
    session.add(opening)
    session.flush()
    return opening


def _waiting(session: Session, command: DeviceCommand, state: SetupState) -> StationSetup | None:
    return session.scalar(
        select(StationSetup).where(StationSetup.command_id == command.id, StationSetup.state == state)
    )


def _meaning(command: DeviceCommand) -> LockState:
    match command.state:
        case CommandState.DONE:
            return LockState.OPENED
        case CommandState.UNKNOWN:
            return LockState.UNKNOWN
        case CommandState.FAILED if command.code == _SHUT:
            return LockState.STAYED_SHUT
    return LockState.UNTESTED


def _take_boards(session: Session, setup: StationSetup, found: object) -> None:
    """Keep what was found out about boards that are still there, unless something was wrong with their addresses."""
    setup.boards = [board for board in found if _is_board(board)] if isinstance(found, list) else []
    wanted = {(board["board"], channel) for board in setup.boards for channel in range(1, board["channels"] + 1)}
    for lock in setups.locks(session, setup):
        if setup.problem == TWO_DOORS or (lock.board, lock.channel) not in wanted:
            session.delete(lock)
        else:
            wanted.discard((lock.board, lock.channel))
    session.flush()
    session.add_all(
        SetupLock(site_id=setup.site_id, setup_id=setup.id, board=board, channel=channel) for board, channel in wanted
    )


def _is_board(board: object) -> bool:
    return (
        isinstance(board, dict)
        and isinstance(board.get("board"), str)
        and isinstance(board.get("channels"), int)
        and 1 <= board["channels"] <= 64  # noqa: PLR2004 - no board has more
        and isinstance(board.get("finding"), str)
    )


def _wires(found: object) -> list[Any]:
    return [wire for wire in found if isinstance(wire, list)] if isinstance(found, list) else []


def _apply(session: Session, setup: StationSetup) -> None:
    """Make the compartments what the new map says: known numbers stay, new ones come, the others are not connected."""
    device = fleet.device(session, setup.device_id)
    provisioning.set_map(session, device, setup.revision, actor=setup.started_by)
    mapped = [lock for lock in setups.locks(session, setup) if lock.state is LockState.MAPPED]
    locker = session.scalar(select(Locker).where(Locker.device_id == device.id))
    setups.close(session, setup, SetupState.DONE)
    if locker is None:
        layout.create_locker(session, device.id, device.name, _new(mapped, 0), actor=setup.started_by)
    else:
        _fit(session, locker, mapped, actor=setup.started_by)
    _tell(session, setup)


def _fit(session: Session, locker: Locker, mapped: list[SetupLock], *, actor: str) -> None:
    known = {row.number: row for row in session.scalars(select(Compartment).where(Compartment.locker_id == locker.id))}
    numbers = {lock.number for lock in mapped}
    for lock in mapped:
        row = known.get(lock.number or 0)
        if row is not None:
            row.size = lock.size or row.size
            if row.service_reason == NOT_CONNECTED:
                row.service, row.service_reason = Service.IN_SERVICE, ""
    for number, row in known.items():
        if number not in numbers:
            row.service, row.service_reason = Service.OUT_OF_SERVICE, NOT_CONNECTED
    fresh = [lock for lock in mapped if lock.number not in known]
    if fresh:
        last = max((row.column for row in known.values()), default=0)
        layout.extend_locker(session, locker, _new(fresh, last), actor=actor)


def _new(mapped: list[SetupLock], after_column: int) -> list[NewCompartment]:
    """Return compartments for new numbers, one column a board, as nobody has said yet where they are."""
    columns = {board: at for at, board in enumerate(dict.fromkeys(lock.board for lock in mapped), after_column + 1)}
    return [
        NewCompartment(
            number=lock.number,
            node=f"box-{lock.number:02d}",
            size=lock.size,
            column=columns[lock.board],
            row=lock.channel,
        )
        for lock in mapped
        if lock.number is not None and lock.size is not None
    ]


def _tell(session: Session, setup: StationSetup) -> None:
    session.flush()
    events.publish(session, "locker", setup.site_id, at=clock.now().isoformat())
