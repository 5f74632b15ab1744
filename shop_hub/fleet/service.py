"""Verbs of the device side that other features use."""

from typing import Any

from pydantic import JsonValue
from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from devices.protocol.ids import new_ulid
from devices.protocol.limits import COMMAND_TTL_MS
from devices.protocol.messages import Command
from devices.protocol.topics import is_id
from shop_hub.core import clock
from shop_hub.fleet import queries
from shop_hub.fleet.errors import DeviceBusyError, DeviceOfflineError
from shop_hub.fleet.models import CommandState, Device, DeviceCommand, HubLease, Link
from shop_hub.fleet.wake import wake

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
        DeviceOfflineError: the device is not ready.
        DeviceBusyError: the node has an unresolved command.
        ValueError: a word, number or size that the protocol does not allow.
    """
    ready = session.execute(
        select(Device.site_id, Device.epoch, HubLease.boot)
        .join(HubLease, HubLease.name == queries.HUB)
        .where(
            Device.id == device_id,
            Device.link == Link.READY,
            Device.is_revoked.is_(False),
            HubLease.is_released.is_(False),
            HubLease.until >= clock.now(),
        )
    ).one_or_none()
    if ready is None:
        raise DeviceOfflineError(device=device_id)
    values = {
        "ulid": new_ulid(),
        "site_id": ready.site_id,
        "device_id": device_id,
        "node": node,
        "op": op,
        "args": args,
        "by": by,
        "ttl_ms": ttl_ms,
        "state": CommandState.NEW,
        "code": "",
        "result": {},
        "epoch": ready.epoch,
        "hub_boot": ready.boot,
        "touched_at": clock.now(),
    }
    _check(values)
    command = _insert(session, values)
    if command is None:
        raise DeviceBusyError(device=device_id, node=node)
    wake(session)
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


def _insert(session: Session, values: dict[str, Any]) -> DeviceCommand | None:
    """Insert unless the node has an unresolved command; the partial unique index decides races."""
    insert = sqlite.insert if session.info["database"].is_sqlite else postgresql.insert
    statement = insert(DeviceCommand).values(values).on_conflict_do_nothing().returning(DeviceCommand)
    return session.scalars(statement).one_or_none()
