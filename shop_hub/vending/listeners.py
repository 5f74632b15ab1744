"""What the vending machine tells."""

from pydantic import JsonValue
from sqlalchemy.orm import Session

from shop_hub.core import events
from shop_hub.fleet.dispatch import Dispatcher
from shop_hub.fleet.models import Device, DeviceKind
from shop_hub.vending import audits, outcome, planogram, sync


def register(dispatcher: Dispatcher) -> None:
    """Hear answers, the drop sensor, jams, fillings, and whether the machine is there at all."""
    dispatcher.on_result("vend", outcome.record_result)
    dispatcher.on_result("plan", sync.record_plan)
    dispatcher.on_event(DeviceKind.VENDING, "vended", outcome.record_drop)
    dispatcher.on_event(DeviceKind.VENDING, "jam", outcome.record_jam)
    dispatcher.on_event(DeviceKind.VENDING, "refilled", planogram.record_refill)
    dispatcher.on_event(DeviceKind.VENDING, "audit", audits.record_part)
    dispatcher.on_property(DeviceKind.VENDING, _on_property)
    dispatcher.on_link(DeviceKind.VENDING, _on_link)


def _on_property(session: Session, device: Device, _node: str, name: str, _value: JsonValue) -> None:
    if name in ("state", "stock"):
        events.publish(session, "vending", device.site_id)


def _on_link(session: Session, device: Device) -> None:
    events.publish(session, "vending", device.site_id)
