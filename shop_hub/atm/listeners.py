"""What the cash machine's agent tells."""

from pydantic import JsonValue
from sqlalchemy import select
from sqlalchemy.orm import Session

from shop_hub.atm import service
from shop_hub.atm.models import CashMachine
from shop_hub.fleet.dispatch import Dispatcher
from shop_hub.fleet.models import Device, DeviceKind

NODE = "atm"
PROPERTY = "status"


def register(dispatcher: Dispatcher) -> None:
    """Hear reports, and whether the agent is there at all."""
    dispatcher.on_property(DeviceKind.ATM, _on_property)
    dispatcher.on_link(DeviceKind.ATM, _on_link)


def _on_property(session: Session, device: Device, node: str, name: str, value: JsonValue) -> None:
    if (node, name) == (NODE, PROPERTY):
        service.record_state(session, device, value)


def _on_link(session: Session, device: Device) -> None:
    machine = session.scalar(select(CashMachine).where(CashMachine.device_id == device.id))
    if machine is not None:
        service.look_again(session, machine, device)
