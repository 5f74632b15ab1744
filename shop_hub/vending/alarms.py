"""What vending machines want a person to look at."""

from collections.abc import Iterator

from sqlalchemy.orm import Session

from shop_hub.core import clock
from shop_hub.core.conditions import Condition, Severity
from shop_hub.core.errors import N_
from shop_hub.vending import queries
from shop_hub.vending.models import Flag


def conditions(session: Session, site_id: int) -> Iterator[Condition]:
    """Return slots that jammed, or from which nobody knows whether a piece fell."""
    for machine in queries.machines(session, site_id):
        for slot in machine.slots:
            if slot.flag in (Flag.JAM, Flag.DOUBT):
                yield Condition(
                    key=f"slot:{slot.id}:{slot.flag}",
                    severity=Severity.WARNING,
                    text=N_("%(machine)s: slot %(number)s needs a look"),
                    params={"machine": machine.name, "number": slot.number},
                    since=clock.now(),
                    endpoint="vending.index",
                )
