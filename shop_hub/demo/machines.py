"""Puts the machines into the demo village: in the hub's books, and as entries for the simulators."""

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from devices.simulators.locker import STATION
from shop_hub.atm import service as atm
from shop_hub.atm.service import NewCashMachine
from shop_hub.catalog import queries as catalog
from shop_hub.climate import goods
from shop_hub.climate import service as climate
from shop_hub.climate.models import Probe
from shop_hub.climate.service import NewProbe
from shop_hub.core.hashing import SecretHasher
from shop_hub.core.sites import Site
from shop_hub.demo import tables
from shop_hub.entrance import rules as entrance_rules
from shop_hub.entrance import service as entrance
from shop_hub.entrance.models import Audience, HolidayRule
from shop_hub.entrance.rules import NewRule
from shop_hub.entrance.service import NewEntrance
from shop_hub.fleet import map_plan, provisioning
from shop_hub.fleet.models import Device, DeviceKind, Kiosk
from shop_hub.fleet.provisioning import NewDevice
from shop_hub.lockers import layout
from shop_hub.lockers.layout import NewCompartment
from shop_hub.lockers.models import Size, Zone
from shop_hub.stock import service as stock
from shop_hub.vending import planogram
from shop_hub.vending.models import VendingSlot
from shop_hub.vending.planogram import NewSlot

REGISTER = "K1"
FIRST_STOCK = 6
MILLI = 1000
MINUTES_A_DAY = 1440
CHILLED = ("milk", "cheese", "meat")
"""Groups whose slots the machine stops when it gets too warm."""
GRACE_S = 60
"""After so long; half an hour in a real machine, but nobody watches a demo for so long."""
NAMES = {
    "station": (DeviceKind.LOCKER, "Paketstation"),
    "automat": (DeviceKind.VENDING, "Verkaufsautomat"),
    "geldautomat": (DeviceKind.ATM, "Geldautomat"),
    "tuer": (DeviceKind.DOOR, "Ladentür"),
    "kartengeraet": (DeviceKind.TERMINAL, "Kartengerät"),
    "drucker": (DeviceKind.PRINTER, "Bondrucker"),
    "scanner": (DeviceKind.SCANNER, "Scanner"),
}
AT_KIOSK = ("drucker", "scanner")
ROOMS = (("Draußen", 1, 2, 4), ("Eingang", 3, 2, 2), ("Laden", 5, 4, 4))
"""From left to right: name, first column, width and depth on the plan."""
PLACES = {
    "station": (1, 2, "an der Außenwand"),
    "geldautomat": (3, 1, "links"),
    "automat": (4, 1, "rechts"),
    "tuer": (4, 2, "zwischen Eingang und Laden"),
    "drucker": (5, 4, "unter dem Bildschirm"),
    "scanner": (6, 4, "unter dem Bildschirm"),
    "kartengeraet": (7, 4, "neben dem Bildschirm"),
    "kuehlregal": (6, 1, "an der Rückwand"),
    "tiefkuehltruhe": (8, 1, "in der Ecke"),
}
# As a person stands before it: large doors below, small ones at eye level; box-05 is the accessible one.
COLUMNS = (range(1, 10), range(10, 18), range(18, 23), range(23, 25))


def add_machines(session: Session, hasher: SecretHasher, site: Site, ids: dict[str, int]) -> list[dict[str, Any]]:
    """Register kiosk and machines; return what each machine must know, for the simulators."""
    kiosk = Kiosk(site_id=site.id, name="Kiosk im Laden", register_code=REGISTER)
    session.add(kiosk)
    session.flush()
    devices = {
        slug: provisioning.create(
            session,
            hasher,
            site.id,
            NewDevice(slug, kind, name, kiosk_id=kiosk.id if slug in AT_KIOSK else None, map_revision=1),
            actor="system",
        )
        for slug, (kind, name) in NAMES.items()
    }
    devices |= _add_probes(session, hasher, site)
    numbers = {slug: device.device_id for slug, device in devices.items()}
    _draw_plan(session, site, numbers)
    _add_station(session, numbers["station"])
    _add_cash_machine(session, site, numbers["geldautomat"])
    _add_door(session, site, numbers["tuer"])
    _add_vending(session, site, numbers["automat"], ids)
    return [_simulator(slug, device) for slug, device in devices.items()]


def _draw_plan(session: Session, site: Site, numbers: dict[str, int]) -> None:
    """Show on the plan of the shop where each machine stands."""
    for name, column, width, height in ROOMS:
        room = map_plan.add_room(session, site.id, name)
        room.plan_column, room.width, room.height = column, width, height
    for slug, (column, row, words) in PLACES.items():
        device = session.get_one(Device, numbers[slug])
        map_plan.name(session, device, device.name, words, actor="system")
        map_plan.place(session, device, (column, row), actor="system")


