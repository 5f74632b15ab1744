"""Goods receipts: open while goods are scanned, then booked at once; a mistake is undone by the opposite moves."""

from dataclasses import dataclass, field
from datetime import date
from uuid import UUID

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from shop_hub.core import audit, clock
from shop_hub.stock import service as stock
from shop_hub.stock.books import MOST_MILLI, Line
from shop_hub.stock.errors import (
    BadLotError,
    BadQuantityError,
    BadReceiptError,
    BadSupplierError,
    DeliveryNoteBookedError,
    EmptyReceiptError,
    ReceiptClosedError,
    SupplierExistsError,
    UnknownReceiptError,
)
from shop_hub.stock.models import GoodsReceipt, GoodsReceiptLine, MoveReason, ReceiptState, Supplier
from shop_hub.stock.service import NewLot

LONGEST_NOTE = 60
LONGEST_LOT = 40
LONGEST_NAME = 200


@dataclass(frozen=True, kw_only=True)
class Entry:
    """What was counted of an article: in good order and broken, with the lot and date on it."""

    good_milli: int
    broken_milli: int = 0
    lot: NewLot = field(default_factory=NewLot)


def open_receipt(session: Session, site_id: int, supplier_id: int, delivery_note: str, *, actor: str) -> GoodsReceipt:
    """Begin a delivery, or go on with the open one of the same delivery note.

    Raises:
        DeliveryNoteBookedError: the note was booked before.
        BadReceiptError: no such supplier, or no number.
    """
    note = "".join(delivery_note.upper().split())
    if not 1 <= len(note) <= LONGEST_NOTE or session.get(Supplier, supplier_id) is None:
        raise BadReceiptError
    values = {"site_id": site_id, "supplier_id": supplier_id, "delivery_note": note, "actor": actor}
    values["created_at"] = clock.now()
    session.execute(stock.insert(session)(GoodsReceipt).values(values).on_conflict_do_nothing())
    receipt = session.scalars(
        select(GoodsReceipt).where(
            GoodsReceipt.supplier_id == supplier_id,
            GoodsReceipt.delivery_note == note,
            GoodsReceipt.state != ReceiptState.UNDONE,
        )
    ).one()
    if receipt.state != ReceiptState.OPEN or receipt.site_id != site_id:
        raise DeliveryNoteBookedError(delivery_note=note)
    return receipt


def add_line(session: Session, receipt: GoodsReceipt, product_id: int, entry: Entry) -> GoodsReceiptLine:
    """Add what one scan says; the same article of the same lot and date is counted up.

    Raises:
        ReceiptClosedError: the receipt is booked.
        BadQuantityError, BadLotError: see `change_line`.
    """
    _check(session, receipt, entry)
    same = session.scalars(
        select(GoodsReceiptLine)
        .where(
            GoodsReceiptLine.receipt_id == receipt.id,
            GoodsReceiptLine.product_id == product_id,
        )
        .order_by(GoodsReceiptLine.id.desc())
    ).all()
    line = next((line for line in same if _fits(line, entry.lot)), None)
    if line is None:
        line = GoodsReceiptLine(
            receipt_id=receipt.id,
            site_id=receipt.site_id,
            product_id=product_id,
            good_milli=0,
            broken_milli=0,
            lot_code=entry.lot.code[:LONGEST_LOT],
            best_before=entry.lot.best_before,
            use_by=entry.lot.use_by,
        )
        session.add(line)
    line.good_milli = min(line.good_milli + entry.good_milli, MOST_MILLI)
    line.broken_milli = min(line.broken_milli + entry.broken_milli, MOST_MILLI)
    session.flush()
    return line


def change_line(session: Session, receipt: GoodsReceipt, line_id: int, entry: Entry) -> GoodsReceiptLine:
    """Set what was counted of a line.

    Raises:
        ReceiptClosedError: the receipt is booked.
        BadQuantityError: nothing counted, or beyond all reason.
        BadLotError: two dates.
        UnknownReceiptError: no such line.
    """
    _check(session, receipt, entry)
    line = _line(session, receipt, line_id)
    line.good_milli, line.broken_milli = entry.good_milli, entry.broken_milli
    line.lot_code = entry.lot.code[:LONGEST_LOT]
    line.best_before, line.use_by = entry.lot.best_before, entry.lot.use_by
    session.flush()
    return line


def remove_line(session: Session, receipt: GoodsReceipt, line_id: int) -> None:
    """Take a line out again.

    Raises:
        ReceiptClosedError: the receipt is booked.
        UnknownReceiptError: no such line.
    """
    _check_open(session, receipt)
    session.delete(_line(session, receipt, line_id))
    session.flush()


def discard(session: Session, receipt: GoodsReceipt) -> None:
    """Throw an open receipt away.

    Raises:
        ReceiptClosedError: the receipt is booked.
    """
    _check_open(session, receipt)
    session.execute(delete(GoodsReceiptLine).where(GoodsReceiptLine.receipt_id == receipt.id))
    session.delete(receipt)
    session.flush()


