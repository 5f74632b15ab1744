"""From a device's answer to the state of its command. Each change is told to the feature in the same transaction."""

from typing import Any

from sqlalchemy import bindparam, func, or_, select, update
from sqlalchemy.orm import Session

from devices.protocol.messages import Code, Result, ResultState
from shop_hub.core import clock, events
from shop_hub.core.db import UtcDateTime
from shop_hub.fleet.dispatch import Dispatcher
from shop_hub.fleet.hublease import Reign
from shop_hub.fleet.models import IS_UNRESOLVED, UNRESOLVED, CommandState, Device, DeviceCommand
from shop_hub.fleet.partitions import Partition

JOURNAL_LOST = "journal_lost"
STALE = "stale"
WRITTEN_OFF = "written_off"
SECRET_OPS = frozenset({"print"})
"""Their arguments may hold pick-up codes and are forgotten as soon as the command is over."""

_REVISABLE = frozenset({JOURNAL_LOST, WRITTEN_OFF})
_FINAL = {
    ResultState.DONE: CommandState.DONE,
    ResultState.PARTIAL: CommandState.PARTIAL,
    ResultState.FAILED: CommandState.FAILED,
    ResultState.REJECTED: CommandState.REJECTED,
    ResultState.UNKNOWN: CommandState.UNKNOWN,
}
_AS_IS = {"synchronize_session": False}
_ACCEPT = (
    update(DeviceCommand)
    .where(
        DeviceCommand.ulid == bindparam("of"),
        DeviceCommand.device_id == bindparam("device"),
        IS_UNRESOLVED,
        DeviceCommand.state != CommandState.ACCEPTED,
    )
    .values(
        state=CommandState.ACCEPTED,
        accepted_at=func.coalesce(DeviceCommand.accepted_at, bindparam("now", type_=UtcDateTime)),
        sent_at=func.coalesce(DeviceCommand.sent_at, bindparam("now", type_=UtcDateTime)),
    )
    .returning(DeviceCommand.id, DeviceCommand.site_id)
)


def accept(session: Session, device_id: int, ulid: str) -> None:
    """Note that a device is carrying out a command."""
    which = {"of": ulid, "device": device_id, "now": clock.now()}
    row = session.execute(_ACCEPT, which, execution_options=_AS_IS).one_or_none()
    if row is not None:
        events.publish(session, "command", row.site_id, command=row.id, state=CommandState.ACCEPTED.value)


def finish(session: Session, dispatcher: Dispatcher, device: Device, result: Result) -> DeviceCommand | None:
    """Record a device's final verdict, unless the command has one; an answer to a foreign command is ignored.

    What the hub itself had to call unknown may still be settled by a late, definite answer.
    """
    command = session.scalar(
        select(DeviceCommand)
        .where(DeviceCommand.ulid == result.id, DeviceCommand.device_id == device.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    if command is None or not _is_open(command, result):
        return None
    state = _FINAL[result.state]
    denies = result.state is ResultState.REJECTED and command.accepted_at is not None and not result.accepted
    if result.epoch != command.epoch or denies:  # it has lost its memory: it may have acted before
        state = CommandState.UNKNOWN
    elif result.state is ResultState.REJECTED and result.code == Code.UNKNOWN_ID:
        state = CommandState.EXPIRED
    return conclude(session, dispatcher, command, state, code=result.code, result=dict(result.data))


def conclude(
    session: Session,
    dispatcher: Dispatcher,
    command: DeviceCommand,
    state: CommandState,
    *,
    code: str,
    result: dict[str, Any] | None = None,
) -> DeviceCommand:
    """Give a command its final state and tell the feature that asked for it."""
    command.state, command.code = state, code
    command.result = result or {}
    command.finished_at = clock.now()
    if command.op in SECRET_OPS:
        command.args = {}
    session.flush()
    dispatcher.result(session, command)
    events.publish(session, "command", command.site_id, command=command.id, state=state.value)
    return command


def note(session: Session, dispatcher: Dispatcher, command_id: int, state: CommandState, code: str) -> None:
    """Record what the sender found out: sent, unconfirmed, or expired before it was ever sent."""
    if state is CommandState.EXPIRED:
        command = _locked(session, command_id)
        if command is not None and command.state is CommandState.NEW:
            conclude(session, dispatcher, command, state, code=code)
        return
    before = (CommandState.NEW,) if state is CommandState.SENT else UNRESOLVED
    row = session.execute(
        update(DeviceCommand)
        .where(DeviceCommand.id == command_id, DeviceCommand.state.in_(before), DeviceCommand.state != state)
        .values(state=state, sent_at=func.coalesce(DeviceCommand.sent_at, clock.now()))
        .returning(DeviceCommand.site_id),
        execution_options=_AS_IS,
    ).one_or_none()
    if row is not None:
        events.publish(session, "command", row.site_id, command=command_id, state=state.value)


def end_life(session: Session, dispatcher: Dispatcher, device: Device) -> None:
    """Call unknown what was open when the device lost its journal: never "not done" (devices.md section 3)."""
    commands = session.scalars(
        select(DeviceCommand).where(DeviceCommand.device_id == device.id, IS_UNRESOLVED).with_for_update()
    ).all()
    for command in commands:
        conclude(session, dispatcher, command, CommandState.UNKNOWN, code=JOURNAL_LOST)


def write_off(session: Session, dispatcher: Dispatcher, command_id: int) -> None:
    """Give up on an open command: its device will never answer, or an operator does not want to wait."""
    command = _locked(session, command_id)
    if command is not None and command.state in UNRESOLVED:
        conclude(session, dispatcher, command, CommandState.UNKNOWN, code=WRITTEN_OFF)


def hopeless(session: Session, partition: Partition) -> list[int]:
    """Return the open commands that an operator has given up, or whose device is revoked."""
    return list(
        session.scalars(
            select(DeviceCommand.id)
            .join(Device, Device.id == DeviceCommand.device_id)
            .where(
                IS_UNRESOLVED,
                partition.holds(DeviceCommand.site_id),
                or_(DeviceCommand.given_up_by != "", Device.is_revoked),
            )
        )
    )


def recover(session: Session, reign: Reign) -> None:
    """After a start: what an earlier process left open may have been sent; the devices will be asked."""
    session.execute(
        update(DeviceCommand)
        .where(
            IS_UNRESOLVED,
            reign.partition.holds(DeviceCommand.site_id),
            DeviceCommand.hub_boot < reign.boot,
            DeviceCommand.state != CommandState.UNCONFIRMED,
        )
        .values(state=CommandState.UNCONFIRMED),
        execution_options=_AS_IS,
    )


def _is_open(command: DeviceCommand, result: Result) -> bool:
    if command.state in UNRESOLVED:
        return True
    return (
        command.state is CommandState.UNKNOWN
        and command.code in _REVISABLE
        and result.epoch == command.epoch
        and result.state is not ResultState.UNKNOWN
        and result.code != Code.UNKNOWN_ID
    )


def _locked(session: Session, command_id: int) -> DeviceCommand | None:
    return session.scalar(select(DeviceCommand).where(DeviceCommand.id == command_id).with_for_update())
