"""What a machine counted between two readings against what was sold here in the same time, slot by slot."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from itertools import zip_longest

from sqlalchemy import func, select
from sqlalchemy.orm import Session, aliased

from shop_hub.checkout.models import Sale
from shop_hub.vending.evadts import selection_name
from shop_hub.vending.models import AuditCount, MachineAudit, Vend, VendingSlot, VendState


class Start(StrEnum):
    """Why there is nothing to compare a reading with; `NONE`: there is."""

    NONE = ""
    FIRST = "first"
    OTHER_MACHINE = "other-machine"
    COUNTERS_RESET = "counters-reset"


class Verdict(StrEnum):
    """What a person must know about a slot."""

    AGREES = "agrees"
    PRICE = "price"
    DOUBTS_DROPPED = "doubts-dropped"
    MACHINE_MORE = "machine-more"
    MACHINE_LESS = "machine-less"
    RESET = "reset"
    NOT_COUNTED = "not-counted"
    NO_SLOT = "no-slot"


@dataclass(frozen=True, kw_only=True)
class Ours:
    """What was sold here from a slot: pieces that dropped and were paid, and pieces of which nobody knows."""

    sold: int = 0
    cents: int = 0
    in_doubt: int = 0


@dataclass(frozen=True, kw_only=True)
class Row:
    """One slot between two readings. Numbers of the machine are None where it does not count them."""

    selection: str
    title: str
    slot_number: int | None
    vends: int | None
    cents: int | None
    cash_vends: int | None
    cash_cents: int | None
    free: int
    ours: Ours
    verdict: Verdict

    @property
    def difference(self) -> int:
        """Pieces that the machine handed out for our money beyond what was sold here."""
        return (self.vends or 0) - (self.cash_vends or 0) - self.ours.sold

    @property
    def is_fine(self) -> bool:
        """Whether nobody has to look."""
        return self.verdict in (Verdict.AGREES, Verdict.DOUBTS_DROPPED)


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """A reading against the one before it."""

    audit: MachineAudit
    since: datetime | None
    start: Start
    rows: tuple[Row, ...]
    cash_vends: int | None
    cash_cents: int | None

    @property
    def differing(self) -> int:
        """How many slots somebody has to look at."""
        return sum(not row.is_fine for row in self.rows)


@dataclass(frozen=True, slots=True)
class _Known:
    """What some readings of a machine are compared by."""

    slots: Mapping[str, VendingSlot]
    counts: Mapping[int, Mapping[str, AuditCount]]
    ours: Mapping[datetime, Mapping[int, Ours]]
    """By the reading after which it happened, and slot."""


def compare(session: Session, audit: MachineAudit) -> Comparison:
    """Compare a reading with the one before it; a reset or another machine begins anew, never below zero."""
    before = session.scalar(
        select(MachineAudit)
        .where(
            MachineAudit.machine_id == audit.machine_id,
            MachineAudit.id != audit.id,
            (MachineAudit.read_at < audit.read_at)
            | ((MachineAudit.read_at == audit.read_at) & (MachineAudit.id < audit.id)),
        )
        .order_by(MachineAudit.read_at.desc(), MachineAudit.id.desc())
        .limit(1)
    )
    pair = [audit] if before is None else [audit, before]
    return _pair(before, audit, _known(session, pair))


def history(session: Session, machine_id: int, limit: int) -> list[Comparison]:
    """Return the newest readings of a machine, each compared, in a fixed number of statements."""
    found = session.scalars(
        select(MachineAudit)
        .where(MachineAudit.machine_id == machine_id)
        .order_by(MachineAudit.read_at.desc(), MachineAudit.id.desc())
        .limit(limit + 1)
    ).all()
    known = _known(session, found)
    return [_pair(before, audit, known) for audit, before in zip_longest(found[:limit], found[1:])]


def _known(session: Session, audits: Sequence[MachineAudit]) -> _Known:
    if not audits:
        return _Known({}, {}, {})
    slots = session.scalars(select(VendingSlot).where(VendingSlot.machine_id == audits[0].machine_id))
    counts: dict[int, dict[str, AuditCount]] = {audit.id: {} for audit in audits}
    for row in session.scalars(select(AuditCount).where(AuditCount.audit_id.in_(counts))):
        counts[row.audit_id][row.selection] = row
    by_name = {selection_name(slot.selection or str(slot.number)): slot for slot in slots}
    return _Known(by_name, counts, _ours(session, audits))


def _pair(before: MachineAudit | None, audit: MachineAudit, known: _Known) -> Comparison:
    start = _start(before, audit)
    if before is None or start is not Start.NONE:
        return Comparison(audit=audit, since=None, start=start, rows=(), cash_vends=None, cash_cents=None)
    return Comparison(
        audit=audit,
        since=before.read_at,
        start=start,
        rows=tuple(_rows(before, audit, known)),
        cash_vends=_grown(before.cash_vends, audit.cash_vends),
        cash_cents=_grown(before.cash_cents, audit.cash_cents),
    )


def _start(before: MachineAudit | None, audit: MachineAudit) -> Start:
    if before is None:
        return Start.FIRST
    if before.serial != audit.serial:
        return Start.OTHER_MACHINE
    has_shrunk = before.total_vends is not None and (audit.total_vends or 0) < before.total_vends
    return Start.COUNTERS_RESET if has_shrunk else Start.NONE


def _rows(before: MachineAudit, audit: MachineAudit, known: _Known) -> list[Row]:
    ours = known.ours.get(before.read_at, {}) if before.read_at < audit.read_at else {}
    old, new = known.counts[before.id], known.counts[audit.id]
    sold = (name for name, slot in known.slots.items() if slot.id in ours)
    names = sorted({*new, *sold}, key=_natural)
    rows = [_row(name, old.get(name), new.get(name), known.slots.get(name), ours) for name in names]
    return [row for row in rows if row.slot_number is not None or row.vends or row.free]


def _row(
    name: str,
    old: AuditCount | None,
    new: AuditCount | None,
    slot: VendingSlot | None,
    ours: Mapping[int, Ours],
) -> Row:
    found = Row(
        selection=name,
        title=new.title if new else "",
        slot_number=slot.number if slot else None,
        vends=_grown_of(old, new, "vends"),
        cents=_grown_of(old, new, "cents"),
        cash_vends=_grown_of(old, new, "cash_vends"),
        cash_cents=_grown_of(old, new, "cash_cents"),
        free=_grown_of(old, new, "free") or 0,
        ours=ours.get(slot.id, Ours()) if slot else Ours(),
        verdict=Verdict.AGREES,
    )
    return replace(found, verdict=_verdict(found, old, new))


def _verdict(row: Row, old: AuditCount | None, new: AuditCount | None) -> Verdict:
    if old is not None and new is not None and (old.vends or 0) > (new.vends or 0):
        return Verdict.RESET
    if row.vends is None:
        return Verdict.NOT_COUNTED
    if row.slot_number is None:
        return Verdict.NO_SLOT
    difference = row.difference
    if difference == 0:
        ours = None if row.cents is None else row.cents - (row.cash_cents or 0)
        return Verdict.AGREES if ours in (None, row.ours.cents) else Verdict.PRICE
    if difference < 0:
        return Verdict.MACHINE_LESS
    return Verdict.DOUBTS_DROPPED if difference <= row.ours.in_doubt else Verdict.MACHINE_MORE


def _ours(session: Session, audits: Sequence[MachineAudit]) -> dict[datetime, dict[int, Ours]]:
    """Return what was sold here after each reading, by slot: a vend counts when its end became known."""
    later = aliased(MachineAudit)
    after = (
        select(func.max(later.read_at))
        .where(later.machine_id == Vend.machine_id, later.read_at < Vend.touched_at)
        .correlate(Vend)
        .scalar_subquery()
        .label("after")
    )
    rows = session.execute(
        select(after, Vend.slot_id, Vend.state, func.count(), func.sum(Sale.total_cents))
        .join(Sale, Sale.id == Vend.sale_id)
        .where(
            Vend.machine_id == audits[0].machine_id,
            Vend.state.in_((VendState.DROPPED, VendState.LOST, VendState.DOUBT)),
            Vend.touched_at > min(audit.read_at for audit in audits),
            Vend.touched_at <= max(audit.read_at for audit in audits),
        )
        .group_by(after, Vend.slot_id, Vend.state)
    )
    found: dict[datetime, dict[int, Ours]] = {}
    for moment, slot_id, state, count, cents in rows:
        slots = found.setdefault(moment, {})
        known = slots.get(slot_id, Ours())
        is_sold = state is VendState.DROPPED
        slots[slot_id] = (
            replace(known, sold=count, cents=int(cents)) if is_sold else replace(known, in_doubt=known.in_doubt + count)
        )
    return found


def _grown_of(old: AuditCount | None, new: AuditCount | None, name: str) -> int | None:
    if new is None:
        return None
    return _grown(getattr(old, name) if old is not None else 0, getattr(new, name))


def _grown(old: int | None, new: int | None) -> int | None:
    """Return by how much a counter has grown; one that was not counted before, or shrank, says nothing."""
    return None if old is None or new is None or new < old else new - old


def _natural(name: str) -> tuple[int, str]:
    return (int(name), "") if name.isdecimal() else (10**9, name)