def book(session: Session, receipt: GoodsReceipt, *, actor: str) -> None:
    """Put all goods of an open receipt on the shelf, and the broken ones from there to waste.

    Raises:
        ReceiptClosedError: it was booked before, perhaps a moment ago by someone else.
        EmptyReceiptError: it has no lines.
    """
    _turn(session, receipt, ReceiptState.OPEN, ReceiptState.BOOKED)
    lines = receipt_lines(session, receipt.id)
    if not lines:
        raise EmptyReceiptError
    ref = _ref(receipt)
    for line in sorted(lines, key=lambda line: (line.product_id, line.id)):
        lot = NewLot(code=line.lot_code, best_before=line.best_before, use_by=line.use_by)
        arrived = line.good_milli + line.broken_milli
        stock.receive(session, receipt.site_id, line.product_id, arrived, lot=lot, actor=actor, ref=ref)
        if line.broken_milli:
            lot_id = stock.put_lot(session, receipt.site_id, line.product_id, lot)
            _waste(session, receipt, line, lot_id, actor)
    audit.record(session, receipt.site_id, actor, "goods-received", f"goods-receipt:{receipt.id}", lines=len(lines))


def undo(session: Session, receipt: GoodsReceipt, *, actor: str) -> None:
    """Take a booked receipt back by the opposite moves; the delivery note may then be entered again.

    Raises:
        ReceiptClosedError: it is not booked, or was undone before.
    """
    _turn(session, receipt, ReceiptState.BOOKED, ReceiptState.UNDONE)
    stock.put_back_ref(session, receipt.site_id, _ref(receipt), actor=actor)
    audit.record(session, receipt.site_id, actor, "goods-receipt-undone", f"goods-receipt:{receipt.id}")


def receipt(session: Session, site_id: int, public_id: UUID) -> GoodsReceipt:
    """Return a goods receipt of a site.

    Raises:
        UnknownReceiptError: there is none.
    """
    found = session.scalar(
        select(GoodsReceipt).where(GoodsReceipt.site_id == site_id, GoodsReceipt.public_id == public_id)
    )
    if found is None:
        raise UnknownReceiptError
    return found


def receipt_lines(session: Session, receipt_id: int) -> list[GoodsReceiptLine]:
    """Return the lines of a receipt in the order in which they were scanned."""
    lines = select(GoodsReceiptLine).where(GoodsReceiptLine.receipt_id == receipt_id)
    return list(session.scalars(lines.order_by(GoodsReceiptLine.id)))


def add_supplier(session: Session, name: str, *, email: str = "", phone: str = "", site_id: int, actor: str) -> int:
    """Enter a supplier and return its id.

    Raises:
        BadSupplierError: no name.
        SupplierExistsError: the name is taken.
    """
    name = " ".join(name.split())[:LONGEST_NAME]
    if not name:
        raise BadSupplierError
    values = {"name": name, "email": email.strip()[:LONGEST_NAME], "phone": phone.strip()[:LONGEST_NAME]}
    added = stock.insert(session)(Supplier).values(values).on_conflict_do_nothing(index_elements=["name"])
    supplier_id = session.scalar(added.returning(Supplier.id))
    if supplier_id is None:
        raise SupplierExistsError
    audit.record(session, site_id, actor, "supplier-created", f"supplier:{supplier_id}")
    return int(supplier_id)


def _waste(session: Session, receipt: GoodsReceipt, line: GoodsReceiptLine, lot_id: int | None, actor: str) -> None:
    broken = Line(product_id=line.product_id, quantity_milli=line.broken_milli, lot_id=lot_id)
    stock.take_lines(session, receipt.site_id, [broken], reason=MoveReason.WASTE, ref=_ref(receipt), actor=actor)


def _ref(receipt: GoodsReceipt) -> str:
    return f"goods-receipt:{receipt.id}"


def _turn(session: Session, receipt: GoodsReceipt, from_: ReceiptState, to: ReceiptState) -> None:
    """Change the state if it still is `from_`: two volunteers may press at the same moment."""
    values = {"state": to, "booked_at": receipt.booked_at or clock.now()}
    result = session.execute(
        update(GoodsReceipt)
        .where(GoodsReceipt.id == receipt.id, GoodsReceipt.state == from_)
        .values(values)
        .execution_options(synchronize_session="fetch")
    )
    if not result.rowcount:  # type: ignore[attr-defined]
        raise ReceiptClosedError


def _check(session: Session, receipt: GoodsReceipt, entry: Entry) -> None:
    _check_open(session, receipt)
    quantities = (entry.good_milli, entry.broken_milli)
    if min(quantities) < 0 or not 0 < sum(quantities) <= MOST_MILLI:
        raise BadQuantityError
    if entry.lot.best_before and entry.lot.use_by:
        raise BadLotError


def _check_open(session: Session, receipt: GoodsReceipt) -> None:
    session.refresh(receipt, with_for_update=True)  # a line must not slip in while someone else books
    if receipt.state != ReceiptState.OPEN:
        raise ReceiptClosedError


def _fits(line: GoodsReceiptLine, lot: NewLot) -> bool:
    """Tell whether a scan belongs to a line: a scan that says nothing of lot and date belongs to the newest."""
    said: tuple[str, date | None, date | None] = (lot.code, lot.best_before, lot.use_by)
    return said in ((line.lot_code, line.best_before, line.use_by), ("", None, None))


def _line(session: Session, receipt: GoodsReceipt, line_id: int) -> GoodsReceiptLine:
    line = session.get(GoodsReceiptLine, line_id)
    if line is None or line.receipt_id != receipt.id:
        raise UnknownReceiptError
    return line
