"""Periodic work of stock."""

from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from shop_hub.core import clock
from shop_hub.core.jobs import Job
from shop_hub.core.sites import Site
from shop_hub.core.web import ShopHub
from shop_hub.stock import queries, tasks


def jobs(hub: ShopHub) -> list[Job]:  # noqa: ARG001 - the shape that the runtime calls
    """Return the jobs of this feature."""
    return [Job("stock.pull-expired", timedelta(minutes=15), pull_expired, needs_trusted_clock=True)]


def pull_expired(session: Session) -> None:
    """Ask to take goods off the shelf whose use-by date has passed (Regulation (EU) 1169/2011, Art. 24)."""
    for site in session.scalars(select(Site)):
        yesterday = clock.today(site.timezone) - timedelta(days=1)
        for lot in queries.lots(session, site.id, until=yesterday):
            if lot.use_by is not None:
                tasks.open_pull(session, site.id, lot.product_id, lot=lot.code, day=lot.use_by.isoformat())
