"""Periodic work of the alarms."""

from datetime import timedelta

from shop_hub.alarms import service, wiring
from shop_hub.alarms.heartbeat import Heart
from shop_hub.core.jobs import Job
from shop_hub.core.web import ShopHub


def jobs(hub: ShopHub) -> list[Job]:
    """Return the look at all conditions, the forgetting of old alarms, and the heartbeat if one is wanted."""
    settings = hub.settings.alarms
    found = [
        Job("alarms", timedelta(seconds=15), lambda session: service.look(session, wiring.sources)),
        Job("alarms-old", timedelta(hours=24), service.forget_old, needs_trusted_clock=True),
    ]
    if settings.heartbeat_url:
        every = timedelta(minutes=settings.heartbeat_minutes)
        found.append(Job("heartbeat", every, Heart(settings.heartbeat_url).beat))
    return found
