"""What parcel stations report: from MQTT to the verbs of `doors`."""

from pydantic import JsonValue
from sqlalchemy.orm import Session

from shop_hub.fleet.dispatch import Dispatcher
from shop_hub.fleet.models import Device, DeviceEvent, DeviceKind
from shop_hub.lockers import doors, setup_news
from shop_hub.lockers import service as lockers
from shop_hub.lockers.models import Door
from shop_hub.lockers.setups import NODE

_NODE_PROPERTIES = frozenset({"door", "occupied"})


def register(dispatcher: Dispatcher) -> None:
    """Listen to everything that concerns doors."""
    dispatcher.on_result("open", doors.record_verdict)
    dispatcher.on_result("scan", setup_news.record_scan)
    dispatcher.on_result("test", setup_news.record_test)
    dispatcher.on_result("map", setup_news.record_map)
    dispatcher.on_event(DeviceKind.LOCKER, "opened", _opened)
    dispatcher.on_event(DeviceKind.LOCKER, "forced", _forced)
    dispatcher.on_event(DeviceKind.LOCKER, "closed", _closed)
    dispatcher.on_event(DeviceKind.LOCKER, "left-open", _left_open)
    dispatcher.on_event(DeviceKind.LOCKER, "sensor-stuck", _sensor_stuck)
    dispatcher.on_property(DeviceKind.LOCKER, _property)
    dispatcher.on_suspect(DeviceKind.LOCKER, _suspect)


def _opened(session: Session, event: DeviceEvent, device: Device) -> None:
    compartment = doors.compartment_of(session, device, event.node)
    if compartment is not None:
        doors.record_opened(session, compartment, event.cause)


def _forced(session: Session, event: DeviceEvent, device: Device) -> None:
    compartment = doors.compartment_of(session, device, event.node)
    if compartment is not None:
        doors.record_forced(session, compartment)


def _closed(session: Session, event: DeviceEvent, device: Device) -> None:
    compartment = doors.compartment_of(session, device, event.node)
    if compartment is not None:
        occupied = event.data.get("occupied")
        doors.record_closed(session, compartment, occupied if isinstance(occupied, bool) else None)


def _left_open(session: Session, event: DeviceEvent, device: Device) -> None:
    compartment = doors.compartment_of(session, device, event.node)
    if compartment is not None:
        doors.record_left_open(session, compartment)


def _sensor_stuck(session: Session, event: DeviceEvent, device: Device) -> None:
    compartment = doors.compartment_of(session, device, event.node)
    if compartment is not None:
        lockers.mark_suspect(session, compartment.id, "sensor-stuck")


def _property(session: Session, device: Device, node: str, name: str, value: JsonValue) -> None:
    if node == NODE:
        setup_news.record_property(session, device, name, value)
    if name not in _NODE_PROPERTIES:
        return
    compartment = doors.compartment_of(session, device, node)
    if compartment is None:
        return
    if name == "occupied":
        compartment.presence = value if isinstance(value, bool) else None
    elif isinstance(value, str) and value in set(Door):
        doors.record_door(session, compartment, Door(value))


def _suspect(session: Session, device: Device, node: str) -> None:
    compartment = doors.compartment_of(session, device, node)
    if compartment is not None:
        doors.record_doubt(session, compartment)
