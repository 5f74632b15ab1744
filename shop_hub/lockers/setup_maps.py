"""What a door map that a station has written means for the hub's compartments.

The station's word counts, however late it comes: a run that was ended meanwhile is settled all the same. The locks of a
run are only believed if they still are what was sent. What lies behind a door whose lock changed must be looked at.
"""

from pydantic import JsonValue
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from shop_hub.core import audit
from shop_hub.fleet import provisioning
from shop_hub.fleet.models import Device, DeviceCommand
from shop_hub.lockers import layout, setups
from shop_hub.lockers import service as lockers
from shop_hub.lockers.layout import NewCompartment
from shop_hub.lockers.models import (
    OPEN_SETUPS,
    Allocation,
    Compartment,
    Locker,
    LockState,
    Service,
    SetupLock,
    SetupState,
    StationSetup,
)
from shop_hub.lockers.setups import NODE, OTHER_MAP, Wire

NOT_CONNECTED = "not connected"


def take_over(session: Session, device: Device, revision: JsonValue) -> None:
    """Work with the map that the station says it has written, if the hub sent it and works with an older one."""
    if not isinstance(revision, int) or revision <= device.map_revision:
        return
    sent = _sent(session, device, revision)
    setup = _owner(session, device, revision)
    if sent is None or setup is None:
        return
    if setup.revision == revision and setups.door_map(session, setup) == sent.args.get("doors"):
        _apply(session, device, setup)
    else:
        _distrust(session, device, setup, revision)
    setups.tell(session, setup)


def _sent(session: Session, device: Device, revision: int) -> DeviceCommand | None:
    commands = session.scalars(
        select(DeviceCommand)
        .where(DeviceCommand.device_id == device.id, DeviceCommand.node == NODE, DeviceCommand.op == "map")
        .order_by(DeviceCommand.id.desc())
    )
    return next((one for one in commands if one.args.get("revision") == revision), None)


def _owner(session: Session, device: Device, revision: int) -> StationSetup | None:
    """Return the run that sent a revision: revisions only grow, and a run knows its last one."""
    return session.scalar(
        select(StationSetup)
        .where(
            StationSetup.device_id == device.id,
            StationSetup.revision >= revision,
            StationSetup.state.in_((*OPEN_SETUPS, SetupState.ENDED)),
        )
        .order_by(StationSetup.revision)
        .limit(1)
    )


def _apply(session: Session, device: Device, setup: StationSetup) -> None:
    """Make the compartments what the new map says: known numbers stay, new ones come, the others are not connected."""
    before = _wires(session, device)
    provisioning.set_map(session, device, setup.revision, actor=setup.started_by)
    mapped = [lock for lock in setups.locks(session, setup) if lock.state is LockState.MAPPED]
    locker = session.scalar(select(Locker).where(Locker.device_id == device.id))
    setups.close(session, setup, SetupState.DONE)
    if locker is None:
        layout.create_locker(session, device.id, device.name, _new(mapped, 0), actor=setup.started_by)
    else:
        after = {lock.number: (lock.board, lock.channel) for lock in mapped if lock.number is not None}
        kept = {number for number, wire in before.items() if after.get(number) == wire}
        _doubt(session, locker, kept)
        _fit(session, locker, mapped, actor=setup.started_by)
    if setups.of_device(session, device.id) is not None:
        setups.close_for_others(session, device)


def _distrust(session: Session, device: Device, setup: StationSetup, revision: int) -> None:
    """Take over the number of a map alone: nobody vouches for its doors any more, so none is given out."""
    provisioning.set_map(session, device, revision, actor=setup.started_by)
    locker = session.scalar(select(Locker).where(Locker.device_id == device.id))
    if locker is not None:
        _doubt(session, locker, set())
        session.execute(
            update(Compartment)
            .where(
                Compartment.locker_id == locker.id,
                (Compartment.service == Service.IN_SERVICE) | (Compartment.service_reason == setups.REASON),
            )
            .values(service=Service.OUT_OF_SERVICE, service_reason=NOT_CONNECTED)
            .execution_options(synchronize_session="fetch")
        )
    if setup.state is SetupState.WRITING and setup.revision == revision:
        setup.state = SetupState.TESTING
    setups.set_problem(setup, OTHER_MAP)
    subject = f"device:{device.id}"
    audit.record(session, device.site_id, "system", "station-map-not-believed", subject, revision=revision)


def _wires(session: Session, device: Device) -> dict[int, Wire]:
    """Return which lock opened which door by the map in use; nothing if no run has written that map."""
    written = session.scalar(
        select(StationSetup).where(
            StationSetup.device_id == device.id,
            StationSetup.state == SetupState.DONE,
            StationSetup.revision == device.map_revision,
        )
    )
    if written is None:
        return {}
    found = setups.locks(session, written)
    return {lock.number: (lock.board, lock.channel) for lock in found if lock.number is not None}


def _doubt(session: Session, locker: Locker, kept: set[int]) -> None:
    """Have staff look behind all doors in use that may be other doors now; behind free ones the next courier does."""
    rows = session.scalars(
        select(Compartment).where(Compartment.locker_id == locker.id, Compartment.number.not_in(kept))
    ).all()
    if all(row.allocation is Allocation.FREE for row in rows):
        return
    for row in rows:
        if row.allocation is Allocation.FREE:
            row.is_to_check = True
        else:
            lockers.mark_suspect(session, row.id, lockers.NEW_MAP).suspect_reason = lockers.NEW_MAP


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
