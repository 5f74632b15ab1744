"""Reads of the vending machine: what it sells now, its planogram, and how a vend goes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from shop_hub.catalog import queries as catalog
from shop_hub.catalog.models import Unit
from shop_hub.catalog.queries import FoundProduct
from shop_hub.checkout import queries as checkout
from shop_hub.checkout.models import Sale, SaleState
from shop_hub.climate import holds
from shop_hub.climate.models import Stand
from shop_hub.core.errors import NotFoundError
from shop_hub.fleet import queries as fleet
from shop_hub.stock import queries as stock
from shop_hub.vending.errors import UnknownSlotError
from shop_hub.vending.models import Flag, SlotState, Vend, VendingMachine, VendingSlot, VendState

UNIT = "unit"
PIECE = 1000


class Phase(StrEnum):
    """What a customer must know about a vend."""

    PAYING = "paying"
    PAYMENT_DOUBT = "payment-doubt"
    WAITING = "waiting"
    DISPENSING = "dispensing"
    DOUBT = "doubt"
    DROPPED = "dropped"
    REFUNDING = "refunding"
    NOT_CHARGED = "not-charged"
    DECLINED = "declined"


@dataclass(frozen=True, kw_only=True)
class SlotView:
    """A slot as it stands."""

    id: int
    public_id: UUID
    number: int
    node: str
    location_id: int
    product: FoundProduct | None
    pieces: int
    capacity: int
    selection: str
    """What the machine itself calls the slot, if not by its number."""
    state: SlotState
    flag: Flag | None
    jams: int
    machine_pieces: int | None
    """What the machine itself counts; None while it is not heard."""
    machine_state: str
    """The machine's own word for the slot: ok, or why it does not sell; empty while it has said nothing."""
    is_held: bool
    """Whether its goods are not sold because their cooling failed."""
    is_connected: bool
    is_chosen_there: bool
    """Whether the customer presses the number at the machine after paying."""

    @property
    def button(self) -> str:
        """What is pressed at the machine for this slot."""
        return self.selection or str(self.number)

    @property
    def price_cents(self) -> int:
        """What one piece costs, without deposit."""
        return self.product.unit_price_cents if self.product else 0

    @property
    def deposit_cents(self) -> int:
        """Deposit of one piece, beside the price."""
        return self.product.deposit[1] if self.product and self.product.deposit else 0

    @property
    def total_cents(self) -> int:
        """What is paid for one piece."""
        return self.price_cents + self.deposit_cents

    @property
    def is_for_sale(self) -> bool:
        """Whether a piece can be bought now."""
        is_able = (
            self.state is SlotState.OK and self.is_connected and self.machine_state in ("", "ok") and not self.is_held
        )
        return is_able and self.pieces > 0 and self.product is not None and may_be_vended(self.product)

    @property
    def missing(self) -> int:
        """How many pieces still fit."""
        return max(0, self.capacity - self.pieces)

    @property
    def differs(self) -> bool:
        """Whether books and machine count differently."""
        return self.machine_pieces is not None and self.machine_pieces != self.pieces


@dataclass(frozen=True, kw_only=True)
class MachineView:
    """A machine with its slots."""

    id: int
    public_id: UUID
    name: str
    device_id: int
    is_connected: bool
    slots: tuple[SlotView, ...]

    @property
    def for_sale(self) -> int:
        """How many slots sell now."""
        return sum(slot.is_for_sale for slot in self.slots)


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How a vend goes."""

    public_id: UUID
    case: int
    slot_number: int
    name: str
    name_en: str
    phase: Phase
    code: str
    receipt_id: UUID | None
    total_cents: int
    is_lost: bool
    """Whether nobody could find out if the piece has dropped."""
    button: str
    """What the customer presses at the machine; empty if the machine turns by itself."""

    @property
    def is_over(self) -> bool:
        """Whether nothing more will happen."""
        return self.phase in (Phase.DROPPED, Phase.NOT_CHARGED, Phase.DECLINED)

    def label(self, language: str) -> str:
        """Return the name in `language` as far as there is one."""
        return self.name_en if language == "en" and self.name_en else self.name


@dataclass(frozen=True, kw_only=True)
class VendRow:
    """A vend in the office's list."""

    id: int
    at: datetime
    slot_number: int
    name: str
    state: VendState
    code: str
    late: str


def may_be_vended(product: FoundProduct) -> bool:
    """Tell whether a product may be in a machine at all: no age limit, not forbidden there, sold by the piece."""
    return product.min_age == 0 and not product.is_vending_forbidden and product.unit is Unit.PIECE


def machines(session: Session, site_id: int) -> list[MachineView]:
    """Return a site's machines with all slots, in a fixed number of statements per machine."""
    found = session.scalars(
        select(VendingMachine).where(VendingMachine.site_id == site_id).order_by(VendingMachine.id)
    ).all()
    return [_machine(session, machine) for machine in found]


def machine(session: Session, site_id: int, public_id: UUID) -> MachineView:
    """Return one machine.

    Raises:
        NotFoundError: the site has none with this id.
    """
    found = session.scalar(
        select(VendingMachine).where(VendingMachine.site_id == site_id, VendingMachine.public_id == public_id)
    )
    if found is None:
        raise NotFoundError(what="vending machine")
    return _machine(session, found)


