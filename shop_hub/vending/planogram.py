"""What lies in which slot: setting the machine up, filling it, and taking slots out of sale or back into it."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from shop_hub.catalog import queries as catalog
from shop_hub.core import audit, events
from shop_hub.core.errors import BadInputError
from shop_hub.fleet.models import Device, DeviceEvent
from shop_hub.stock import queries as stock_queries
from shop_hub.stock import service as stock
from shop_hub.stock.models import LocationKind
from shop_hub.vending import evadts, outcome, queries
from shop_hub.vending.errors import (
    NoGoodsError,
    NotForMachinesError,
    SelectionTakenError,
    SlotInUseError,
    TooManyPiecesError,
    UnknownSlotError,
)
from shop_hub.vending.models import Flag, SlotState, Vend, VendingMachine, VendingSlot, VendState
from shop_hub.vending.queries import PIECE

_MACHINE = "machine"


@dataclass(frozen=True, kw_only=True)
class NewSlot:
    """A slot of a new machine."""

    number: int
    capacity: int
    product_id: int | None = None

    @property
    def node(self) -> str:
        """Name of the slot's node on the device, e.g. slot-07."""
        return f"slot-{self.number:02d}"


def add_machine(
    session: Session, site_id: int, name: str, device_id: int, slots: list[NewSlot], *, actor: str
) -> VendingMachine:
    """Enter a machine with its slots, each with a stock location of its own.

    Raises:
        NotForMachinesError: an article that no machine may sell.
    """
    before = session.get_one(Device, device_id).map_revision
    machine = VendingMachine(site_id=site_id, device_id=device_id, name=name, plan_revision=before + 1)
    session.add(machine)
    session.flush()
    for new in slots:
        location_id = stock.put_location(session, site_id, LocationKind.SLOT, f"{name} {new.number}")
        slot = VendingSlot(
            site_id=site_id,
            machine_id=machine.id,
            number=new.number,
            node=new.node,
            location_id=location_id,
            capacity=new.capacity,
        )
        if new.product_id is not None:
            _check_product(session, site_id, new.product_id)
            slot.product_id = new.product_id
        session.add(slot)
    session.flush()
    audit.record(session, site_id, actor, "vending-machine-added", f"vending-machine:{machine.id}", slots=len(slots))
    return machine


def assign(session: Session, site_id: int, slot_id: UUID, product_id: int | None, *, actor: str) -> None:
    """Put another article into a slot, or none; what is left of the old one goes back to the shelf.

    Raises:
        UnknownSlotError: the site has none with this public id.
        UnknownProductError, NoPriceError: the article is not for sale here.
        NotForMachinesError: no machine may sell it.
        SlotInUseError: somebody is buying from it.
    """
    slot = _slot(session, site_id, slot_id)
    if slot.product_id == product_id:
        return
    if product_id is not None:
        _check_product(session, site_id, product_id)
    _check_unused(session, slot)
    _set_pieces(session, slot, 0, actor=actor)
    before, slot.product_id = slot.product_id, product_id
    _change_plan(session, slot, is_counted=True)
    audit.record(session, site_id, actor, "slot-assigned", f"vending-slot:{slot.id}", before=before, product=product_id)
    events.publish(session, "vending", site_id)


def refill(
    session: Session, site_id: int, pieces: Mapping[UUID, int], *, actor: str, replaced: Collection[UUID] = ()
) -> int:
    """Take over how many pieces lie in slots now; what came in leaves the shelf. Flags of these slots end.

    Args:
        pieces: number of pieces by public id of the slot.
        replaced: slots of which all goods were replaced. A count alone never lets goods sell that got too warm.

    Returns:
        How many slots changed.

    Raises:
        UnknownSlotError, NoGoodsError, TooManyPiecesError, SlotInUseError: nothing may be kept of this call.
    """
    changed = set(replaced)
    for slot_id, count in pieces.items():
        slot = _slot(session, site_id, slot_id)
        _check_unused(session, slot)
        is_new = _set_pieces(session, slot, count, actor=actor)
        if is_new or slot.state is SlotState.FLAGGED:
            changed.add(slot_id)
        _unflag(slot)
        _change_plan(session, slot, is_counted=True)
    for slot_id in replaced:
        slot = _slot(session, site_id, slot_id)
        slot.renewals += 1
        _change_plan(session, slot, is_counted=False)
        audit.record(session, site_id, actor, "slot-goods-replaced", f"vending-slot:{slot.id}")
    counts = {"slots": len(pieces), "changed": len(changed)}
    audit.record(session, site_id, actor, "vending-refilled", f"site:{site_id}", **counts)
    events.publish(session, "vending", site_id)
    return len(changed)


