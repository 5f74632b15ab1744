"""API of the cash machines: only what the public may see."""

from datetime import datetime

from flask import Blueprint

from shop_hub.atm import queries
from shop_hub.core.access import Role, principal
from shop_hub.core.api import PREFIX, ApiModel, Page, operation
from shop_hub.core.web import session

blueprint = Blueprint("atm_api", __name__, url_prefix=PREFIX)


class AtmOut(ApiModel):
    """A cash machine. `service` is unknown when nothing was heard for a minute."""

    id: str
    bank: str
    place: str
    service: str
    withdrawal: str | None
    since: datetime | None


@operation(blueprint, "GET", "/atms", roles=(Role.TILL, Role.CARRIER, Role.MONITOR), result=Page[AtmOut])
def list_atms() -> Page[AtmOut]:
    """List the site's cash machines and whether they work."""
    items = [
        AtmOut(
            id=str(view.public_id),
            bank=view.bank,
            place=view.place,
            service=view.service.value,
            withdrawal=view.withdrawal.value if view.withdrawal else None,
            since=view.since,
        )
        for view in queries.machines(session(), principal().site)
    ]
    return Page[AtmOut](items=items)