def slot(session: Session, site_id: int, public_id: UUID) -> SlotView:
    """Return one slot as it stands.

    Raises:
        UnknownSlotError: the site has none with this id.
    """
    found = session.scalar(
        select(VendingSlot).where(VendingSlot.site_id == site_id, VendingSlot.public_id == public_id)
    )
    if found is None:
        raise UnknownSlotError
    owner = session.get_one(VendingMachine, found.machine_id)
    return slots_of(session, owner, [found])[0]


def progress(session: Session, site_id: int, public_id: UUID) -> Progress:
    """Return how a vend goes.

    Raises:
        NotFoundError: the site has none with this id.
    """
    vend = session.scalar(select(Vend).where(Vend.public_id == public_id, Vend.site_id == site_id))
    if vend is None:
        raise NotFoundError(what="vend")
    sale, slot = checkout.sale(session, vend.sale_public_id), session.get_one(VendingSlot, vend.slot_id)
    device_id = session.get_one(VendingMachine, vend.machine_id).device_id
    card = catalog.product_cards(session, site_id, [vend.product_id]).get(vend.product_id)
    return Progress(
        public_id=vend.public_id,
        case=vend.id,
        slot_number=slot.number,
        name=card.name if card else catalog.names(session, [vend.product_id])[vend.product_id],
        name_en=card.name_en if card else "",
        phase=_phase(vend, sale),
        code=vend.code or sale.reason,
        receipt_id=sale.public_id if sale.state is SaleState.DONE else None,
        total_cents=sale.total_cents,
        is_lost=vend.state is VendState.LOST,
        button=(slot.selection or str(slot.number)) if _is_chosen_there(session, device_id) else "",
    )


def recent(session: Session, machine_id: int, limit: int = 30) -> list[VendRow]:
    """Return the newest vends of a machine."""
    rows = session.execute(
        select(Vend, VendingSlot.number)
        .join(VendingSlot, VendingSlot.id == Vend.slot_id)
        .where(Vend.machine_id == machine_id)
        .order_by(Vend.id.desc())
        .limit(limit)
    ).all()
    names = catalog.names(session, {vend.product_id for vend, _number in rows})
    return [
        VendRow(
            id=vend.id,
            at=vend.created_at,
            slot_number=number,
            name=names.get(vend.product_id, ""),
            state=vend.state,
            code=vend.code,
            late=vend.late,
        )
        for vend, number in rows
    ]


def _phase(vend: Vend, sale: Sale) -> Phase:
    if sale.state is SaleState.VOID:
        return Phase.DECLINED if vend.paid_at is None else Phase.NOT_CHARGED
    by_sale = {
        SaleState.NEW: Phase.PAYING,
        SaleState.PAY_UNKNOWN: Phase.PAYMENT_DOUBT,
        SaleState.ABORT: Phase.REFUNDING,
        SaleState.IN_REVIEW: Phase.PAYMENT_DOUBT,
        SaleState.OUT: Phase.DROPPED,
        SaleState.DONE: Phase.DROPPED,
    }
    by_vend = {VendState.DISPENSING: Phase.DISPENSING, VendState.DOUBT: Phase.DOUBT}
    return by_sale.get(sale.state) or by_vend.get(vend.state, Phase.WAITING)


def _machine(session: Session, found: VendingMachine) -> MachineView:
    slots = session.scalars(
        select(VendingSlot).where(VendingSlot.machine_id == found.id).order_by(VendingSlot.number)
    ).all()
    return MachineView(
        id=found.id,
        public_id=found.public_id,
        name=found.name,
        device_id=found.device_id,
        is_connected=fleet.is_ready(session, found.device_id),
        slots=tuple(slots_of(session, found, slots)),
    )


def slots_of(session: Session, owner: VendingMachine, slots: Sequence[VendingSlot]) -> list[SlotView]:
    """Return slots of a machine as they stand, in a fixed number of statements."""
    products = catalog.product_cards(session, owner.site_id, {s.product_id for s in slots if s.product_id is not None})
    levels = stock.levels_at(session, [slot.location_id for slot in slots])
    states = fleet.properties(session, owner.device_id, "state")
    counts = fleet.properties(session, owner.device_id, "stock")
    is_connected = fleet.is_ready(session, owner.device_id)
    is_chosen_there = _is_chosen_there(session, owner.device_id)
    held = holds.held(session, owner.site_id, products.keys(), Stand.MACHINE)
    return [
        SlotView(
            id=slot.id,
            public_id=slot.public_id,
            number=slot.number,
            node=slot.node,
            location_id=slot.location_id,
            product=products.get(slot.product_id or 0),
            pieces=max(0, levels.get((slot.location_id, slot.product_id or 0), 0)) // PIECE,
            capacity=slot.capacity,
            selection=slot.selection or "",
            state=slot.state,
            flag=slot.flag,
            jams=slot.jams,
            machine_pieces=_count(counts, slot.node),
            machine_state=_word(states, slot.node),
            is_held=slot.product_id in held,
            is_connected=is_connected,
            is_chosen_there=is_chosen_there,
        )
        for slot in slots
    ]


def _is_chosen_there(session: Session, device_id: int) -> bool:
    """Tell whether a machine waits for the customer to press the number; that is how it is built, heard or not."""
    choice = fleet.property(session, device_id, UNIT, "choice")
    return choice is not None and choice.value == "machine"


def _count(counts: Mapping[str, fleet.Reading], node: str) -> int | None:
    reading = counts.get(node)
    return reading.value if reading is not None and reading.is_current and type(reading.value) is int else None


def _word(states: Mapping[str, fleet.Reading], node: str) -> str:
    reading = states.get(node)
    return str(reading.value) if reading is not None and reading.value else ""
