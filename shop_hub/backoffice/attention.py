"""What needs a person now, from all features, worst first."""

from collections.abc import Iterator
from dataclasses import dataclass

from flask_babel import gettext as _
from flask_babel import ngettext
from sqlalchemy.orm import Session

from shop_hub.board import queries as board
from shop_hub.checkout import queries as checkout
from shop_hub.climate import queries as climate
from shop_hub.core.access import Principal, Role
from shop_hub.core.formats import quantity
from shop_hub.core.web import session
from shop_hub.entrance import queries as entrance
from shop_hub.entrance.models import DoorAlert
from shop_hub.fleet import queries as fleet
from shop_hub.fleet.models import Link
from shop_hub.lockers import queries as lockers
from shop_hub.lockers.models import Allocation
from shop_hub.parcels import queries as parcels
from shop_hub.vending import queries as vending
from shop_hub.vending.models import Flag


@dataclass(frozen=True)
class Need:
    """One thing that needs a person. `endpoint` leads there, if that page exists."""

    tone: str
    icon: str
    text: str
    endpoint: str = ""


def needs(asking: Principal) -> list[Need]:
    """Return everything that needs a person at the asker's site, worst first."""
    site_id = asking.site
    found = [
        *_climate(session(), site_id),
        *_door(session(), site_id),
        *_sales(session(), site_id),
        *_devices(session(), site_id),
        *_station(session(), site_id),
        *_vending(session(), site_id),
        *_parcels(session(), site_id),
    ]
    if asking.has(Role.OPERATOR):
        found += _board(session(), site_id)
    return sorted(found, key=lambda need: ("bad", "warning", "info").index(need.tone))


def _climate(reading: Session, site_id: int) -> Iterator[Need]:
    for probe in climate.probes(reading, site_id):
        if probe.alarm is not None:
            worst = quantity(probe.alarm.worst_milli, "°C")
            text = _("%(name)s: outside the limits, worst %(worst)s", name=probe.name, worst=worst)
            yield Need("bad", "thermometer", text, "climate.index")
        elif probe.milli is None:
            yield Need("warning", "thermometer", _("%(name)s: no reading", name=probe.name), "climate.index")
    for block in climate.open_blocks(reading, site_id):
        if block.decision is None:
            text = _("%(group)s: not for sale, was too warm", group=block.group)
            yield Need("bad", "thermometer", text, "climate.index")


def _door(reading: Session, site_id: int) -> Iterator[Need]:
    if not entrance.has_entrance(reading, site_id):
        return
    door = entrance.door(reading, site_id)
    if door.alert is DoorAlert.FORCED:
        yield Need("bad", "door", _("The shop door was forced open"), "entrance.index")
    elif door.alert is DoorAlert.HELD_OPEN:
        yield Need("warning", "door", _("The shop door has been open for long"), "entrance.index")


def _sales(reading: Session, site_id: int) -> Iterator[Need]:
    count = len(checkout.in_review(reading, site_id))
    if count:
        text = ngettext("%(num)s payment in doubt", "%(num)s payments in doubt", count)
        yield Need("bad", "coins", text, "checkout.index")


def _devices(reading: Session, site_id: int) -> Iterator[Need]:
    for device in fleet.devices(reading, site_id):
        if device.link in {Link.OFFLINE, Link.SILENT}:
            yield Need("warning", "device", _("%(name)s is not connected", name=device.name), "fleet.index")


def _station(reading: Session, site_id: int) -> Iterator[Need]:
    for locker in lockers.stations(reading, site_id):
        for door in lockers.station(reading, locker.id).doors:
            if door.allocation is Allocation.SUSPECT:
                text = _("Compartment %(number)s needs a look", number=door.number)
                yield Need("warning", "locker", text, "lockers.index")


def _vending(reading: Session, site_id: int) -> Iterator[Need]:
    for machine in vending.machines(reading, site_id):
        for slot in machine.slots:
            if slot.flag in {Flag.JAM, Flag.DOUBT}:
                text = _("%(machine)s: slot %(number)s is jammed", machine=machine.name, number=slot.number)
                yield Need("warning", "vending", text, "vending.index")


def _parcels(reading: Session, site_id: int) -> Iterator[Need]:
    counts = parcels.counts(reading, site_id)
    if counts.disputed:
        text = ngettext("%(num)s parcel in dispute", "%(num)s parcels in dispute", counts.disputed)
        yield Need("bad", "parcel", text, "parcels.index")
    if counts.without_recipient:
        text = ngettext(
            "%(num)s parcel without recipient", "%(num)s parcels without recipient", counts.without_recipient
        )
        yield Need("warning", "parcel", text, "parcels.index")
    if counts.slips:
        text = ngettext("%(num)s slip to hand out", "%(num)s slips to hand out", counts.slips)
        yield Need("info", "parcel", text, "parcels.index")


def _board(reading: Session, site_id: int) -> Iterator[Need]:
    count = board.waiting(reading, site_id)
    if count:
        text = ngettext("%(num)s notice waits for approval", "%(num)s notices wait for approval", count)
        yield Need("info", "board", text, "board.index")
