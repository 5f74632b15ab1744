"""The worker's picture of which devices exist; refreshed from the database every few seconds and on unknown names."""

import threading
import time
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select, text

from devices.protocol.limits import ATM_STALE_MS, LEASE_MAX_AGE_MS, SENSOR_STALE_INTERVALS
from shop_hub.core.db import Database
from shop_hub.core.sites import Site
from shop_hub.fleet.models import ACTUATORS, Device, DeviceKind, Link
from shop_hub.fleet.partitions import ALL, Partition, all_of

_REFRESH_S = 5.0
_LOOK_S = 0.5
"""A device that another process took out of service (command line, SQLite) must be out within a second."""
_SUMS = text(
    "SELECT count(*), sum(key_generation), sum(map_revision), sum(CASE WHEN is_revoked THEN 1 ELSE 0 END) FROM device"
)
_COLUMNS = select(
    Device.id,
    Device.site_id,
    Device.slug,
    Device.kind,
    Device.epoch,
    Device.boot,
    Device.seq,
    Device.link,
    Device.presence,
    Device.map_revision,
    Device.key_generation,
    Device.description["interval_ms"].as_string().label("interval_ms"),  # a number that fits nowhere must not stop all
)
_UNKNOWN_S = 1.0
_DEFAULT_INTERVAL_MS = 60_000
_LONGEST_INTERVAL = len("86400000")


@dataclass(frozen=True, slots=True)
class DeviceInfo:
    """What the worker must know of a device to judge its messages."""

    id: int
    site_id: int
    site: str
    slug: str
    kind: DeviceKind
    epoch: str
    boot: int
    seq: int
    link: Link
    presence: str
    interval_ms: int
    map_revision: int
    key_generation: int

    @property
    def has_lease(self) -> bool:
        """Tell whether it takes commands."""
        return self.kind in ACTUATORS

    @property
    def stale_ms(self) -> int | None:
        """Return after how long a silence its states are unknown; None for one that speaks only when used."""
        if self.has_lease:
            return LEASE_MAX_AGE_MS
        if self.kind is DeviceKind.ATM:
            return ATM_STALE_MS
        if self.kind is DeviceKind.SCANNER:
            return None
        return SENSOR_STALE_INTERVALS * (self.interval_ms or _DEFAULT_INTERVAL_MS)


class Registry:
    """Devices in use by site and short name; those of one partition, or all."""

    def __init__(self, database: Database, partition: Partition = ALL) -> None:
        self._database, self._partition = database, partition
        self._devices: dict[tuple[str, str], DeviceInfo] = {}
        self._by_id: dict[int, DeviceInfo] = {}
        self._sites: dict[str, int] = {}
        self.partitions = all_of(database)
        self._lock = threading.Lock()
        self._read_at = self._looked_at = 0.0
        self._sums: tuple[object, ...] = ()
        self.version = 0
        """Grows with every reading."""

    @property
    def sites(self) -> dict[str, int]:
        """Return site ids by slug."""
        return self._sites

    def get(self, site: str, slug: str) -> DeviceInfo | None:
        """Return a device in use, or None."""
        return self._devices.get((site, slug))

    def look_up(self, site: str, slug: str) -> DeviceInfo | None:
        """Return a device in use, or None; an unknown name is looked for in the database, once a second at most."""
        found = self.get(site, slug)
        if found is None and time.monotonic() - self._read_at > _UNKNOWN_S:
            self.refresh()
            found = self.get(site, slug)
        return found

    def by_id(self, device_id: int) -> DeviceInfo | None:
        """Return a device in use by its number, or None."""
        return self._by_id.get(device_id)

    def all(self) -> list[DeviceInfo]:
        """Return all devices in use."""
        return list(self._by_id.values())

    def refresh_when_due(self) -> None:
        """Read again if the picture is older than a few seconds, or devices came, went or changed meanwhile."""
        now = time.monotonic()
        if now - self._read_at >= _REFRESH_S or (now - self._looked_at >= _LOOK_S and self._has_changed()):
            self.refresh()

    def refresh(self) -> None:
        """Read all sites and devices in use."""
        with self._lock, self._database.reading() as session:
            self._sums = tuple(session.execute(_SUMS).one())
            wanted = select(Site.id, Site.slug).where(self._partition.holds(Site.id))
            sites = {slug: id_ for id_, slug in session.execute(wanted)}
            names = {id_: slug for slug, id_ in sites.items()}
            in_use = _COLUMNS.where(Device.is_revoked.is_(False), self._partition.holds(Device.site_id))
            rows = session.execute(in_use).mappings()
            infos = [_info(dict(row), names) for row in rows]
            self._sites = sites
            self._by_id = {info.id: info for info in infos}
            self._devices = {(info.site, info.slug): info for info in infos}
            self._read_at = time.monotonic()
            self.version += 1

    def _has_changed(self) -> bool:
        self._looked_at = time.monotonic()
        with self._database.reading() as session:
            return tuple(session.execute(_SUMS).one()) != self._sums


def _info(row: dict[str, Any], names: dict[int, str]) -> DeviceInfo:
    told = str(row.pop("interval_ms") or "")
    is_sound = told.isdecimal() and len(told) <= _LONGEST_INTERVAL
    return DeviceInfo(site=names[row["site_id"]], interval_ms=int(told) if is_sound else 0, **row)
