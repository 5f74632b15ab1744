"""Rare changes of a device as a whole: other versions of its programs, restarts, lost journals."""

from datetime import timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from shop_hub.core import clock
from shop_hub.fleet.models import Device, DeviceChange, Happening

VERSIONS = ("maker", "firmware", "protocol")
"""Fields of `$description` that say which programs run: driver, firmware, protocol."""
_TOGETHER = timedelta(hours=1)
"""Versions that change again within this time are noted as one change: a device may tell others with each breath."""


def note_versions(session: Session, device: Device, told: dict[str, Any]) -> None:
    """Note which versions differ from those that the device told before; the first ones are no change."""
    before = device.description
    if not before:
        return
    changed = {name: [before.get(name), told.get(name)] for name in VERSIONS if before.get(name) != told.get(name)}
    if not changed:
        return
    last = session.scalar(
        select(DeviceChange)
        .where(DeviceChange.device_id == device.id, DeviceChange.what == Happening.VERSION)
        .where(DeviceChange.at > clock.now() - _TOGETHER)
        .order_by(DeviceChange.id.desc())
        .limit(1)
    )
    if last is None:
        _note(session, device, Happening.VERSION, changed)
    else:
        _note_again(session, last, changed)


def note_boot(session: Session, device: Device, epoch: str, boot: int) -> None:
    """Note a restart, once, however many messages tell of it."""
    last = session.scalar(
        select(DeviceChange.detail)
        .where(DeviceChange.device_id == device.id, DeviceChange.what == Happening.BOOT)
        .order_by(DeviceChange.id.desc())
        .limit(1)
    )
    if last is None or last["epoch"] != epoch or last["boot"] < boot:
        _note(session, device, Happening.BOOT, {"epoch": epoch, "boot": boot})


def note_life(session: Session, device: Device, epoch: str, boot: int) -> None:
    """Note that a device came with another journal than before."""
    _note(session, device, Happening.LIFE, {"epoch": epoch, "boot": boot})


def _note_again(session: Session, change: DeviceChange, changed: dict[str, Any]) -> None:
    """Have a change lead from what was before it to what is now; one that leads back is none."""
    both = change.detail | {name: [change.detail.get(name, pair)[0], pair[1]] for name, pair in changed.items()}
    detail = {name: pair for name, pair in both.items() if pair[0] != pair[1]}
    if detail:
        change.detail = detail
    else:
        session.delete(change)
    session.flush()


def _note(session: Session, device: Device, what: Happening, detail: dict[str, Any]) -> None:
    change = DeviceChange(site_id=device.site_id, device_id=device.id, what=what, detail=detail, at=clock.now())
    session.add(change)
    session.flush()
