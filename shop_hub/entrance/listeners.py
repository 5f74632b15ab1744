"""What the door and the scanner beside it tell."""

from pydantic import JsonValue
from sqlalchemy.orm import Session

from shop_hub.entrance import service
from shop_hub.entrance.queries import NODE
from shop_hub.fleet.dispatch import Dispatcher
from shop_hub.fleet.models import Device, DeviceKind


def register(dispatcher: Dispatcher) -> None:
    """Hear passages, the leaf, unlockings and cards held to the scanner."""
    for word in ("entry", "exit", "forced", "held-open"):
        dispatcher.on_event(DeviceKind.DOOR, word, service.record_event)
    dispatcher.on_scan(service.record_scan)
    dispatcher.on_property(DeviceKind.DOOR, _on_property)
    dispatcher.on_result("unlock", service.record_result)


def _on_property(session: Session, device: Device, node: str, name: str, value: JsonValue) -> None:
    if node == NODE:
        service.record_property(session, device, name, value)
