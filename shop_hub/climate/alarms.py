"""What the climate wants a person to look at."""

from collections.abc import Iterator
from datetime import timedelta

from sqlalchemy.orm import Session

from shop_hub.climate import queries
from shop_hub.climate.models import Side
from shop_hub.core import clock
from shop_hub.core.conditions import Condition, Severity
from shop_hub.core.errors import N_

SILENT_FOR = timedelta(minutes=15)
_TEXT = {
    Side.TOO_WARM: N_("%(name)s is too warm: %(worst_milli)s °C"),
    Side.TOO_COLD: N_("%(name)s is too cold: %(worst_milli)s °C"),
}


def conditions(session: Session, site_id: int) -> Iterator[Condition]:
    """Return alarms, silent thermometers, and held goods that nobody has decided about."""
    for probe in queries.probes(session, site_id):
        if probe.alarm is not None:
            yield Condition(
                key=f"climate:{probe.id}:limits",
                severity=Severity.CRITICAL,
                text=_TEXT[probe.alarm.side],
                params={"name": probe.name, "worst_milli": probe.alarm.worst_milli},
                since=probe.alarm.began_at,
                advice=N_("Look at the fridge and measure the goods."),
                endpoint="climate.index",
            )
        elif probe.milli is None and (probe.last_at is None or clock.now() - probe.last_at >= SILENT_FOR):
            yield Condition(
                key=f"climate:{probe.id}:silent",
                severity=Severity.WARNING,
                text=N_("%(name)s: no reading, the temperature is not known"),
                params={"name": probe.name},
                since=probe.last_at or clock.now(),
                advice=N_("Look at the fridge and at its thermometer."),
                endpoint="climate.index",
            )
    for block in queries.open_blocks(session, site_id):
        if block.decision is None:
            yield Condition(
                key=f"climate:block:{block.id}",
                severity=Severity.CRITICAL,
                text=N_("%(group)s: not for sale, was too warm"),
                params={"group": block.group},
                since=block.began_at,
                advice=N_("Measure the goods, then release them, move them or throw them away."),
                endpoint="climate.index",
            )
