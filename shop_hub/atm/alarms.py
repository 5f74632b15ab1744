"""What the cash machine wants a person to know."""

from collections.abc import Iterator

from sqlalchemy.orm import Session

from shop_hub.atm import queries
from shop_hub.atm.models import Service
from shop_hub.core import clock
from shop_hub.core.conditions import Condition, Severity
from shop_hub.core.errors import N_


def conditions(session: Session, site_id: int) -> Iterator[Condition]:
    """Return machines that are out of order. The bank owns them, so it is only to know; the reason stays inside."""
    for view in queries.machines(session, site_id):
        if view.service is Service.OUT_OF_SERVICE:
            yield Condition(
                key=f"atm:{view.public_id}:out",
                severity=Severity.INFO,
                text=N_("The cash machine is out of order"),
                since=view.since or clock.now(),
                advice=N_("Tell the bank, if it does not know yet."),
                endpoint="atm.index",
            )
