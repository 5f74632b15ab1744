"""Serial scanners: what they read goes to the open page of their kiosk and is kept nowhere (it may be a card)."""

from sqlalchemy.orm import Session

from devices.protocol.messages import Event
from shop_hub.core import events
from shop_hub.fleet.models import Device

SCANNED = "scanned"
LONGEST_SCAN = 1_000
FRESH_MS = 5_000
"""What was scanned longer ago is not put into somebody else's basket."""


def pass_on(session: Session, device: Device, event: Event) -> None:
    """Hand a fresh scan to the page of the scanner's kiosk."""
    data = event.data.get("data")
    is_fresh = event.age_ms is not None and event.age_ms <= FRESH_MS
    if event.type == SCANNED and device.kiosk_id is not None and is_fresh and isinstance(data, str):
        events.publish(session, "scan", device.site_id, kiosk=device.kiosk_id, data=data[:LONGEST_SCAN])


def without_content(event: Event) -> Event:
    """Return the event as it may be stored."""
    return event.model_copy(update={"data": {"symbology": str(event.data.get("symbology", ""))[:40]}})
