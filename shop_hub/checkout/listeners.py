"""MQTT edge of the checkout: codes from the serial scanner of a kiosk."""

from sqlalchemy.orm import Session

from shop_hub.core import events
from shop_hub.fleet.dispatch import Dispatcher
from shop_hub.fleet.models import Device, DeviceEvent, DeviceKind

LONGEST = 512


def register(dispatcher: Dispatcher) -> None:
    """Have scans handed to the kiosk at which the scanner stands."""
    dispatcher.on_event(DeviceKind.SCANNER, "scanned", hand_on)


def hand_on(session: Session, event: DeviceEvent, device: Device) -> None:
    """Tell the kiosk's open page what was scanned; it posts the code as it does with a scanner that types.

    The page in front decides what a code is for: goods, a parcel, a card. Without an open page it is for nobody.
    A code that the scanner had to cut is no code.
    """
    code = event.data.get("data")
    if device.kiosk_id is None or not isinstance(code, str) or event.data.get("cut"):
        return
    events.publish(session, "scanned", device.site_id, kiosk=device.kiosk_id, code=_with_prefix(event)[:LONGEST])


def _with_prefix(event: DeviceEvent) -> str:
    """Put back the symbology prefix of GS1 codes, which the catalogue reads them by (shop.md 3.1)."""
    code, symbology = str(event.data.get("data")), event.data.get("symbology")
    prefixes = {"datamatrix": "]d2", "databar": "]e0"}
    is_gs1 = symbology in prefixes and code[:2] in {"00", "01", "02"}
    return f"{prefixes[str(symbology)]}{code}" if is_gs1 else code
