"""Buying out of the machine: money held, one turn of one motor, the drop sensor decides (trust.md 4 and 5).

The customer pays only for a piece that has dropped. What nobody can know is not paid, and the piece is written off.
"""

from datetime import timedelta
from uuid import UUID

from pydantic import JsonValue
from sqlalchemy import select
from sqlalchemy.orm import Session

from shop_hub.catalog import queries as catalog
from shop_hub.checkout import queries as sales
from shop_hub.checkout import service as checkout
from shop_hub.checkout.models import SaleState
from shop_hub.checkout.service.booking import Sold
from shop_hub.climate import holds
from shop_hub.climate.models import Stand
from shop_hub.core import clock, events
from shop_hub.fleet import queries as fleet
from shop_hub.fleet import service as devices
from shop_hub.fleet.errors import DeviceBusyError, DeviceOfflineError
from shop_hub.fleet.models import DeviceCommand
from shop_hub.people.models import Person
from shop_hub.vending import outcome, queries, sync
from shop_hub.vending.errors import MachineBusyError, MachineOfflineError, SlotNotForSaleError
from shop_hub.vending.models import Vend, VendingMachine, VendingSlot, VendState
from shop_hub.vending.queries import PIECE, UNIT, SlotView

PATIENCE = timedelta(seconds=75)
"""So long a paid vend waits for a machine that is busy or away; then the money goes back. One vend takes up to 60 s."""
PAYING_TIME = timedelta(minutes=3)
"""So long someone who pays at the terminal keeps the machine to themselves."""
TTL_MS = 5000


def buy(
    session: Session,
    site_id: int,
    slot_id: UUID,
    *,
    kiosk_id: int,
    member: Person | None = None,
    terminal_id: int | None = None,
) -> Vend:
    """Begin to buy a piece; the motor turns only once the money is certain. How it ends comes from the machine.

    Args:
        slot_id: public id of the slot.
        member: who has shown card and PIN; pays from the account unless a terminal is given.
        terminal_id: the device where to pay with a bank card.

    Raises:
        UnknownSlotError, SlotNotForSaleError, MachineBusyError, MachineOfflineError: nothing was charged.
        InsufficientBalanceError, OutOfStockError, NoTerminalError, TerminalInUseError: nothing was charged, and
        nothing may be kept of this call.
    """
    slot = _free_slot(session, site_id, slot_id)
    sale = checkout.start_vending(
        session,
        site_id,
        kiosk_id,
        _item(session, site_id, slot),
        location_id=slot.location_id,
        member=member,
        terminal_device_id=terminal_id,
    )
    vend = _of_sale(session, sale.id) or _waiting(session, sale, slot.id)
    vend.kiosk_id = kiosk_id
    if terminal_id is None and vend.command is None:
        raise MachineBusyError
    return vend


def dispense(session: Session, sale: Sold) -> None:
    """Make sure that the command for paid goods exists; checkout calls this, and again while the goods are not out.

    Never raises for a machine that is away or busy: the money is there, so it tries until its patience ends and then
    gives the money back. It does so at once for goods that may not be sold any more because their cooling failed.
    """
    vend = _of_sale(session, sale.id)
    if vend is None:
        slot = _slot_of_sale(session, sale)
        if slot is None:
            return
        vend = _waiting(session, sale, slot.id)
    if vend.state is not VendState.WAITING:
        return
    vend.paid_at = vend.paid_at or clock.now()
    if holds.held(session, vend.site_id, [vend.product_id], Stand.MACHINE):  # got too warm while somebody paid
        outcome.fail(session, vend, "warm")
        return
    _command(session, vend)
    if vend.command is None and clock.now() - vend.paid_at > PATIENCE:
        outcome.fail(session, vend, "offline")


