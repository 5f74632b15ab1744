"""Reads of the climate. A probe that is silent is unknown, whatever it said last."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from devices.protocol.limits import SENSOR_STALE_INTERVALS
from shop_hub.climate.models import ClimateAlarm, ClimateReading, Probe
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


def readings(session: Session, probe_id: int, since: datetime) -> list[ClimateReading]:
    """Return the stored readings from a moment on, oldest first."""
    return list(
        session.scalars(
            select(ClimateReading)
            .where(ClimateReading.probe_id == probe_id, ClimateReading.at >= since)
            .order_by(ClimateReading.at, ClimateReading.id)
        )
    )


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
