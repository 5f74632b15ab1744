"""What the shop door wants a person to look at."""

from collections.abc import Iterator

from sqlalchemy.orm import Session

from shop_hub.core import clock
from shop_hub.core.conditions import Condition, Severity
from shop_hub.core.errors import N_
from shop_hub.entrance import queries
from shop_hub.entrance.models import DoorAlert

_SEVERITY = {DoorAlert.FORCED: Severity.CRITICAL, DoorAlert.HELD_OPEN: Severity.WARNING}
_TEXT = {
    DoorAlert.FORCED: N_("%(name)s was opened although nobody was let in"),
    DoorAlert.HELD_OPEN: N_("%(name)s has been open for a long time"),
}


def conditions(session: Session, site_id: int) -> Iterator[Condition]:
    """Return the complaint about the door, if there is one."""
    if not queries.has_entrance(session, site_id):
        return
    door = queries.door(session, site_id)
    if door.alert is not None:
        yield Condition(
            key=f"door:{door.id}:{door.alert}",
            severity=_SEVERITY[door.alert],
            text=_TEXT[door.alert],
            params={"name": door.name},
            since=door.alert_at or clock.now(),
            endpoint="entrance.index",
        )
