"""Periodic work of the climate."""

from datetime import timedelta

from sqlalchemy import delete
from sqlalchemy.orm import Session

from shop_hub.climate.models import ClimateReading
from shop_hub.core import clock
from shop_hub.core.jobs import Job
from shop_hub.core.web import ShopHub

KEPT = timedelta(days=730)
"""Two years of cooling records for the food inspection; alarms with their notes stay."""


def jobs(hub: ShopHub) -> list[Job]:  # noqa: ARG001 - every feature's jobs get the hub
    """Return the forgetting of old readings."""
    return [Job("climate-readings", timedelta(hours=24), forget_old, needs_trusted_clock=True)]


def forget_old(session: Session) -> None:
    """Delete readings older than two years."""
    session.execute(delete(ClimateReading).where(ClimateReading.at < clock.now() - KEPT))
