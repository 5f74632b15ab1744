"""What vending machines want a person to look at."""

from collections.abc import Iterator

from sqlalchemy.orm import Session

from shop_hub.core import clock
from shop_hub.core.conditions import Condition, Severity
from shop_hub.core.errors import N_
from shop_hub.vending import comparing, queries
from shop_hub.vending.models import Flag
from shop_hub.vending.queries import MachineView


def conditions(session: Session, site_id: int) -> Iterator[Condition]:
    """Return slots that jammed or are in doubt, machines that got too warm, and counters that differ from our sales."""
    for machine in queries.machines(session, site_id):
        yield from _slots(machine)
        if any(slot.machine_state == "warm" for slot in machine.slots):
            yield Condition(
                key=f"machine:{machine.id}:warm",
                severity=Severity.WARNING,
                text=N_("%(machine)s: cooled goods got too warm, their slots sell no more"),
                params={"machine": machine.name},
                since=clock.now(),
                endpoint="vending.index",
            )
        for newest in comparing.history(session, machine.id, 1):
            if newest.differing:
                yield Condition(
                    key=f"machine:{machine.id}:counters:{newest.audit.id}",
                    severity=Severity.INFO,
                    text=N_("%(machine)s: its counters and our sales differ"),
                    params={"machine": machine.name},
                    since=newest.audit.received_at,
                    endpoint="vending.index",
                )


def _slots(machine: MachineView) -> Iterator[Condition]:
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
