"""Reads of the climate. A probe that is silent is unknown, whatever it said last."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from devices.protocol.limits import SENSOR_STALE_INTERVALS
from shop_hub.catalog import queries as catalog
from shop_hub.climate.models import (
    ClimateAlarm,
    ClimateReading,
    Decision,
    Probe,
    SaleBlock,
    Stand,
    UncooledProduct,
    WatchedGoods,
)
from shop_hub.core import clock
from shop_hub.core.errors import NotFoundError
from shop_hub.fleet.models import Device, Link

_DEFAULT_INTERVAL = timedelta(seconds=60)
_SLACK = timedelta(seconds=5)


@dataclass(frozen=True)
class ProbeView:
    """A probe as it stands now. `milli` is None while it is silent."""

    id: int
    public_id: UUID
    name: str
    min_milli: int
    max_milli: int
    alarm_after_s: int
    milli: int | None
    last_milli: int | None
    last_at: datetime | None
    alarm: ClimateAlarm | None

    @property
    def is_outside(self) -> bool:
        """Whether the present reading lies outside the limits."""
        return self.milli is not None and not self.min_milli <= self.milli <= self.max_milli


@dataclass(frozen=True)
class WatchedView:
    """A product group in the reach of a probe."""

    public_id: UUID
    group_id: int
    group: str
    stand: Stand
    max_milli: int
    block_after_s: int


@dataclass(frozen=True)
class BlockView:
    """Goods that are, or were, held. `ended_at` is None while they are not sold."""

    id: int
    public_id: UUID
    probe_id: int
    probe_public_id: UUID
    probe_name: str
    group: str
    stand: Stand
    outside_since: datetime
    began_at: datetime
    max_milli: int
    worst_milli: int
    decision: Decision | None
    decided_at: datetime | None
    decided_by: str
    reason: str
    ended_at: datetime | None


def probes(session: Session, site_id: int) -> list[ProbeView]:
    """Return a site's probes by name."""
    return [_view(*row) for row in session.execute(_joined().where(Probe.site_id == site_id).order_by(Probe.name))]


def probe(session: Session, site_id: int, public_id: UUID) -> ProbeView:
    """Return one probe.

    Raises:
        NotFoundError: the site has none with this id.
    """
    row = session.execute(_joined().where(Probe.site_id == site_id, Probe.public_id == public_id)).one_or_none()
    if row is None:
        raise NotFoundError(what="probe")
    return _view(*row)


def probe_by_id(session: Session, site_id: int, probe_id: int) -> ProbeView:
    """Return one probe by its inner number.

    Raises:
        NotFoundError: the site has none with this number.
    """
    row = session.execute(_joined().where(Probe.site_id == site_id, Probe.id == probe_id)).one_or_none()
    if row is None:
        raise NotFoundError(what="probe")
    return _view(*row)


def readings(session: Session, probe_id: int, since: datetime, until: datetime | None = None) -> list[ClimateReading]:
    """Return the stored readings from a moment on, up to another one if given, oldest first."""
    wanted = select(ClimateReading).where(ClimateReading.probe_id == probe_id, ClimateReading.at >= since)
    if until is not None:
        wanted = wanted.where(ClimateReading.at < until)
    return list(session.scalars(wanted.order_by(ClimateReading.at, ClimateReading.id)))


def alarms(session: Session, probe_id: int, limit: int = 20) -> list[ClimateAlarm]:
    """Return the newest alarms first."""
    return list(
        session.scalars(
            select(ClimateAlarm)
            .where(ClimateAlarm.probe_id == probe_id)
            .order_by(ClimateAlarm.began_at.desc(), ClimateAlarm.id.desc())
            .limit(limit)
        )
    )


def watched(session: Session, probe_id: int) -> list[WatchedView]:
    """Return the product groups in the reach of a probe, by name."""
    names = _group_names(session)
    rows = session.scalars(select(WatchedGoods).where(WatchedGoods.probe_id == probe_id)).all()
    views = [
        WatchedView(row.public_id, row.group_id, names[row.group_id], row.stand, row.max_milli, row.block_after_s)
        for row in rows
    ]
    return sorted(views, key=lambda view: view.group)


