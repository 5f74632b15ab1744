"""Pages that show each building block once, for tests of sizes, colours and behaviour; not part of the product."""

from dataclasses import dataclass
from typing import Any

from flask import Blueprint, flash, render_template, request
from flask.typing import ResponseReturnValue

from shop_hub.core.access import Role, access
from shop_hub.core.qr import svg

blueprint = Blueprint("gallery", __name__, template_folder="templates")
received: list[dict[str, Any]] = []

PAGES = ("home", "basket", "door", "pin", "list", "write", "receipt", "goods", "sign")


@dataclass(frozen=True)
class Box:
    label: str
    size: str


@dataclass(frozen=True)
class Shown:
    title: str
    icon: str
    fact: str
    is_strong: bool
    href: str = "#"


@dataclass(frozen=True)
class Next:
    when: str
    what: str
    language: str = "de"


TILES = [
    Shown("Einkaufen", "basket", "Laden offen bis 22 Uhr", is_strong=True),
    Shown("Paket", "parcel", "Abholen oder abgeben", is_strong=True),
    Shown("Bus und Mitfahren", "bus", "Nächste Fahrt in 24 Minuten", is_strong=False),
    Shown("Termine", "calendar", "3 heute, 11 diese Woche", is_strong=False),
    Shown("Schwarzes Brett", "board", "6 neue Zettel", is_strong=False),
    Shown("Hilfe geben, Hilfe finden", "hands", "4 suchen gerade Hilfe", is_strong=False),
    Shown("Raum buchen", "room", "Saal heute frei", is_strong=False),
    Shown("Beratung und Amt", "advice", "Rente: Dienstag 14 Uhr", is_strong=False),
    Shown("Familie und Arbeit", "family", "Betreuung, Stellen, Lehre", is_strong=False),
    Shown("Melden und Notfall", "bell", "112, Arzt, Schaden", is_strong=False),
]
STATION = [
    [Box(str(column * 6 + row + 1), size) for row, size in enumerate(sizes)]
    for column, sizes in enumerate([("s", "s", "m", "m", "l"), ("s", "s", "screen", "m", "l"), ("m", "m", "l", "xl")])
]


COMING = [Next("17:54", "Blutspende im Feuerwehrhaus"), Next("Morgen", "Chorprobe im Dorfgemeinschaftshaus")]


@blueprint.get("/kiosk/gallery/<name>")
@access(Role.ANONYMOUS)
def show(name: str) -> ResponseReturnValue:
    if "flash" in request.args:
        flash(request.args["flash"], "warning")
    code = svg("HTTPS://DORF.EXAMPLE/P#7Q2M9X", label="Kassenzettel")
    return render_template(f"gallery/{name}.html", tiles=TILES, coming=COMING, topics=[], station=STATION, qr=code)


@blueprint.post("/kiosk/gallery/take")
@access(Role.ANONYMOUS)
def take() -> ResponseReturnValue:
    """Remember what was sent, so that a test can count it."""
    received.append(request.form.to_dict())
    return f"<p>{len(received)}</p>"
