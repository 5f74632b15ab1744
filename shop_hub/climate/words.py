"""What people read about temperatures."""

from datetime import datetime

from flask_babel import format_decimal

from shop_hub.climate.models import Decision, Side, Stand
from shop_hub.climate.queries import ProbeView
from shop_hub.core.errors import N_
from shop_hub.core.formats import day, hour

SIDE = {Side.TOO_WARM: N_("too warm"), Side.TOO_COLD: N_("too cold")}
STAND = {Stand.SHELF: N_("in the shop"), Stand.MACHINE: N_("in the vending machine")}
DECISION = {
    Decision.RELEASED: N_("checked, still good: for sale again"),
    Decision.MOVED: N_("moved to another fridge in time"),
    Decision.DISCARDED: N_("thrown away"),
}
TO_DO = (
    N_("Look at the fridge: is the door shut, is it switched on, is it iced up?"),
    N_("Measure between two packs with a clean thermometer, and write the temperature down."),
    N_("Was it too warm for too long, or are you in doubt? Throw it away. Do not taste it."),
    N_("Still cold inside? Put it into another fridge at once."),
    N_("Only goods that were measured and are still good go back on sale."),
)


def degrees(milli: int | None) -> str:
    """Return thousandths of a degree with one decimal in the reader's language, e.g. "4,6 °C"."""
    if milli is None:
        return "\N{EN DASH}"
    return f"{format_decimal(milli / 1000, format='0.0')}\N{NO-BREAK SPACE}°C"


def tone(probe: ProbeView) -> str:
    """Return the colour of a probe: bad in an alarm, warning when silent or outside, else none."""
    if probe.alarm is not None:
        return "bad"
    return "warning" if probe.milli is None or probe.is_outside else ""


def sentence(probe: ProbeView) -> str:
    """Return the msgid of what matters about a probe."""
    if probe.milli is None:
        return N_("silent: temperature not known")
    if probe.alarm is not None:
        return SIDE[probe.alarm.side]
    return N_("outside its limits, for a short time so far") if probe.is_outside else N_("as it should be")


def exact(at: datetime) -> str:
    """Return day and time in figures, for papers that are read later."""
    return f"{day(at)} {hour(at)}"
