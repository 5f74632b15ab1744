"""Verbs of the cash machine. The hub only watches: it never commands it."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from shop_hub.atm import queries
from shop_hub.atm.errors import MachineWatchedError
from shop_hub.atm.models import CashMachine, CashMachineChange, Service
from shop_hub.atm.report import Public, Report, stored
from shop_hub.core import audit, clock, events
from shop_hub.fleet.models import Device, Link

_CLOCKS_DIFFER = timedelta(seconds=60)
_SILENT = (Service.UNKNOWN, Service.MAINTENANCE)


@dataclass(frozen=True, kw_only=True)
class NewCashMachine:
    """A machine to be watched; without device its state is entered by hand."""

    bank: str
    place: str = ""
    fee_note: str = ""
    device_id: int | None = None
    stale_after_s: int = 60


@dataclass(frozen=True, kw_only=True)
class ManualReport:
    """What a person has seen at the machine, and for how long it may be believed."""

    service: str
    withdrawal: str
    reason: str
    valid_s: int


def add_machine(session: Session, site_id: int, new: NewCashMachine) -> CashMachine:
    """Enter a machine; until its first report it is unknown."""
    machine = CashMachine(
        site_id=site_id,
        bank=new.bank,
        place=new.place,
        fee_note=new.fee_note,
        device_id=new.device_id,
        stale_after_s=new.stale_after_s,
    )
    session.add(machine)
    session.flush()
    return machine


def record_state(session: Session, device: Device, value: object) -> None:
    """Take a report of a machine's agent and tell open screens if the public state changed.

    The caller hands on newer reports only (fleet orders them by epoch, boot and number). Something that is no report
    leaves the machine unknown. A report that had lain at the broker counts from when it was observed.
    """
    machine = session.scalar(select(CashMachine).where(CashMachine.device_id == device.id))
    if machine is None:
        return
    report, now = Report.read(value), clock.now()
    machine.is_manual = False
    machine.report = {} if report is None else stored(report)
    machine.report_valid_s = (report and report.stale_after_s) or machine.stale_after_s
    machine.reported_at = now if report is None or report.observed is None else min(now, report.observed)
    _show(session, machine, device, report)


def enter_by_hand(session: Session, machine: CashMachine, seen: ManualReport, *, actor: str) -> None:
    """Take what a person has seen, for a machine that does not report itself.

    Raises:
        MachineWatchedError: its agent is connected and reports.
    """
    device = None if machine.device_id is None else session.get(Device, machine.device_id)
    if device is not None and device.link is Link.READY and not machine.is_manual and machine.report:
        raise MachineWatchedError
    report = Report.model_validate(
        {
            "service": seen.service,
            "cash": {"withdrawal": seen.withdrawal},
            "reason": seen.reason,
            "source": "manual",
            "stale_after_s": seen.valid_s,
        }
    )
    machine.is_manual, machine.report = True, stored(report)
    machine.report_valid_s, machine.reported_at = seen.valid_s, clock.now()
    audit.record(session, machine.site_id, actor, "atm-entered", f"cash-machine:{machine.id}", service=seen.service)
    _show(session, machine, device, report)


def look_again(session: Session, machine: CashMachine, device: Device | None) -> None:
    """Show anew what holds now: time has passed, or the device came or went."""
    _show(session, machine, device, Report.read(machine.report))


def look_at_all(session: Session) -> None:
    """Find machines whose report has grown too old; their screens must say "unknown" without any new message."""
    rows = session.execute(select(CashMachine, Device).outerjoin(Device, Device.id == CashMachine.device_id))
    for machine, device in rows:
        look_again(session, machine, device)


def _show(session: Session, machine: CashMachine, device: Device | None, report: Report | None) -> None:
    state = queries.current(machine, device)
    if (state.service, state.withdrawal) == (machine.public_service, machine.public_withdrawal):
        return
    since = _since(session, machine, state, report)
    machine.public_service, machine.public_withdrawal, machine.public_since = state.service, state.withdrawal, since
    session.add(
        CashMachineChange(
            machine_id=machine.id,
            at=clock.now(),
            service=state.service,
            withdrawal=state.withdrawal,
            since=since,
            reason="" if report is None or state.service is Service.UNKNOWN else report.reason,
            source="" if report is None else report.source,
        )
    )
    events.publish(session, "atm", machine.site_id)


def _since(session: Session, machine: CashMachine, state: Public, report: Report | None) -> datetime | None:
    """Return since when the public may think that the state holds.

    Maintenance has no `since`, and neither does a new state after it: both would tell when cash is brought
    (money-and-machines.md section 4). A state that was the same before goes on from then: after maintenance always,
    after a silence only if the agent has watched all the time.
    """
    if state.service is Service.MAINTENANCE:
        return None
    was_maintained = machine.public_service is Service.MAINTENANCE
    if machine.public_service not in _SILENT or state.service is Service.UNKNOWN:
        return clock.now()
    known = _last_known(session, machine)
    if known is not None and (known.service, known.withdrawal) == (state.service, state.withdrawal):
        watched = report is not None and report.service_since is not None
        if was_maintained or (watched and known.since is not None and _watched_since(report, known.since)):
            return known.since
    return None if was_maintained else clock.now()


def _watched_since(report: Report | None, since: datetime) -> bool:
    watched = None if report is None else report.service_since
    return watched is not None and watched <= since + _CLOCKS_DIFFER


def _last_known(session: Session, machine: CashMachine) -> CashMachineChange | None:
    return session.scalar(
        select(CashMachineChange)
        .where(CashMachineChange.machine_id == machine.id, CashMachineChange.service.not_in(_SILENT))
        .order_by(CashMachineChange.id.desc())
        .limit(1)
    )