def record_refill(session: Session, event: DeviceEvent, device: Device) -> None:
    """Take over a count that was entered at the machine itself."""
    count = event.data.get("stock")
    slot = session.scalar(
        select(VendingSlot)
        .join(VendingMachine, VendingMachine.id == VendingSlot.machine_id)
        .where(VendingMachine.device_id == device.id, VendingSlot.node == event.node)
    )
    if slot is None or type(count) is not int or not 0 <= count <= slot.capacity or _is_in_use(session, slot):
        return
    if slot.product_id is not None:
        _set_pieces(session, slot, count, actor=_MACHINE)
    _unflag(slot)
    events.publish(session, "vending", slot.site_id)


def switch(session: Session, site_id: int, slot_id: UUID, *, sells: bool, actor: str) -> None:
    """Take a slot out of sale by hand, or back into it after someone has looked, whatever took it out.

    Raises:
        UnknownSlotError: the site has none with this public id.
    """
    slot = _slot(session, site_id, slot_id)
    if sells:
        slot.state, slot.flag, slot.jams = SlotState.OK, None, 0
        _change_plan(session, slot, is_counted=True)
    else:
        outcome.set_flag(session, slot, Flag.OFF)
    action = "slot-on" if sells else "slot-off"
    audit.record(session, site_id, actor, action, f"vending-slot:{slot.id}")
    events.publish(session, "vending", site_id)


def name_selection(session: Session, site_id: int, slot_id: UUID, selection: str, *, actor: str) -> None:
    """Say what the machine itself calls a slot: its MDB item number, or its selection in audit files.

    Args:
        selection: at most 10 letters or digits; empty: the slot's number.

    Raises:
        UnknownSlotError: the site has none with this public id.
        BadInputError: no such name.
        SelectionTakenError: another slot of the machine is called so.
    """
    slot = _slot(session, site_id, slot_id)
    if not re.fullmatch(r"[A-Za-z0-9]{0,10}", selection):
        raise BadInputError(field="selection")
    others = session.scalars(
        select(VendingSlot).where(VendingSlot.machine_id == slot.machine_id, VendingSlot.id != slot.id)
    )
    wanted = evadts.selection_name(selection or str(slot.number))
    if wanted in {evadts.selection_name(other.selection or str(other.number)) for other in others}:
        raise SelectionTakenError(selection=wanted)
    slot.selection = selection or None
    _change_plan(session, slot, is_counted=False)
    audit.record(session, site_id, actor, "slot-named", f"vending-slot:{slot.id}", selection=selection)
    events.publish(session, "vending", site_id)


def _change_plan(session: Session, slot: VendingSlot, *, is_counted: bool) -> None:
    """Note that the machine must be told; `is_counted`: a person has looked, so it starts from our count."""
    slot.fills += is_counted
    machine = session.get_one(VendingMachine, slot.machine_id)
    machine.plan_revision += 1


def _set_pieces(session: Session, slot: VendingSlot, count: int, *, actor: str) -> bool:
    """Bring the books of a slot to a count; return whether they changed."""
    if slot.product_id is None:
        if count:
            raise NoGoodsError(slot=slot.number)
        return False
    if not 0 <= count <= slot.capacity:
        raise TooManyPiecesError(slot=slot.number, most=slot.capacity)
    before = stock_queries.location_level(session, slot.location_id, slot.product_id)
    difference = count * PIECE - before
    if difference == 0:
        return False
    shelf = stock.shelf(session, slot.site_id)
    way = (shelf, slot.location_id) if difference > 0 else (slot.location_id, shelf)
    stock.move(session, *way, slot.product_id, abs(difference), actor=actor, ref=f"vending-slot:{slot.id}")
    return True


def _unflag(slot: VendingSlot) -> None:
    if slot.state is SlotState.FLAGGED:
        slot.state, slot.flag = SlotState.OK, None


def _check_product(session: Session, site_id: int, product_id: int) -> None:
    if not queries.may_be_vended(catalog.product_card(session, site_id, product_id)):
        raise NotForMachinesError(field="product")


def _check_unused(session: Session, slot: VendingSlot) -> None:
    if _is_in_use(session, slot):
        raise SlotInUseError


def _is_in_use(session: Session, slot: VendingSlot) -> bool:
    open_states = (VendState.WAITING, VendState.DISPENSING, VendState.DOUBT)
    wanted = select(Vend.id).where(Vend.slot_id == slot.id, Vend.state.in_(open_states)).limit(1)
    return session.scalar(wanted) is not None


def _slot(session: Session, site_id: int, slot_id: UUID) -> VendingSlot:
    found = session.scalar(
        select(VendingSlot).where(VendingSlot.site_id == site_id, VendingSlot.public_id == slot_id).with_for_update()
    )
    if found is None:
        raise UnknownSlotError
    return found
