"""What thermometers tell."""

from pydantic import JsonValue
from sqlalchemy.orm import Session

from shop_hub.climate import service
from shop_hub.core import events
from shop_hub.fleet.dispatch import Dispatcher
from shop_hub.fleet.models import Device, DeviceKind


def register(dispatcher: Dispatcher) -> None:
    """Hear readings, passed limits, and whether a probe is there at all."""
    dispatcher.on_property(DeviceKind.THERMOMETER, _on_property)
    dispatcher.on_link(DeviceKind.THERMOMETER, _on_link)
    for word in ("limit-exceeded", "back-to-normal"):
        dispatcher.on_event(DeviceKind.THERMOMETER, word, service.record_event)


def _on_property(session: Session, device: Device, node: str, name: str, value: JsonValue) -> None:
    if (node, name) == ("probe", "temperature"):
        service.record_reading(session, device, value)


def _on_link(session: Session, device: Device) -> None:
    events.publish(session, "climate", device.site_id)