def watch(session: Session) -> None:
    """Drive on what waits: vends without answer, in doubt too long, or not paid; planograms no machine knows yet."""
    open_states = (VendState.WAITING, VendState.DISPENSING, VendState.DOUBT)
    for found in session.scalars(select(Vend).where(Vend.state.in_(open_states)).order_by(Vend.id)).all():
        vend = outcome.locked(session, found)
        if vend.state is VendState.WAITING:
            _drop_unpaid(session, vend)
        else:
            _look_at_command(session, vend)
            outcome.give_up_if_due(session, vend)
    sync.send_plans(session)


def _free_slot(session: Session, site_id: int, slot_id: UUID) -> SlotView:
    """Return a slot from which a piece can be bought now, by this customer."""
    slot = queries.slot(session, site_id, slot_id)
    machine = _machine_of(session, slot.id)
    if not fleet.is_ready(session, machine.device_id):
        raise MachineOfflineError
    if not slot.is_for_sale:
        raise SlotNotForSaleError
    if _is_busy(session, machine):
        raise MachineBusyError
    return slot


def _is_busy(session: Session, machine: VendingMachine) -> bool:
    if fleet.unresolved(session, machine.device_id, UNIT) is not None:
        return True
    since = clock.now() - PAYING_TIME
    waiting = session.scalars(
        select(Vend).where(Vend.machine_id == machine.id, Vend.state == VendState.WAITING, Vend.created_at > since)
    ).all()
    return any(not _drop_unpaid(session, vend) for vend in waiting)


def _drop_unpaid(session: Session, vend: Vend) -> bool:
    """End a vend whose sale came to nothing; return whether it did."""
    if sales.sale(session, vend.sale_public_id).state is not SaleState.VOID:
        return False
    vend.state, vend.touched_at = VendState.CANCELLED, clock.now()
    events.publish(session, "vending", vend.site_id)
    return True


def _item(session: Session, site_id: int, slot: SlotView) -> checkout.Item:
    if slot.product is None:
        raise SlotNotForSaleError
    return checkout.Item(catalog.product_card(session, site_id, slot.product.product_id), PIECE)


def _waiting(session: Session, sale: Sold, slot_id: int) -> Vend:
    slot, now = session.get_one(VendingSlot, slot_id), clock.now()
    vend = Vend(
        site_id=sale.site_id,
        machine_id=slot.machine_id,
        slot_id=slot.id,
        product_id=slot.product_id,
        sale_id=sale.id,
        sale_public_id=sale.public_id,
        created_at=now,
        touched_at=now,
    )
    session.add(vend)
    session.flush()
    events.publish(session, "vending", vend.site_id)
    return vend


def _command(session: Session, vend: Vend) -> None:
    """Write the one command of this vend, unless the machine cannot take one now."""
    slot = session.get_one(VendingSlot, vend.slot_id)
    machine = session.get_one(VendingMachine, vend.machine_id)
    args: dict[str, JsonValue] = {"slot": slot.node, "order": f"vend-{vend.id}"}
    try:
        command = devices.request(session, machine.device_id, UNIT, "vend", args, by=f"vend:{vend.id}", ttl_ms=TTL_MS)
    except (DeviceOfflineError, DeviceBusyError):
        return
    vend.command, vend.state, vend.touched_at = command.ulid, VendState.DISPENSING, clock.now()
    session.flush()
    events.publish(session, "vending", vend.site_id)


def _look_at_command(session: Session, vend: Vend) -> None:
    command = session.scalar(select(DeviceCommand).where(DeviceCommand.ulid == vend.command))
    if command is not None:
        outcome.record_result(session, command)


def _of_sale(session: Session, sale_id: int) -> Vend | None:
    return session.scalar(select(Vend).where(Vend.sale_id == sale_id))


def _slot_of_sale(session: Session, sale: Sold) -> VendingSlot | None:
    location_id = sales.sale(session, sale.public_id).location_id
    return session.scalar(select(VendingSlot).where(VendingSlot.location_id == location_id))


def _machine_of(session: Session, slot_id: int) -> VendingMachine:
    return session.get_one(VendingMachine, session.get_one(VendingSlot, slot_id).machine_id)
