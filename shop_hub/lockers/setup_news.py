"""What the station says while it is being set up, and what a written door map means for the compartments."""

from typing import Any

from pydantic import JsonValue
from sqlalchemy import select
from sqlalchemy.orm import Session

from devices.protocol.messages import Code
from shop_hub.core.ids import uuid7
from shop_hub.fleet import queries as fleet
from shop_hub.fleet.models import CommandState, Device, DeviceCommand
from shop_hub.lockers import setup_maps, setups
from shop_hub.lockers.models import (
    Compartment,
    DoorOpening,
    Locker,
    LockState,
    Purpose,
    SetupLock,
    SetupState,
    StationSetup,
)
from shop_hub.lockers.setups import LOOK_AGAIN, NODE, NOT_WRITTEN, OTHER_MAP, SCAN_FAILED, TWO_DOORS

_TWO_DOORS = "two_doors"
_SHUT = "not_opened"


def record_scan(session: Session, command: DeviceCommand) -> None:
    """Take the boards that were found. After two doors had opened at once everything is tried anew."""
    setup = _waiting(session, command, SetupState.SCANNING)
    if setup is None:
        return
    setup.state = SetupState.TESTING
    if command.state is CommandState.DONE:
        _take_boards(session, setup, command.result.get("boards"))
        setup.problem = OTHER_MAP if setup.problem == OTHER_MAP else ""
    else:
        setup.problem = setup.problem or SCAN_FAILED
    setups.tell(session, setup)


def record_test(session: Session, command: DeviceCommand) -> None:
    """Take what the contacts saw when one lock was fired."""
    lock = session.scalar(select(SetupLock).where(SetupLock.command_id == command.id))
    if lock is None or lock.state not in (LockState.TESTING, LockState.UNKNOWN):
        return
    setup = session.get_one(StationSetup, lock.setup_id)
    lock.code = command.code
    lock.seen = _wires(command.result.get("opened"))
    lock.state = _meaning(command)
    setups.set_problem(setup, _stop(command) or setup.problem)
    setups.tell(session, setup)


def record_map(session: Session, command: DeviceCommand) -> None:
    """Take over the door map once the station has written it; if it refused, the old one holds."""
    if command.state is CommandState.DONE:
        device = fleet.device(session, command.device_id)
        setup_maps.take_over(session, device, command.args.get("revision"))
        return
    setup = _waiting(session, command, SetupState.WRITING)
    if setup is None:
        return
    setup.state = SetupState.TESTING
    setups.set_problem(setup, _stop(command) or NOT_WRITTEN)
    setups.tell(session, setup)


def record_property(session: Session, device: Device, name: str, value: JsonValue) -> None:
    """Take over a door map whose written word got lost: the station says with which revision it works."""
    if name == "map":
        setup_maps.take_over(session, device, value)


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


def _stop(command: DeviceCommand) -> str:
    """Return why nothing can be fired, or "".

    A station that fired nothing because its set-up is over, or because it has restarted, says `stopped` as well, but
    rejects the command; once it has begun, `stopped` means that two doors opened.
    """
    if command.code == _TWO_DOORS or (command.code == Code.STOPPED and command.state is CommandState.FAILED):
        return TWO_DOORS
    return LOOK_AGAIN if command.code == Code.STOPPED else ""


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
    """Keep what was found out about boards that are still there, unless something is wrong with their addresses."""
    setup.boards = [board for board in found if _is_board(board)] if isinstance(found, list) else []
    wanted = {(board["board"], channel) for board in setup.boards for channel in range(1, board["channels"] + 1)}
    for lock in setups.locks(session, setup):
        is_known = (lock.board, lock.channel) in wanted and setups.is_clear(setup, lock.board)
        if setup.problem == TWO_DOORS or not is_known:
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
