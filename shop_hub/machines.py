"""A village's machines from a file: registered, set up in the books, and their keys written for those who connect them.

Running it again enters what is new in the file and leaves alone what is there.
"""

import json
import os
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import select
from sqlalchemy.orm import Session

from shop_hub import models as _models  # noqa: F401 - all tables
from shop_hub.atm import service as atm
from shop_hub.atm.models import CashMachine
from shop_hub.atm.service import NewCashMachine
from shop_hub.climate import service as climate
from shop_hub.climate.models import Probe
from shop_hub.climate.service import NewProbe
from shop_hub.core import audit
from shop_hub.core.db import Database
from shop_hub.core.errors import OperatingError
from shop_hub.core.hashing import SecretHasher
from shop_hub.core.settings import Settings
from shop_hub.core.sites import Site
from shop_hub.entrance import service as entrance
from shop_hub.entrance.models import Entrance
from shop_hub.entrance.service import NewEntrance
from shop_hub.fleet import kiosks, provisioning
from shop_hub.fleet.models import Device, DeviceKind, Kiosk
from shop_hub.fleet.provisioning import NewDevice
from shop_hub.lockers import layout
from shop_hub.lockers.layout import NewCompartment
from shop_hub.lockers.models import Locker, Size, Zone
from shop_hub.vending import planogram
from shop_hub.vending.models import VendingMachine
from shop_hub.vending.planogram import NewSlot

ACTOR = "system"
DOORS_A_BOARD = 8
SIMULATORS = "simulators.json"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class KioskEntry(_Strict):
    """A touchscreen; `register_code` begins its receipts' numbers. Pair it in the backoffice."""

    name: str = Field(min_length=1, max_length=60)
    register_code: str


class _Device(_Strict):
    id: str
    name: str = Field(min_length=1, max_length=60)


class CompartmentEntry(_Strict):
    """A door; `column` and `row` count from 1, top left, as a person stands before the station."""

    number: int = Field(ge=1, le=999)
    size: Size
    column: int = Field(ge=1)
    row: int = Field(ge=1)
    accessible: bool = False
    zone: Zone = Zone.AMBIENT

    @property
    def node(self) -> str:
        """Name of the door's node on the device, e.g. box-07."""
        return f"box-{self.number:02d}"


class StationEntry(_Device):
    """A parcel station."""

    kind: Literal["locker"]
    compartments: tuple[CompartmentEntry, ...] = Field(min_length=1)


class VendingEntry(_Device):
    """A vending machine; its goods are chosen in the backoffice."""

    kind: Literal["vending"]
    slots: int = Field(ge=1, le=99)
    capacity: int = Field(ge=1, le=99)


class AtmEntry(_Device):
    """A cash machine: what is shown of it."""

    kind: Literal["atm"]
    bank: str
    place: str = ""
    fee_note: str = ""


class DoorEntry(_Device):
    """The shop's door; its opening rules are made in the backoffice."""

    kind: Literal["door"]
    hold_s: int = Field(default=8, ge=1, le=60)


class ThermometerEntry(_Device):
    """A probe with its limits, in thousandths of a degree Celsius."""

    kind: Literal["thermometer"]
    min_milli: int
    max_milli: int
    alarm_after_s: int = Field(default=1200, ge=0)


class TerminalEntry(_Device):
    """A card terminal."""

    kind: Literal["terminal"]


class KioskPartEntry(_Device):
    """A printer or scanner: `kiosk` is the register code of the screen where it stands."""

    kind: Literal["printer", "scanner"]
    kiosk: str


DeviceEntry = Annotated[
    StationEntry | VendingEntry | AtmEntry | DoorEntry | ThermometerEntry | TerminalEntry | KioskPartEntry,
    Field(discriminator="kind"),
]


class Machines(_Strict):
    """The file, see config/machines.toml."""

    kiosk: tuple[KioskEntry, ...] = ()
    device: tuple[DeviceEntry, ...] = ()


@dataclass(frozen=True)
class _Place:
    session: Session
    hasher: SecretHasher
    site: Site


def enter(settings: Settings, file: Path, keys: Path, *, site: str = "") -> list[str]:
    """Enter the machines of `file`, write what each needs to sign in into the folder `keys`; say what was done.

    Args:
        site: short name of the shop; may be empty where there is one only.

    Raises:
        OperatingError: there is no such shop or kiosk; nothing was entered.
        pydantic.ValidationError: the file has another shape.
        shop_hub.core.errors.ShopError: a name or limit is refused; nothing was entered.
    """
    machines = Machines.model_validate(tomllib.loads(file.read_text(encoding="utf-8")))
    hasher = SecretHasher(settings.secret())
    audit.use_key(hasher.derive("audit"))
    database = Database(settings.database)
    try:
        with database.transaction() as session:
            place = _Place(session, hasher, _site(session, site))
            done = [_enter_kiosk(place, entry) for entry in machines.kiosk]
            done += [_enter_device(place, entry) for entry in machines.device]
            notes = [_note(place, entry) for entry in machines.device]
    finally:
        database.dispose()
    _write_keys(keys, settings, notes)
    return [*done, f"What each machine needs to sign in lies in {keys}: nobody else may read it."]


def _site(session: Session, slug: str) -> Site:
    wanted = select(Site).where(Site.slug == slug) if slug else select(Site)
    found = session.scalars(wanted.limit(2)).all()
    if len(found) != 1:
        raise OperatingError("Please name the shop by its short name: --site …" if found else "There is no such shop.")
    return found[0]


