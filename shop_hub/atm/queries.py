"""Reads of the cash machine. Whoever reads, the age of the report counts: an old one is unknown, never fine."""

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from uuid import UUID

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from shop_hub.atm.models import CashMachine, CashMachineChange, Service, Withdrawal
from shop_hub.atm.report import Public, Report, derive
from shop_hub.core import clock, spans
from shop_hub.core.errors import NotFoundError
from shop_hub.fleet.models import Device, Link

_OUT = (Service.OUT_OF_SERVICE, Service.UNKNOWN)


@dataclass(frozen=True)
class PublicView:
    """What anyone may know about a machine."""

    public_id: UUID
    bank: str
    place: str
    fee_note: str
    service: Service
    withdrawal: Withdrawal | None
    since: datetime | None


@dataclass(frozen=True)
class OperatorView:
    """What operators may know."""

    id: int
    public: PublicView
    report: Report | None
    reported_at: datetime | None
    is_manual: bool
    device_name: str
    device_link: Link | None


@dataclass(frozen=True)
class Availability:
    """Shares of a period in permille; they add up to about 1000."""

    in_service: int
    out_of_service: int
    maintenance: int
    unknown: int


@dataclass(frozen=True)
class Month:
    """A calendar month at the shop, as far as it has passed; `share` is None before the first report."""

    first: date
    share: Availability | None
    outages: int


@dataclass(frozen=True)
class Outage:
    """A time in which one could not get cash, or nobody knew. `ended_at` is None while it lasts."""

    service: Service
    began_at: datetime
    ended_at: datetime | None
    reason: str


def machines(session: Session, site_id: int) -> list[PublicView]:
    """Return what the public may see of a site's machines."""
    rows = session.execute(_with_device().where(CashMachine.site_id == site_id).order_by(CashMachine.id))
    return [_public(machine, device) for machine, device in rows]


def machine(session: Session, site_id: int, public_id: UUID) -> PublicView:
    """Return what the public may see of one machine.

    Raises:
        NotFoundError: the site has none with this id.
    """
    return _public(*_row(session, site_id, public_id))


def for_operator(session: Session, site_id: int, public_id: UUID) -> OperatorView:
    """Return the machine with its last report.

    Raises:
        NotFoundError: the site has none with this id.
    """
    found, device = _row(session, site_id, public_id)
    return OperatorView(
        id=found.id,
        public=_public(found, device),
        report=Report.read(found.report),
        reported_at=found.reported_at,
        is_manual=found.is_manual,
        device_name="" if device is None else device.name,
        device_link=None if device is None else device.link,
    )


def changes(session: Session, machine_id: int, limit: int = 30) -> list[CashMachineChange]:
    """Return the newest changes first."""
    return list(
        session.scalars(
            select(CashMachineChange)
            .where(CashMachineChange.machine_id == machine_id)
            .order_by(CashMachineChange.at.desc(), CashMachineChange.id.desc())
            .limit(limit)
        )
    )


def availability(session: Session, machine_id: int, days: int) -> Availability:
    """Return how the last `days` were spent, in permille; a younger machine counts from its first change on."""
    now = clock.now()
    changes = _changes(session, machine_id)
    return _shares(changes, now - timedelta(days=days), now) or Availability(0, 0, 0, 1000)


def months(session: Session, machine_id: int, timezone: str, count: int = 6) -> list[Month]:
    """Return the last months, this one first."""
    changes, outages = _changes(session, machine_id), _outages(session, machine_id)
    found, now = [], clock.now()
    first = clock.today(timezone).replace(day=1)
    end = now
    for _ in range(count):
        start = clock.local_midnight(first, timezone)
        number = sum(start <= outage.began_at < end for outage in outages)
        found.append(Month(first, _shares(changes, start, end), number))
        end, first = start, (first - timedelta(days=1)).replace(day=1)
    return found


def outages(session: Session, machine_id: int, limit: int = 50) -> list[Outage]:
    """Return the newest outages first; a silence of the agent is one of its own, since nobody knew."""
    return _outages(session, machine_id)[: -limit - 1 : -1]


def current(machine: CashMachine, device: Device | None) -> Public:
    """Return the public state of this moment, from the last report and its age."""
    return derive(Report.read(machine.report), is_fresh=_is_fresh(machine, device))


def _is_fresh(machine: CashMachine, device: Device | None) -> bool:
    if machine.reported_at is None:
        return False
    is_heard = machine.is_manual or (device is not None and device.link is Link.READY)
    age = clock.now() - machine.reported_at
    return is_heard and age <= timedelta(seconds=machine.report_valid_s)


def _public(machine: CashMachine, device: Device | None) -> PublicView:
    state = current(machine, device)
    is_as_shown = (state.service, state.withdrawal) == (machine.public_service, machine.public_withdrawal)
    return PublicView(
        public_id=machine.public_id,
        bank=machine.bank,
        place=machine.place,
        fee_note=machine.fee_note,
        service=state.service,
        withdrawal=state.withdrawal,
        since=machine.public_since if is_as_shown else None,
    )


def _changes(session: Session, machine_id: int) -> list[CashMachineChange]:
    wanted = select(CashMachineChange).where(CashMachineChange.machine_id == machine_id)
    return list(session.scalars(wanted.order_by(CashMachineChange.at, CashMachineChange.id)))


def _shares(changes: list[CashMachineChange], start: datetime, end: datetime) -> Availability | None:
    """Return the shares of a period, counted from the first change on; None if that came later."""
    if not changes or changes[0].at >= end:
        return None
    start = max(start, changes[0].at)
    spent = spans.spent(((row.at, row.service) for row in changes), start, end, before=Service.UNKNOWN)
    share = {word: spans.permille(spent.get(word, timedelta(0)), end - start) for word in Service}
    return Availability(
        in_service=share[Service.IN_SERVICE],
        out_of_service=share[Service.OUT_OF_SERVICE],
        maintenance=share[Service.MAINTENANCE],
        unknown=share[Service.UNKNOWN],
    )


def _outages(session: Session, machine_id: int) -> list[Outage]:
    """Return all outages, oldest first; changes within one (another reason) do not end it."""
    found: list[Outage] = []
    for row in _changes(session, machine_id):
        if found and found[-1].ended_at is None and found[-1].service is not row.service:
            found[-1] = replace(found[-1], ended_at=row.at)
        if row.service in _OUT and not (found and found[-1].ended_at is None):
            found.append(Outage(row.service, row.at, None, row.reason))
    return found


def _with_device() -> Select[CashMachine, Device]:
    return select(CashMachine, Device).outerjoin(Device, Device.id == CashMachine.device_id)


def _row(session: Session, site_id: int, public_id: UUID) -> tuple[CashMachine, Device | None]:
    wanted = _with_device().where(CashMachine.site_id == site_id, CashMachine.public_id == public_id)
    row = session.execute(wanted).one_or_none()
    if row is None:
        raise NotFoundError(what="cash machine")
    return row[0], row[1]
