"""What devices report about parcels, besides doors (see `wiring`)."""

from sqlalchemy import update
from sqlalchemy.orm import Session

from shop_hub.core import clock
from shop_hub.fleet.dispatch import Dispatcher
from shop_hub.fleet.models import CommandState, DeviceCommand
from shop_hub.parcels.mails import PRINT_BY
from shop_hub.parcels.models import Parcel


def register(dispatcher: Dispatcher) -> None:
    """Listen to printers."""
    dispatcher.on_result("print", record_print)


def record_print(session: Session, command: DeviceCommand) -> None:
    """Note that a slip came out, and blank what was printed: it holds a code (trust.md I22)."""
    kind, _, number = command.by.partition(":")
    if kind != PRINT_BY or not number.isdigit():
        return
    command.args = {}
    if command.state is CommandState.DONE:
        session.execute(update(Parcel).where(Parcel.id == int(number)).values(told_at=clock.now()))
