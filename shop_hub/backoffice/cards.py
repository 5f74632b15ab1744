"""The dashboard's cards: small reads of the features, each with the live topics after which it is stale."""

from collections.abc import Callable
from dataclasses import dataclass

from shop_hub.atm import queries as atm
from shop_hub.atm import words as atm_words
from shop_hub.backoffice import attention
from shop_hub.catalog import queries as catalog
from shop_hub.checkout import queries as checkout
from shop_hub.climate import queries as climate
from shop_hub.core import menu
from shop_hub.core.access import Principal
from shop_hub.core.errors import N_
from shop_hub.core.menu import DashboardCard
from shop_hub.core.web import session
from shop_hub.entrance import queries as entrance
from shop_hub.fleet import queries as fleet
from shop_hub.fleet.models import Link
from shop_hub.lockers import queries as lockers
from shop_hub.lockers.models import Allocation, Door
from shop_hub.parcels import queries as parcels
from shop_hub.stock import queries as stock
from shop_hub.vending import queries as vending

SHOWN = 6
ALERT_TOPICS = ("alerts", "device", "parcel", "locker", "vending", "climate", "entrance", "board", "payment", "sale")


@dataclass(frozen=True)
class Low:
    """A product that runs out."""

    name: str
    on_hand_milli: int
    min_milli: int


@dataclass(frozen=True)
class Station:
    """How full a parcel station is."""

    name: str
    is_ready: bool
    free: int
    taken: int
    open_doors: tuple[int, ...]


@dataclass(frozen=True)
class Fleet:
    """How many machines are connected, and which are not."""

    connected: int
    total: int
    missing: tuple[str, ...]


def _attention(asking: Principal) -> object:
    return attention.needs(asking)


def _sales(asking: Principal) -> object:
    return {
        "today": checkout.sales_today(session(), asking.site),
        "recent": checkout.recent_sales(session(), asking.site, limit=4),
    }


def _low_stock(asking: Principal) -> object:
    rows = stock.low_stock(session(), asking.site)
    names = catalog.names(session(), [row.product_id for row in rows[:SHOWN]])
    low = [Low(names.get(row.product_id, "?"), row.on_hand_milli, row.min_milli) for row in rows[:SHOWN]]
    return {"low": low, "count": len(rows)}


def _tasks(asking: Principal) -> object:
    tasks = stock.open_tasks(session(), asking.site)
    ids = [task.product_id for task in tasks[:SHOWN] if task.product_id is not None]
    names = catalog.names(session(), ids)
    return {"tasks": [(task, names.get(task.product_id or 0, "")) for task in tasks[:SHOWN]], "count": len(tasks)}


def _parcels(asking: Principal) -> object:
    return {"counts": parcels.counts(session(), asking.site), "stations": _stations(asking.site)}


def _stations(site_id: int) -> list[Station]:
    views = [lockers.station(session(), locker.id) for locker in lockers.stations(session(), site_id)]
    return [
        Station(
            view.name,
            view.is_ready,
            sum(door.is_usable for door in view.doors),
            sum(door.allocation is Allocation.OCCUPIED for door in view.doors),
            tuple(door.number for door in view.doors if door.door is Door.OPEN),
        )
        for view in views
    ]


def _entrance(asking: Principal) -> object:
    if not entrance.has_entrance(session(), asking.site):
        return None
    return {"status": entrance.status(session(), asking.site), "door": entrance.door(session(), asking.site)}


def _machines(asking: Principal) -> object:
    cash = [
        (machine, atm_words.SERVICE[machine.service], atm_words.TONE[machine.service])
        for machine in atm.machines(session(), asking.site)
    ]
    return {"cash": cash, "vending": vending.machines(session(), asking.site)}


def _climate(asking: Principal) -> object:
    return climate.probes(session(), asking.site)


def _devices(asking: Principal) -> object:
    devices = fleet.devices(session(), asking.site)
    missing = tuple(device.name for device in devices if device.link is not Link.READY)
    return Fleet(len(devices) - len(missing), len(devices), missing)


_CARDS: tuple[tuple[str, str, Callable[[Principal], object], str, tuple[str, ...]], ...] = (
    ("attention", N_("Needs attention"), _attention, "bell", ALERT_TOPICS),
    ("sales", N_("Sales today"), _sales, "receipt", ("sale", "payment")),
    ("parcels", N_("Parcels"), _parcels, "parcel", ("parcel", "locker")),
    ("tasks", N_("Open tasks"), _tasks, "clipboard", ("tasks", "stock")),
    ("low-stock", N_("Running low"), _low_stock, "shelves", ("stock", "sale")),
    ("entrance", N_("Shop door"), _entrance, "door", ("entrance", "alerts")),
    ("climate", N_("Fridges"), _climate, "thermometer", ("climate", "alerts")),
    ("machines", N_("Machines"), _machines, "vending", ("atm", "vending")),
    ("devices", N_("Devices"), _devices, "device", ("device",)),
)

for _place, (_key, _title, _read, _icon, _topics) in enumerate(_CARDS):
    menu.add_card(
        DashboardCard(
            key=_key,
            title=_title,
            template=f"backoffice/cards/{_key}.html",
            read=_read,
            topics=_topics,
            icon=_icon,
            sort=10 * _place,
        )
    )
