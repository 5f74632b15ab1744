"""What the states of a device mean for the person who looks after it; worst first.

States come from machines of any maker: a value of another shape than the contract's says nothing.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from pydantic import JsonValue

from shop_hub.core.errors import N_
from shop_hub.fleet.models import DeviceKind

TONES = ("bad", "warning", "info", "")
States = Mapping[tuple[str, str], JsonValue]
"""Values by node and name."""
NAMES = ("door", "lock", "state", "stock", "temperature", "limits", "battery", "mode", "status")
"""The properties that are looked at."""
_LOW_BATTERY = 150


@dataclass(frozen=True)
class Fact:
    """One thing to know: a msgid with its params; `milli` is a temperature."""

    tone: str
    text: str
    params: Mapping[str, str] = field(default_factory=dict)
    milli: int | None = None


_SAYS_NOTHING = Fact("warning", N_("It does not say how it is"))
_ALERTS = (
    ("two-doors", N_("Two doors opened at once, the station stands still")),
    ("door-map", N_("Its door map does not fit, set the station up again")),
    ("left-open-", N_("Open for long: %(place)s")),
    ("jam-", N_("Does not open: %(place)s")),
    ("sensor-", N_("Door contact is in doubt: %(place)s")),
    ("lost-", N_("Lock board does not answer: %(place)s")),
    ("power-", N_("Power supply is weak: %(place)s")),
    ("probe", N_("The probe does not answer")),
    ("scanner", N_("Scanner is not plugged in")),
    ("refused-command", N_("It refused an order: %(text)s")),
)


def of(kind: DeviceKind, states: States, alerts: Iterable[tuple[str, str]]) -> list[Fact]:
    """Return what is to be known now.

    Args:
        states: what the device tells.
        alerts: names and texts of what it complains about.
    """
    found = [_complaint(name, text) for name, text in alerts]
    found += _LOOKS[kind](states) if states or kind is DeviceKind.SCANNER else [_SAYS_NOTHING]
    return sorted(found, key=lambda fact: TONES.index(fact.tone))


def _complaint(name: str, text: str) -> Fact:
    for start, words in _ALERTS:
        if name.startswith(start):
            return Fact("bad", words, {"place": _number(name.removeprefix(start)), "text": text})
    return Fact("bad", N_("It reports: %(text)s"), {"text": f"{name} {text}"})


def _locker(states: States) -> Iterator[Fact]:
    yield from _where(states, "lock", "jam", "bad", N_("Does not open: %(place)s"))
    yield from _where(states, "state", "lost", "bad", N_("Lock board does not answer: %(place)s"))
    yield from _where(states, "door", "open", "warning", N_("Open: %(place)s"))
    yield from _where(states, "door", "unknown", "warning", N_("Door not known: %(place)s"))
    if states.get(("setup", "mode")) is True:
        yield Fact("info", N_("It is being set up"))


def _vending(states: States) -> Iterator[Fact]:
    yield from _where(states, "state", "jam", "bad", N_("Jammed: %(place)s"))
    yield from _where(states, "state", "doubt", "bad", N_("Sale in doubt: %(place)s"))
    yield from _where(states, "state", "warm", "bad", N_("Got too warm: %(place)s"))
    sold_out = {node for (node, name), value in states.items() if name == "stock" and value == 0}
    sold_out |= {node for (node, name), value in states.items() if name == "state" and value == "empty"}
    if sold_out:
        yield Fact("warning", N_("Sold out: %(place)s"), {"place": _numbers(sold_out)})
    if states.get(("unit", "door")) == "open":
        yield Fact("warning", N_("Its door is open"))
    yield from _temperature(states)


def _atm(states: States) -> Iterator[Fact]:
    status = states.get(("atm", "status"))
    service = status.get("service") if isinstance(status, dict) else None
    if service == "outOfService":
        yield Fact("bad", N_("Out of order"))
    elif service == "supervisor":
        yield Fact("warning", N_("Maintenance"))
    elif service != "inService":
        yield _SAYS_NOTHING


def _door(states: States) -> Iterator[Fact]:
    if "unknown" in _values(states, "door"):
        yield _SAYS_NOTHING
    if "open" in _values(states, "door"):
        yield Fact("info", N_("The door is open"))
    if "free" in _values(states, "lock"):
        yield Fact("info", N_("Not locked"))
    if "locked" in _values(states, "mode"):
        yield Fact("info", N_("Locked by staff"))


def _terminal(states: States) -> Iterator[Fact]:
    state = next(iter(_values(states, "state")), None)
    if state in ("offline", "unknown"):
        yield Fact("bad", N_("The machine itself does not answer"))
    elif state != "ready":
        yield Fact("info", N_("In use"))


def _printer(states: States) -> Iterator[Fact]:
    words = {
        "paper-out": N_("Out of paper"),
        "cover-open": N_("Cover is open"),
        "offline": N_("The machine itself does not answer"),
    }
    for state in _values(states, "state"):
        if isinstance(state, str) and state in words:
            yield Fact("bad", words[state])


def _thermometer(states: States) -> Iterator[Fact]:
    yield from _temperature(states)
    for battery in _values(states, "battery"):
        left = _whole(battery)
        if left is not None and left <= _LOW_BATTERY:
            yield Fact("warning", N_("Battery nearly empty"))


def _temperature(states: States) -> Iterator[Fact]:
    for (node, name), value in states.items():
        if name != "temperature":
            continue
        milli, limits = _whole(value), states.get((node, "limits"))
        low, high = (_whole(limits.get(edge)) if isinstance(limits, dict) else None for edge in ("low", "high"))
        if milli is None:
            yield Fact("warning", N_("No reading"))
        elif high is not None and milli > high:
            yield Fact("bad", N_("Too warm: %(temperature)s"), milli=milli)
        elif low is not None and milli < low:
            yield Fact("bad", N_("Too cold: %(temperature)s"), milli=milli)
        else:
            yield Fact("", "%(temperature)s", milli=milli)


def _nothing(_states: States) -> Iterator[Fact]:
    yield from ()


_LOOKS: dict[DeviceKind, Callable[[States], Iterator[Fact]]] = {
    DeviceKind.LOCKER: _locker,
    DeviceKind.VENDING: _vending,
    DeviceKind.ATM: _atm,
    DeviceKind.DOOR: _door,
    DeviceKind.TERMINAL: _terminal,
    DeviceKind.PRINTER: _printer,
    DeviceKind.SCANNER: _nothing,
    DeviceKind.THERMOMETER: _thermometer,
}


def _where(states: States, name: str, wanted: str, tone: str, text: str) -> Iterator[Fact]:
    """Yield one fact for all nodes of which a property has the value `wanted`."""
    nodes = {node for (node, given), value in states.items() if given == name and value == wanted}
    if nodes:
        yield Fact(tone, text, {"place": _numbers(nodes)})


def _values(states: States, name: str) -> list[JsonValue]:
    return [value for (_node, given), value in states.items() if given == name]


def _numbers(nodes: Iterable[str]) -> str:
    return ", ".join(_number(node) for node in sorted(nodes))


def _number(node: str) -> str:
    """Return the number of a door, slot or board: "box-07" is 7; other nodes keep their names."""
    kind, _, number = node.rpartition("-")
    return str(int(number)) if kind in ("box", "slot", "board") and number.isdecimal() else node


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
