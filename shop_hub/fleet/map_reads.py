"""The plan of a shop with its devices as they are now; a device that is not heard has no state."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from shop_hub.core.sites import Site
from shop_hub.fleet import map_facts, partitions
from shop_hub.fleet.map_facts import TONES, Fact, States
from shop_hub.fleet.models import (
    Device,
    DeviceAlert,
    DeviceKind,
    DevicePlace,
    DeviceProperty,
    HubLease,
    Link,
    PlanRoom,
)

_TONE = {Link.NEVER: "", Link.OFFLINE: "bad", Link.SILENT: "bad", Link.BEHIND: "warning", Link.READY: ""}


@dataclass(frozen=True)
class Spot:
    """A device where it stands. `since` is when the hub last knew it, None while it knows it or if it never did."""

    public_id: UUID
    name: str
    kind: DeviceKind
    link: Link
    since: datetime | None
    facts: list[Fact]
    place: str
    room: str
    square: tuple[int, int] | None

    @property
    def is_current(self) -> bool:
        """Tell whether its state is known."""
        return self.link is Link.READY

    @property
    def tone(self) -> str:
        """Return how bad it is: "good" if all is well, "" if it was never heard."""
        worst = min([_TONE[self.link], *(fact.tone for fact in self.facts)], key=TONES.index)
        return "good" if self.is_current and worst in ("", "info") else worst

    @property
    def is_wrong(self) -> bool:
        """Tell whether somebody should look."""
        return self.tone in ("bad", "warning")


@dataclass(frozen=True)
class SitePlan:
    """A shop's plan; `unheard_since` is set while no hub listens there, and then nothing is known."""

    site: Site
    rooms: list[PlanRoom]
    spots: list[Spot]
    unheard_since: datetime | None

    @property
    def squares(self) -> dict[tuple[int, int], list[Spot]]:
        """Return the devices by column and row, in reading order."""
        found: dict[tuple[int, int], list[Spot]] = defaultdict(list)
        for spot in self.spots:
            if spot.square is not None:
                found[spot.square].append(spot)
        return dict(sorted(found.items(), key=lambda item: item[0][::-1]))

    @property
    def unplaced(self) -> list[Spot]:
        """Return the devices that nobody has placed yet."""
        return [spot for spot in self.spots if spot.square is None]

    @property
    def never_heard(self) -> int:
        """Return how many devices have never spoken: of them nothing is known, which is no fault yet."""
        return sum(spot.link is Link.NEVER for spot in self.spots)

    @property
    def wrong(self) -> list[Spot]:
        """Return the devices that somebody should look at, worst first."""
        return sorted((spot for spot in self.spots if spot.is_wrong), key=lambda spot: TONES.index(spot.tone))


def plan(session: Session, site_id: int) -> SitePlan:
    """Return the plan of one shop."""
    (found,) = plans(session, [site_id])
    return found


def plans(session: Session, site_ids: list[int]) -> list[SitePlan]:
    """Return the plans of shops by name, with as many statements for many as for one."""
    sites = session.scalars(select(Site).where(Site.id.in_(site_ids)).order_by(Site.name, Site.id)).all()
    silent = unheard(session, site_ids)
    rooms, spots = defaultdict(list), defaultdict(list)
    wanted_rooms = select(PlanRoom).where(PlanRoom.site_id.in_(site_ids))
    for room in session.scalars(wanted_rooms.order_by(PlanRoom.plan_row, PlanRoom.plan_column, PlanRoom.id)):
        rooms[room.site_id].append(room)
    in_use = (
        select(Device, DevicePlace)
        .outerjoin(DevicePlace, DevicePlace.device_id == Device.id)
        .where(Device.site_id.in_(site_ids), Device.is_revoked.is_(False))
        .order_by(Device.name)
    )
    states, alerts = _states(session, site_ids), _alerts(session, site_ids)
    for device, place in session.execute(in_use):
        link, since = known_link(device, silent.get(device.site_id))
        square = _square(place)
        spot = Spot(
            public_id=device.public_id,
            name=device.name,
            kind=device.kind,
            link=link,
            since=since,
            facts=map_facts.of(device.kind, states[device.id], alerts[device.id]) if link is Link.READY else [],
            place=place.words if place is not None else "",
            room=_room(rooms[device.site_id], square),
            square=square,
        )
        spots[device.site_id].append(spot)
    return [SitePlan(site, rooms[site.id], spots[site.id], silent.get(site.id)) for site in sites]


def known_link(device: Device, silence: datetime | None) -> tuple[Link, datetime | None]:
    """Return how well a device is known, and since when it is not; without a hub that listens nobody is."""
    if device.link is Link.NEVER:
        return Link.NEVER, None
    if silence is not None and device.link in (Link.READY, Link.BEHIND):
        return Link.SILENT, silence
    return device.link, None if device.link is Link.READY else device.link_at


def _square(place: DevicePlace | None) -> tuple[int, int] | None:
    if place is None or place.plan_column is None or place.plan_row is None:
        return None
    return place.plan_column, place.plan_row


def _room(rooms: list[PlanRoom], square: tuple[int, int] | None) -> str:
    """Return the smallest room around a square."""
    if square is None:
        return ""
    around = [
        room
        for room in rooms
        if 0 <= square[0] - room.plan_column < room.width and 0 <= square[1] - room.plan_row < room.height
    ]
    return min(around, key=lambda room: room.width * room.height).name if around else ""


def _states(session: Session, site_ids: list[int]) -> dict[int, States]:
    """Return the states of the devices that are heard; those of others are not shown."""
    found: dict[int, dict[tuple[str, str], object]] = defaultdict(dict)
    rows = session.execute(
        select(DeviceProperty.device_id, DeviceProperty.node, DeviceProperty.name, DeviceProperty.value)
        .join(Device, Device.id == DeviceProperty.device_id)
        .where(
            DeviceProperty.site_id.in_(site_ids),
            DeviceProperty.name.in_(map_facts.NAMES),
            Device.link == Link.READY,
            Device.is_revoked.is_(False),
        )
    )
    for device_id, node, name, value in rows:
        found[device_id][node, name] = value
    return found  # type: ignore[return-value]


def _alerts(session: Session, site_ids: list[int]) -> dict[int, list[tuple[str, str]]]:
    found = defaultdict(list)
    open_ones = select(DeviceAlert).where(DeviceAlert.site_id.in_(site_ids), DeviceAlert.cleared_at.is_(None))
    for alert in session.scalars(open_ones.order_by(DeviceAlert.since)):
        found[alert.device_id].append((alert.name, alert.text))
    return found


def unheard(session: Session, site_ids: list[int]) -> dict[int, datetime]:
    """Return the shops that no hub listens to, and since when; in a region the collector is who listens."""
    now, parts = partitions.now(session), partitions.count(session.info["database"])
    heard_until: dict[int, datetime] = {}
    for lease in session.scalars(select(HubLease)):
        number = lease.partition if lease.partition >= 0 else ~lease.partition
        until = min(lease.until, now) if lease.is_released else lease.until
        heard_until[number] = max(until, heard_until.get(number, until))
    found = {site_id: heard_until.get((site_id - 1) % parts, now) for site_id in site_ids}
    return {site_id: until for site_id, until in found.items() if until <= now}