def _enter_kiosk(place: _Place, entry: KioskEntry) -> str:
    if _kiosk_id(place, entry.register_code) is not None:
        return f"{entry.register_code}: was there"
    kiosks.create(place.session, place.site.id, entry.name, entry.register_code, actor=ACTOR)
    return f"{entry.register_code}: entered; make its pairing code in the backoffice"


def _enter_device(place: _Place, entry: DeviceEntry) -> str:
    kind, session = DeviceKind(entry.kind), place.session
    device = session.scalar(select(Device).where(Device.site_id == place.site.id, Device.slug == entry.id))
    if device is None:
        kiosk_id = _kiosk_id(place, entry.kiosk) if isinstance(entry, KioskPartEntry) else None
        if isinstance(entry, KioskPartEntry) and kiosk_id is None:
            raise OperatingError(f"{entry.id}: there is no kiosk {entry.kiosk}.")
        new = NewDevice(entry.id, kind, entry.name, kiosk_id=kiosk_id)
        issued = provisioning.create(session, place.hasher, place.site.id, new, actor=ACTOR)
        device = session.get_one(Device, issued.device_id)
    elif device.kind is not kind:
        raise OperatingError(f"{entry.id} is registered already, as another kind of device.")
    model = _BOOKS.get(entry.kind)
    if model is None:
        return f"{entry.id}: registered"
    if session.scalar(select(model.id).where(model.device_id == device.id)) is not None:
        return f"{entry.id}: was there"
    _SET_UP[entry.kind](place, device.id, entry)
    return f"{entry.id}: registered and set up"


def _kiosk_id(place: _Place, register_code: str) -> int | None:
    wanted = select(Kiosk.id).where(Kiosk.site_id == place.site.id, Kiosk.register_code == register_code)
    return place.session.scalar(wanted)


def _add_station(place: _Place, device_id: int, entry: StationEntry) -> None:
    doors = [
        NewCompartment(door.number, door.node, door.size, door.column, door.row, door.accessible, door.zone)
        for door in entry.compartments
    ]
    layout.create_locker(place.session, device_id, entry.name, doors, actor=ACTOR)


def _add_vending(place: _Place, device_id: int, entry: VendingEntry) -> None:
    slots = [NewSlot(number=number, capacity=entry.capacity) for number in range(1, entry.slots + 1)]
    planogram.add_machine(place.session, place.site.id, entry.name, device_id, slots, actor=ACTOR)


def _add_atm(place: _Place, device_id: int, entry: AtmEntry) -> None:
    new = NewCashMachine(bank=entry.bank, place=entry.place, fee_note=entry.fee_note, device_id=device_id)
    atm.add_machine(place.session, place.site.id, new)


def _add_door(place: _Place, device_id: int, entry: DoorEntry) -> None:
    new = NewEntrance(name=entry.name, device_id=device_id, hold_s=entry.hold_s)
    entrance.add_entrance(place.session, place.site.id, new)


def _add_probe(place: _Place, device_id: int, entry: ThermometerEntry) -> None:
    new = NewProbe(
        name=entry.name,
        device_id=device_id,
        min_milli=entry.min_milli,
        max_milli=entry.max_milli,
        alarm_after_s=entry.alarm_after_s,
    )
    climate.add_probe(place.session, place.site.id, new)


_BOOKS: dict[str, Any] = {
    "locker": Locker,
    "vending": VendingMachine,
    "atm": CashMachine,
    "door": Entrance,
    "thermometer": Probe,
}
_SET_UP: dict[str, Callable[[_Place, int, Any], None]] = {
    "locker": _add_station,
    "vending": _add_vending,
    "atm": _add_atm,
    "door": _add_door,
    "thermometer": _add_probe,
}


def _note(place: _Place, entry: DeviceEntry) -> dict[str, Any]:
    """Return what a machine needs to sign in, in the form of devices/simulators/config.py."""
    device = place.session.scalars(select(Device).where(Device.site_id == place.site.id, Device.slug == entry.id)).one()
    issued = provisioning.credentials(place.session, place.hasher, device)
    note: dict[str, Any] = {"site": issued.site, "id": entry.id, "kind": entry.kind, "name": entry.name}
    note |= {"user": issued.user, "password": issued.password, "key": issued.key_hex, "map": device.map_revision}
    match entry:
        case KioskPartEntry():
            note["kiosk"] = entry.kiosk
        case VendingEntry():
            note |= {"slots": entry.slots, "capacity": entry.capacity}
        case ThermometerEntry():
            note |= {"low_milli": entry.min_milli, "high_milli": entry.max_milli}
        case StationEntry():
            note["compartments"] = [
                {"node": door.node, "board": f"board-{at // DOORS_A_BOARD + 1}", "size": door.size.value}
                for at, door in enumerate(entry.compartments)
            ]
    return note


def _write_keys(folder: Path, settings: Settings, notes: list[dict[str, Any]]) -> None:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for note in notes:
        _write(folder / f"{note['id']}.json", note)
    if not notes:
        return
    devices = [
        {name: value for name, value in note.items() if name != "site"}
        | ({"folder": str(folder / "printed")} if note["kind"] == "printer" else {})
        for note in notes
    ]
    broker = {"host": settings.mqtt.host, "port": settings.mqtt.port}
    whole = {"site": notes[0]["site"], "broker": broker, "folder": str(folder / "machines"), "devices": devices}
    _write(folder / SIMULATORS, whole)


def _write(path: Path, content: dict[str, Any]) -> None:
    """Write a file that only its owner can read."""
    path.unlink(missing_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump(content, file, indent=1, ensure_ascii=False)
