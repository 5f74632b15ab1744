"""What payments want a person to look at."""

from collections.abc import Iterator

from sqlalchemy.orm import Session

from shop_hub.checkout import queries
from shop_hub.core.conditions import Condition, Severity
from shop_hub.core.errors import N_


def conditions(session: Session, site_id: int) -> Iterator[Condition]:
    """Return payments that only a person can decide about."""
    for sale in queries.in_review(session, site_id):
        yield Condition(
            key=f"sale:{sale.public_id}:review",
            severity=Severity.WARNING,
            text=N_("A payment is in doubt and waits for a decision"),
            since=sale.at,
            advice=N_("Compare with the terminal's slip, then decide."),
            endpoint="checkout.index",
        )