def _simulator(slug: str, device: provisioning.Provisioned) -> dict[str, Any]:
    """Return an entry of the simulators' configuration (devices/simulators/config.py)."""
    kind, name = NAMES.get(slug, (DeviceKind.THERMOMETER, slug))
    entry: dict[str, Any] = {
        "id": slug,
        "kind": kind.value,
        "name": name,
        "password": device.password,
        "key": device.key_hex,
        "map": 1,
    }
    if slug in AT_KIOSK:
        entry["kiosk"] = REGISTER
    if kind is DeviceKind.VENDING:
        entry["first_stock"] = FIRST_STOCK
        entry["capacity"] = max(int(row["capacity"]) for row in tables.rows("vending"))
        cold = {row["gtin"] for row in tables.rows("products") if row["group"] in CHILLED}
        entry["chilled"] = [f"slot-{int(row['slot']):02d}" for row in tables.rows("vending") if row["gtin"] in cold]
        entry["grace_s"] = GRACE_S
    if kind is DeviceKind.THERMOMETER:
        row = next(row for row in tables.rows("climate") if row["sensor"] == slug)
        entry["milli"] = int(row["normal_milli_celsius"])
        entry["low_milli"], entry["high_milli"] = int(row["min_milli_celsius"]), int(row["max_milli_celsius"])
    return entry


def _add_probes(session: Session, hasher: SecretHasher, site: Site) -> dict[str, provisioning.Provisioned]:
    devices = {}
    for row in tables.rows("climate"):
        new = NewDevice(row["sensor"], DeviceKind.THERMOMETER, row["name_de"])
        device = provisioning.create(session, hasher, site.id, new, actor="system")
        probe = NewProbe(
            name=row["name_de"],
            device_id=device.device_id,
            min_milli=int(row["min_milli_celsius"]),
            max_milli=int(row["max_milli_celsius"]),
            alarm_after_s=int(row["alarm_after_minutes"]) * 60,
        )
        _watch_goods(session, climate.add_probe(session, site.id, probe), row["goods"])
        devices[row["sensor"]] = device
    return devices


def _watch_goods(session: Session, probe: Probe, text: str) -> None:
    """Watch the goods of a probe, written as group, highest temperature and minutes: "milk 8000 120|cheese …"."""
    groups = {group.key: group.id for group in catalog.groups(session)}
    for entry in text.split("|"):
        key, most, minutes = entry.split()
        watch = goods.Watch(group_id=groups[key], max_milli=int(most), block_after_s=int(minutes) * 60)
        goods.watch(session, probe, watch, actor="system")


def _add_station(session: Session, device_id: int) -> None:
    places = {number: (column, row) for column, doors in enumerate(COLUMNS, 1) for row, number in enumerate(doors, 1)}
    compartments = [
        NewCompartment(
            number=number,
            node=built.node,
            size=Size(built.size),
            column=places[number][0],
            row=places[number][1],
            is_accessible=built.accessible,
            zone=Zone.COOL if built.cooled else Zone.AMBIENT,
        )
        for number, built in enumerate(STATION, start=1)
    ]
    layout.create_locker(session, device_id, "Paketstation am Laden", compartments)


def _add_cash_machine(session: Session, site: Site, device_id: int) -> None:
    about = tables.table("atm")
    new = NewCashMachine(
        bank=about["bank"],
        place=about["place"],
        fee_note=about["fee_note"],
        device_id=device_id,
        stale_after_s=about["stale_after_s"],
    )
    atm.add_machine(session, site.id, new)


def _add_door(session: Session, site: Site, device_id: int) -> None:
    entrance.add_entrance(session, site.id, NewEntrance(name="Ladentür", device_id=device_id))
    for rule in tables.table("opening")["rule"]:
        new = NewRule(
            audience=Audience.EVERYONE if rule["who"] == "everyone" else Audience.MEMBERS,
            opens_minute=_minute(rule["opens"]),
            closes_minute=_minute(rule["closes"]),
            holidays=HolidayRule.ALSO if rule["public_holidays"] else HolidayRule.EXCEPT,
            christmas_eve_minute=None,
            note=rule["label"],
        )
        entrance_rules.add_rule(session, site.id, new, actor="system")


def _add_vending(session: Session, site: Site, device_id: int, ids: dict[str, int]) -> None:
    slots = [
        NewSlot(number=int(row["slot"]), capacity=int(row["capacity"]), product_id=ids[row["gtin"]])
        for row in tables.rows("vending")
    ]
    for row in tables.rows("vending"):
        stock.receive(session, site.id, ids[row["gtin"]], FIRST_STOCK * MILLI, actor="system", ref="demo")
    machine = planogram.add_machine(session, site.id, "Automat im Eingang", device_id, slots, actor="system")
    filled = session.scalars(select(VendingSlot.public_id).where(VendingSlot.machine_id == machine.id))
    planogram.refill(session, site.id, dict.fromkeys(filled, FIRST_STOCK), actor="system")


def _minute(text: str) -> int:
    hours, minutes = text.split(":")
    return int(hours) * 60 + int(minutes)
