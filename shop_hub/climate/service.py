"""Verbs of the climate: take readings in, keep few of them, and raise an alarm when goods are at risk."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from shop_hub.climate import goods
from shop_hub.climate.errors import NoteMissingError, WrongLimitsError
from shop_hub.climate.models import ClimateAlarm, ClimateReading, Probe, Side
from shop_hub.core import audit, clock, events
from shop_hub.core.errors import NotFoundError
from shop_hub.fleet.models import Device, DeviceEvent

KEEP_EVERY = timedelta(minutes=5)


@dataclass(frozen=True, kw_only=True)
class NewProbe:
    """A probe with its limits, in thousandths of a degree Celsius."""

    name: str
    device_id: int
    min_milli: int
    max_milli: int
    alarm_after_s: int = 1200


def add_probe(session: Session, site_id: int, new: NewProbe) -> Probe:
    """Enter a probe.

    Raises:
        WrongLimitsError: the limits are no range.
    """
    _check(new.min_milli, new.max_milli)
    probe = Probe(site_id=site_id, **vars(new))
    session.add(probe)
    session.flush()
    return probe


def change_limits(session: Session, probe: Probe, limits: tuple[int, int], alarm_after_s: int, *, actor: str) -> None:
    """Change limits (low, high) and the time outside them that makes an alarm.

    Raises:
        WrongLimitsError: the limits are no range.
    """
    _check(*limits)
    probe.min_milli, probe.max_milli = limits
    probe.alarm_after_s = max(0, min(alarm_after_s, 86_400))
    audit.record(
        session,
        probe.site_id,
        actor,
        "climate-limits-changed",
        f"probe:{probe.id}",
        low=probe.min_milli,
        high=probe.max_milli,
        after_s=probe.alarm_after_s,
    )
    events.publish(session, "climate", probe.site_id)


def record_reading(session: Session, device: Device, value: object) -> None:
    """Take a reading in; anything but whole thousandths of a plausible degree is left out."""
    probe = _of_device(session, device.id)
    if probe is None or type(value) is not int or not goods.COLDEST_MILLI <= value <= goods.WARMEST_MILLI:
        return
    now = clock.now()
    probe.last_milli, probe.last_at = value, now
    began_or_ended = _judge(session, probe, _open_alarm(session, probe), value, now)
    goods.judge(session, probe, value, now)
    if began_or_ended or _is_due(session, probe, now):
        session.add(ClimateReading(probe_id=probe.id, at=now, milli=value))
    events.publish(session, "climate", probe.site_id)


def record_event(session: Session, event: DeviceEvent, device: Device) -> None:
    """Take over what the device's journal says about its limits: it also knows what passed while the hub was away."""
    probe, milli = _of_device(session, device.id), event.data.get("temperature")
    if probe is None or type(milli) is not int:
        return
    _judge(session, probe, _open_alarm(session, probe), milli, event.happened_at)
    goods.judge(session, probe, milli, event.happened_at)
    events.publish(session, "climate", probe.site_id)


def note_alarm(session: Session, site_id: int, public_id: UUID, note: str, *, actor: str) -> None:
    """Write down what was found and what became of the goods.

    Raises:
        NotFoundError: the site has no such alarm.
        NoteMissingError: nothing was written.
    """
    alarm = session.scalar(
        select(ClimateAlarm)
        .join(Probe, Probe.id == ClimateAlarm.probe_id)
        .where(ClimateAlarm.public_id == public_id, Probe.site_id == site_id)
    )
    if alarm is None:
        raise NotFoundError(what="alarm")
    if not note.strip():
        raise NoteMissingError(field="note")
    alarm.note, alarm.noted_by = note.strip()[:500], actor
    audit.record(session, site_id, actor, "climate-alarm-noted", f"climate-alarm:{alarm.id}")
    events.publish(session, "climate", site_id)


def _judge(session: Session, probe: Probe, alarm: ClimateAlarm | None, milli: int, at: datetime) -> bool:
    """Compare with the limits; return whether an alarm began or ended."""
    if probe.min_milli <= milli <= probe.max_milli:
        return _inside(session, probe, alarm, at)
    return _outside(session, probe, alarm, milli, at)


def _outside(session: Session, probe: Probe, alarm: ClimateAlarm | None, milli: int, at: datetime) -> bool:
    probe.outside_since = min(probe.outside_since or at, at)
    probe.outside_milli = milli if probe.outside_milli is None else _worse(probe, probe.outside_milli, milli)
    if alarm is not None:
        alarm.worst_milli = _worse(probe, alarm.worst_milli, milli)
        return False
    if not _is_long_enough(probe, at):
        return False
    session.add(_alarm(probe))
    events.publish(session, "alerts", probe.site_id)
    return True


def _inside(session: Session, probe: Probe, alarm: ClimateAlarm | None, at: datetime) -> bool:
    was_missed = alarm is None and _is_long_enough(probe, at)
    if was_missed:  # it began and ended while the hub was away
        alarm = _alarm(probe)
        session.add(alarm)
    probe.outside_since, probe.outside_milli = None, None
    if alarm is None:
        return False
    alarm.ended_at = max(at, alarm.began_at)
    events.publish(session, "alerts", probe.site_id)
    return True


def _is_long_enough(probe: Probe, at: datetime) -> bool:
    return probe.outside_since is not None and at - probe.outside_since >= timedelta(seconds=probe.alarm_after_s)


def _alarm(probe: Probe) -> ClimateAlarm:
    worst = probe.outside_milli or 0
    side = Side.TOO_COLD if worst < probe.min_milli else Side.TOO_WARM
    return ClimateAlarm(probe_id=probe.id, side=side, began_at=probe.outside_since, worst_milli=worst)


def _worse(probe: Probe, one: int, other: int) -> int:
    """Return the temperature that lies further outside the limits."""
    return max(one, other, key=lambda milli: max(probe.min_milli - milli, milli - probe.max_milli))


def _is_due(session: Session, probe: Probe, now: datetime) -> bool:
    last = session.scalar(
        select(ClimateReading.at).where(ClimateReading.probe_id == probe.id).order_by(ClimateReading.at.desc()).limit(1)
    )
    return last is None or not timedelta(0) <= now - last < KEEP_EVERY


def _open_alarm(session: Session, probe: Probe) -> ClimateAlarm | None:
    wanted = select(ClimateAlarm).where(ClimateAlarm.probe_id == probe.id, ClimateAlarm.ended_at.is_(None))
    return session.scalar(wanted)


def _of_device(session: Session, device_id: int) -> Probe | None:
    return session.scalar(select(Probe).where(Probe.device_id == device_id))


def _check(low: int, high: int) -> None:
    if not goods.COLDEST_MILLI <= low < high <= goods.WARMEST_MILLI:
        raise WrongLimitsError(field="max_milli")
