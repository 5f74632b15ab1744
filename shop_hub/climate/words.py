"""What people read about temperatures."""

from flask_babel import format_decimal

from shop_hub.climate.models import Side
from shop_hub.climate.queries import ProbeView
from shop_hub.core.errors import N_

SIDE = {Side.TOO_WARM: N_("too warm"), Side.TOO_COLD: N_("too cold")}


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
