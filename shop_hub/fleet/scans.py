"""Serial scanners: what they read goes to their kiosk's open page, or to a feature, and is kept nowhere (cards!)."""

from sqlalchemy.orm import Session

from devices.protocol.messages import Event
from shop_hub.core import events
from shop_hub.fleet.dispatch import Dispatcher
from shop_hub.fleet.models import Device

SCANNED = "scanned"
LONGEST_SCAN = 1_000
FRESH_MS = 5_000
"""What was scanned longer ago is not put into somebody else's basket."""


def pass_on(session: Session, dispatcher: Dispatcher, device: Device, event: Event) -> None:
    """Hand a fresh scan to the page of the scanner's kiosk; without one, to the feature that waits for it (a door)."""
    data = event.data.get("data")
    is_fresh = event.age_ms is not None and event.age_ms <= FRESH_MS
    if event.type != SCANNED or not is_fresh or not isinstance(data, str):
        return
    if device.kiosk_id is None:
        dispatcher.scan(session, device, data[:LONGEST_SCAN])
    else:
        events.publish(session, "scan", device.site_id, kiosk=device.kiosk_id, data=data[:LONGEST_SCAN])


def without_content(event: Event) -> Event:
    """Return the event as it may be stored."""
    return event.model_copy(update={"data": {"symbology": str(event.data.get("symbology", ""))[:40]}})
