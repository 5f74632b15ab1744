"""Verbs of the device side that other features use."""

from typing import Any

from pydantic import JsonValue
from sqlalchemy import Table, bindparam, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session, make_transient_to_detached

from devices.protocol.ids import new_ulid
from devices.protocol.limits import COMMAND_TTL_MS
from devices.protocol.messages import Command
from devices.protocol.topics import is_id
from shop_hub.core import clock
from shop_hub.core.db import UtcDateTime
from shop_hub.fleet import partitions, queries
from shop_hub.fleet.errors import CollectedDeviceError, DeviceBusyError, DeviceOfflineError
from shop_hub.fleet.models import CommandState, Device, DeviceCommand, HubLease, Link
from shop_hub.fleet.partitions import ON_POSTGRESQL
from shop_hub.fleet.wake import Fresh, hand_over

_LONGEST_LEASE = "x" * 64
_ANY_COUNT = 2**53
_ANY_MAC = "0" * 64


def request(
    session: Session,
    device_id: int,
    node: str,
    op: str,
    args: dict[str, JsonValue],
    *,
    by: str,
    ttl_ms: int = COMMAND_TTL_MS,
) -> DeviceCommand:
    """Ask a device to do something now; the worker sends it right after the commit, or never.

    The outcome arrives at `Dispatcher.on_result(op, …)`.

    Args:
        by: what allows it, e.g. "grant:17" or "operator:3"; a reference, never a name.
        ttl_ms: the device must begin within this time.

    Raises:
        CollectedDeviceError: this hub only listens to the device.
        DeviceOfflineError: the device is not ready.
        DeviceBusyError: the node has an unresolved command.
        ValueError: a word, number or size that the protocol does not allow.
    """
    values = {
        "ulid": new_ulid(),
        "device_id": device_id,
        "node": node,
        "op": op,
        "args": args,
        "by": by,
        "ttl_ms": ttl_ms,
        "state": CommandState.NEW,
        "code": "",
        "result": {},
        "given_up_by": "",
        "touched_at": clock.now(),
    }
    _check(values)
    command = _insert(session, values)
    if command is None:
        if partitions.is_collecting(session):
            raise CollectedDeviceError
        if queries.is_ready(session, device_id):
            raise DeviceBusyError(device=device_id, node=node)
        raise DeviceOfflineError(device=device_id)
    hand_over(session, _fresh(command))
    return command


def _check(values: dict[str, Any]) -> None:
    """Refuse now what could not be sent: the largest possible message is built and measured."""
    if not is_id(values["node"]):
        raise ValueError("no node")
    Command(
        id=values["ulid"],
        op=values["op"],
        lease=_LONGEST_LEASE,
        ttl_ms=values["ttl_ms"],
        map=_ANY_COUNT,
        gen=_ANY_COUNT,
        by=values["by"],
        args=values["args"],
        mac=_ANY_MAC,
    ).encode()


_TABLE: Table = DeviceCommand.__table__  # type: ignore[assignment]
_GIVEN = (
    "ulid",
    "device_id",
    "node",
    "op",
    "args",
    "by",
    "ttl_ms",
    "state",
    "code",
    "result",
    "given_up_by",
    "touched_at",
)
_TOUCHED = "touched_at"
_FOUND = ("site_id", "epoch", "hub_boot")


def _insert_if_ready(insert: Any, parts: int, now: Any) -> Any:
    """Return one statement that checks the device and takes the node, built once: a person waits at the door."""
    given = [now if name == _TOUCHED else bindparam(name, type_=_TABLE.c[name].type) for name in _GIVEN]
    ready = (
        select(*given, Device.site_id, Device.epoch, HubLease.boot)
        .join(HubLease, HubLease.partition == (Device.site_id - 1) % parts)
        .where(
            Device.id == bindparam("device_id"),
            Device.link == Link.READY,
            Device.is_revoked.is_(False),
            HubLease.is_released.is_(False),
            HubLease.until >= now,
        )
    )
    returned = [_TABLE.c.id, _TABLE.c.touched_at, *(_TABLE.c[name] for name in _FOUND)]
    return insert(_TABLE).from_select([*_GIVEN, *_FOUND], ready).on_conflict_do_nothing().returning(*returned)


_INSERT_SQLITE = _insert_if_ready(sqlite.insert, 1, bindparam(_TOUCHED, type_=_TABLE.c.touched_at.type))
_INSERT_POSTGRESQL = _insert_if_ready(postgresql.insert, ON_POSTGRESQL, func.clock_timestamp(type_=UtcDateTime))
"""There the touch and the lease are judged by one clock, for machines disagree about the time."""


def _insert(session: Session, values: dict[str, Any]) -> DeviceCommand | None:
    """Insert if the device is ready and its node free; the partial unique index decides races."""
    session.flush()
    insert = _INSERT_SQLITE if session.info["database"].is_sqlite else _INSERT_POSTGRESQL
    row = session.execute(insert, values).one_or_none()
    if row is None:
        return None
    command = DeviceCommand(**{**values, **row._mapping})  # noqa: SLF001 - SQLAlchemy's public name
    make_transient_to_detached(command)
    session.add(command)
    return command


def _fresh(command: DeviceCommand) -> Fresh:
    return Fresh(
        id=command.id,
        ulid=command.ulid,
        device_id=command.device_id,
        node=command.node,
        op=command.op,
        args=command.args,
        by=command.by,
        ttl_ms=command.ttl_ms,
        epoch=command.epoch,
        touched_at=command.touched_at,
        hub_boot=command.hub_boot,
    )
