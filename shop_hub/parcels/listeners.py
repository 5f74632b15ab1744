"""What devices report about parcels, besides doors (see `wiring`)."""

from sqlalchemy.orm import Session

from shop_hub.fleet.dispatch import Dispatcher
from shop_hub.fleet.models import DeviceCommand


def register(dispatcher: Dispatcher) -> None:
    """Listen to printers."""
    dispatcher.on_result("print", forget_print)


def forget_print(session: Session, command: DeviceCommand) -> None:  # noqa: ARG001 - the dispatcher's shape
    """Blank what was printed as soon as its outcome is known: it holds a code (trust.md I22)."""
    command.args = {}
