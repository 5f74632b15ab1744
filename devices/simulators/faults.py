"""What may be broken at each kind of machine, and how it is mended: words for people, made of the twins' verbs."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Step = tuple[str, dict[str, Any]]
"""A verb and its arguments; the place, if the fault has one, is added."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that breaks. `place` names the argument that says where: a compartment or slot, or a board."""

    breaking: tuple[Step, ...]
    mending: tuple[Step, ...]
    place: str = ""


def _switch(verb: str, name: str = "on", place: str = "") -> Fault:
    """Return a fault that a verb switches on and off."""
    return Fault(((verb, {name: True}),), ((verb, {name: False}),), place)


PLACES: Mapping[str, tuple[str, ...]] = {"node": ("compartment", "slot"), "board": ("board",)}
"""Types of nodes that can be such a place."""
_EVERYWHERE = {"link": _switch("link_cut"), "power": Fault((("switch_off", {}),), (("switch_on", {}),))}
_SILENT = {"silent": _switch("silent")}
_OF_KIND: Mapping[str, Mapping[str, Fault]] = {
    "locker": {
        "jam": Fault((("fault", {"name": "jam"}),), (("repair", {}),), "node"),
        "sensor-stuck": Fault((("fault", {"name": "sensor_stuck"}),), (("repair", {}),), "node"),
        "forced-open": Fault((("open_door", {}),), (("close_door", {}),), "node"),
        "board-lost": _switch("board", "dead", "board"),
    },
    "vending": {
        "jam": Fault((("jam", {}),), (("refill", {"stock": 5}),), "node"),
        "warm": Fault((("temperature", {"milli": 15_000}),), (("temperature", {"milli": 5_000}),)),
        "door-open": _switch("door", "is_open"),
        "drop-unseen": Fault((("fault", {"name": "sensor-silent"}),), (("fault", {"name": "none"}),)),
        "motor-stuck": Fault((("fault", {"name": "stuck"}),), (("fault", {"name": "none"}),)),
        "reboot": Fault((("fault", {"name": "reboot"}),), (("fault", {"name": "none"}),)),
        **_SILENT,
    },
    "atm": {
        "out-of-order": Fault((("device", {"status": "hardwareError"}),), (("device", {"status": "online"}),)),
        "no-cash": Fault(
            tuple(("level", {"unit": f"cassette-{number}", "level": "empty"}) for number in (1, 2)),
            tuple(("level", {"unit": f"cassette-{number}", "level": "ok"}) for number in (1, 2)),
        ),
        **_SILENT,
    },
    "door": {
        "held-open": Fault((("auto", {"seconds": 0}), ("leave", {})), (("close_door", {}), ("auto", {"seconds": 4}))),
        "forced-open": Fault((("force", {}),), (("close_door", {}),)),
    },
    "terminal": {"dead": _switch("dead")},
    "printer": {
        "paper-out": Fault((("paper", {"state": "paper-out"}),), (("paper", {"state": "ok"}),)),
        "cover-open": Fault((("paper", {"state": "cover-open"}),), (("paper", {"state": "ok"}),)),
        **_SILENT,
    },
    "thermometer": {
        "warm": Fault((("temperature", {"milli": 15_000}),), (("as_usual", {}),)),
        "battery-low": Fault((("battery", {"permille": 40}),), (("battery", {"permille": 870}),)),
        **_SILENT,
    },
}


def faults_of(kind: str) -> Mapping[str, Fault]:
    """Return what can break at a machine of this kind, by name."""
    return {**_OF_KIND.get(kind, {}), **_EVERYWHERE}