def blocks(session: Session, site_id: int, *, probe_id: int | None = None, limit: int = 20) -> list[BlockView]:
    """Return held goods of a site or of one probe, newest first."""
    wanted = _blocks(site_id).order_by(SaleBlock.began_at.desc(), SaleBlock.id.desc()).limit(limit)
    if probe_id is not None:
        wanted = wanted.where(SaleBlock.probe_id == probe_id)
    return _block_views(session, wanted)


def open_blocks(session: Session, site_id: int) -> list[BlockView]:
    """Return the goods of a site that are not sold now, oldest first."""
    return _block_views(session, _blocks(site_id).where(SaleBlock.ended_at.is_(None)).order_by(SaleBlock.id))


def block(session: Session, site_id: int, public_id: UUID) -> BlockView:
    """Return one block.

    Raises:
        NotFoundError: the site has none with this id.
    """
    found = _block_views(session, _blocks(site_id).where(SaleBlock.public_id == public_id))
    if not found:
        raise NotFoundError(what="sale-block")
    return found[0]


def uncooled(session: Session, site_id: int) -> dict[int, str]:
    """Return the names of the products that need no cooling although their group does, by id."""
    ids = session.scalars(select(UncooledProduct.product_id).where(UncooledProduct.site_id == site_id)).all()
    return catalog.names(session, ids)


def is_fresh(probe: Probe, device: Device) -> bool:
    """Tell whether the last reading still counts: the device is there, and spoke within three of its intervals."""
    if probe.last_at is None or device.link is not Link.READY:
        return False
    interval_ms = device.description.get("interval_ms") or 0
    interval = timedelta(milliseconds=interval_ms) if interval_ms > 0 else _DEFAULT_INTERVAL
    return clock.now() - probe.last_at <= SENSOR_STALE_INTERVALS * interval + _SLACK


def _joined() -> Select[Probe, Device, ClimateAlarm]:
    return (
        select(Probe, Device, ClimateAlarm)
        .join(Device, Device.id == Probe.device_id)
        .outerjoin(ClimateAlarm, (ClimateAlarm.probe_id == Probe.id) & ClimateAlarm.ended_at.is_(None))
    )


def _view(found: Probe, device: Device, alarm: ClimateAlarm | None) -> ProbeView:
    return ProbeView(
        id=found.id,
        public_id=found.public_id,
        name=found.name,
        min_milli=found.min_milli,
        max_milli=found.max_milli,
        alarm_after_s=found.alarm_after_s,
        milli=found.last_milli if is_fresh(found, device) else None,
        last_milli=found.last_milli,
        last_at=found.last_at,
        alarm=alarm,
    )


def _blocks(site_id: int) -> Select[SaleBlock, Probe]:
    return select(SaleBlock, Probe).join(Probe, Probe.id == SaleBlock.probe_id).where(SaleBlock.site_id == site_id)


def _block_views(session: Session, wanted: Select[SaleBlock, Probe]) -> list[BlockView]:
    rows = session.execute(wanted).all()
    names = _group_names(session) if rows else {}
    return [
        BlockView(
            id=row.id,
            public_id=row.public_id,
            probe_id=probe.id,
            probe_public_id=probe.public_id,
            probe_name=probe.name,
            group=names[row.group_id],
            stand=row.stand,
            outside_since=row.outside_since,
            began_at=row.began_at,
            max_milli=row.max_milli,
            worst_milli=row.worst_milli,
            decision=row.decision,
            decided_at=row.decided_at,
            decided_by=row.decided_by,
            reason=row.reason,
            ended_at=row.ended_at,
        )
        for row, probe in rows
    ]


def _group_names(session: Session) -> dict[int, str]:
    return {group.id: group.name for group in catalog.groups(session)}
