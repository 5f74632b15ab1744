"""Booking a sale: goods, money, receipt number and receipt move in one transaction, or not at all.

Rows are always touched in the same order (stock by product, accounts by key, register last), so that two tills on
PostgreSQL never wait for each other in a circle. Statements are built once; the ORM would cost more than the work.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from sqlalchemy import Table, bindparam, insert, update
from sqlalchemy.orm import Session

from shop_hub.catalog.models import StockPolicy
from shop_hub.checkout import receipts
from shop_hub.checkout.lines import Line, gross, postings, total
from shop_hub.checkout.models import Channel, LineKind, Rail, Register, Sale, SaleLine, SaleState
from shop_hub.climate import holds
from shop_hub.climate.models import Stand
from shop_hub.core import clock, events
from shop_hub.core.ids import uuid7
from shop_hub.core.prepared import Prepared
from shop_hub.fiscal import signer
from shop_hub.ledger import service as ledger
from shop_hub.stock import books
from shop_hub.stock import service as stock
from shop_hub.stock.models import MoveReason

KIND = "sale"

_sales, _sale_lines, _registers = (cast("Table", model.__table__) for model in (Sale, SaleLine, Register))
_insert_sale = Prepared(insert(_sales).returning(_sales.c.id))
_insert_lines = Prepared(insert(_sale_lines))
_finish = Prepared(
    update(_sales)
    .where(_sales.c.id == bindparam("sale"), _sales.c.state == bindparam("expected"))
    .values(
        state=SaleState.DONE,
        receipt_number=bindparam("number"),
        receipt_hash=bindparam("hash"),
        fiscal=bindparam("signature"),
        finalised_at=bindparam("now"),
        touched_at=bindparam("now"),
    )
)


def _numbering(dialect_insert: Any) -> Any:
    return (
        dialect_insert(_registers)
        .on_conflict_do_update(index_elements=["site_id", "code"], set_={"last_number": _registers.c.last_number + 1})
        .returning(_registers.c.last_number)
    )


_next_number = Prepared(_numbering)


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What a sale is, beside its lines."""

    site_id: int
    register_code: str
    channel: Channel
    rail: Rail
    actor: str
    member_id: int | None = None
    kiosk_id: int | None = None
    basket_id: int | None = None
    location_id: int | None = None
    reverses_id: int | None = None
    has_reserved: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Sold:
    """A sale as its verbs return it. `receipt_number` is None until it is done."""

    id: int
    public_id: UUID
    site_id: int
    state: SaleState
    register_code: str
    receipt_number: int | None
    total_cents: int
    reason: str = ""

    @property
    def number(self) -> str:
        """Return the receipt's number as printed, e.g. "K1-17"."""
        return "" if self.receipt_number is None else f"{self.register_code}-{self.receipt_number}"


def book_new(session: Session, header: Header, lines: Sequence[Line], *, paid_from: str) -> Sold:
    """Book a sale whose money is certain: stock, ledger, number, receipt.

    Args:
        paid_from: account the money comes from, e.g. "member:7".

    Raises:
        GoodsHeldError: their cooling failed.
        InsufficientBalanceError, OutOfStockError: the transaction must be rolled back.
    """
    public_id = uuid7()
    if header.reverses_id is None:
        _check_held(session, header, lines)
        _take(session, header, public_id, lines)
        ledger.post(session, header.site_id, KIND, str(public_id), postings(lines, paid_from))
    signature = _sign(header, public_id, lines)
    number = _number(session, header.site_id, header.register_code)
    values = _sale(header, public_id, total(lines), clock.now()) | {
        "state": SaleState.DONE,
        "receipt_number": number,
        "receipt_hash": receipts.hash_of(public_id),
        "fiscal": signature,
        "finalised_at": clock.now(),
    }
    sale_id = int(_insert_sale.value(session, values))
    _write_lines(session, header.site_id, sale_id, lines)
    events.publish(session, "sale", header.site_id)
    return _sold(header, sale_id, public_id, values)


def begin(session: Session, header: Header, lines: Sequence[Line], *, state: SaleState = SaleState.NEW) -> Sold:
    """Write a sale that is still to be paid or delivered, and reserve its hard goods.

    Raises:
        GoodsHeldError: their cooling failed.
        OutOfStockError: a slot holds too few; the transaction must be rolled back.
    """
    if header.reverses_id is None:
        _check_held(session, header, lines)
    public_id = uuid7()
    reserved = header.location_id is not None or any(line.stock_policy is StockPolicy.HARD for line in lines)
    if reserved and header.reverses_id is None:
        _take(session, header, public_id, lines, only=StockPolicy.HARD)
    values = _sale(header, public_id, total(lines), clock.now()) | {
        "state": state,
        "has_reserved": reserved and header.reverses_id is None,
        "receipt_number": None,
        "receipt_hash": None,
        "fiscal": {},
        "finalised_at": None,
    }
    sale_id = int(_insert_sale.value(session, values))
    return _sold(header, sale_id, public_id, values)


def finish(session: Session, sale: Sale, lines: Sequence[Line], *, paid_from: str) -> None:
    """Book a sale that was begun and whose row is locked: what was not reserved leaves the shelf now.

    Raises:
        RuntimeError: the sale was finished elsewhere; the transaction must be rolled back.
    """
    header = header_of(sale)
    if sale.reverses_id is None:
        _take(session, header, sale.public_id, lines, only=StockPolicy.SOFT)
        ledger.post(session, sale.site_id, KIND, str(sale.public_id), postings(lines, paid_from))
    values = {
        "sale": sale.id,
        "expected": sale.state,
        "signature": _sign(header, sale.public_id, lines),
        "number": _number(session, sale.site_id, sale.register_code),
        "hash": receipts.hash_of(sale.public_id),
        "now": clock.now(),
    }
    if not _finish.run(session, values):
        raise RuntimeError("the sale was finished elsewhere")
    _write_lines(session, sale.site_id, sale.id, lines)
    session.refresh(sale)
    events.publish(session, "sale", sale.site_id)


def header_of(sale: Sale) -> Header:
    """Return the header of a stored sale."""
    actor = f"member:{sale.member_id}" if sale.member_id else f"kiosk:{sale.kiosk_id}" if sale.kiosk_id else "system"
    return Header(
        site_id=sale.site_id,
        register_code=sale.register_code,
        channel=sale.channel,
        rail=sale.rail,
        actor=actor,
        member_id=sale.member_id,
        kiosk_id=sale.kiosk_id,
        basket_id=sale.basket_id,
        location_id=sale.location_id,
        reverses_id=sale.reverses_id,
        has_reserved=sale.has_reserved,
    )


def sold(sale: Sale) -> Sold:
    """Return a stored sale as the verbs return it."""
    return Sold(
        id=sale.id,
        public_id=sale.public_id,
        site_id=sale.site_id,
        state=sale.state,
        register_code=sale.register_code,
        receipt_number=sale.receipt_number,
        total_cents=sale.total_cents,
        reason=sale.reason,
    )


def stock_ref(public_id: UUID) -> str:
    """Return what the stock moves of a sale refer to."""
    return f"sale:{public_id}"


def _check_held(session: Session, header: Header, lines: Sequence[Line]) -> None:
    stand = Stand.MACHINE if header.channel is Channel.VENDING else Stand.SHELF
    holds.check(session, header.site_id, {line.product_id for line in lines if line.kind is LineKind.GOODS}, stand)


def _take(
    session: Session, header: Header, public_id: UUID, lines: Sequence[Line], only: StockPolicy | None = None
) -> None:
    """Take goods from the shelf, or from the slot of a machine, where every piece is hard."""
    is_slot = header.location_id is not None
    if is_slot and only is StockPolicy.SOFT:
        return
    wanted = [
        books.Line(
            product_id=line.product_id,
            quantity_milli=line.quantity_milli,
            is_hard=line.stock_policy is StockPolicy.HARD,
        )
        for line in lines
        if line.kind is LineKind.GOODS and (is_slot or only in (None, line.stock_policy))
    ]
    ref, reason = stock_ref(public_id), MoveReason.SALE
    if header.location_id is not None:
        for line in wanted:
            stock.take_hard(
                session,
                header.location_id,
                line.product_id,
                line.quantity_milli,
                reason=reason,
                ref=ref,
                actor=header.actor,
            )
    elif wanted:
        stock.take_lines(session, header.site_id, wanted, reason=reason, ref=ref, actor=header.actor)


def _number(session: Session, site_id: int, code: str) -> int:
    return int(_next_number.value(session, {"site_id": site_id, "code": code, "last_number": 1}))


def _sign(header: Header, public_id: UUID, lines: Sequence[Line]) -> dict[str, Any]:
    """Ask the signer. The null signer answers at once; a device will be a journaled step of its own before this one."""
    signing = signer.Signing(
        str(public_id), gross(lines), header.rail.value, is_reversal=header.reverses_id is not None
    )
    signature = signer.current().finish(signing)
    return {"signed": signature.is_signed, **signature.data}


def _sale(header: Header, public_id: UUID, total_cents: int, now: datetime) -> dict[str, Any]:
    return {
        "public_id": public_id,
        "site_id": header.site_id,
        "register_code": header.register_code,
        "channel": header.channel,
        "rail": header.rail,
        "total_cents": total_cents,
        "member_id": header.member_id,
        "kiosk_id": header.kiosk_id,
        "basket_id": header.basket_id,
        "reverses_id": header.reverses_id,
        "location_id": header.location_id,
        "has_reserved": header.has_reserved,
        "is_cancelled": False,
        "reason": "",
        "created_at": now,
        "touched_at": now,
    }


def _sold(header: Header, sale_id: int, public_id: UUID, values: dict[str, Any]) -> Sold:
    return Sold(
        id=sale_id,
        public_id=public_id,
        site_id=header.site_id,
        state=values["state"],
        register_code=header.register_code,
        receipt_number=values["receipt_number"],
        total_cents=values["total_cents"],
    )


def _write_lines(session: Session, site_id: int, sale_id: int, lines: Sequence[Line]) -> None:
    _insert_lines.run_many(
        session,
        [
            {
                "sale_id": sale_id,
                "position": line.position,
                "site_id": site_id,
                "kind": line.kind,
                "refers_to": line.refers_to,
                "product_id": line.product_id,
                "name": line.name,
                "name_en": line.name_en,
                "unit": line.unit,
                "quantity_milli": line.quantity_milli,
                "unit_price_cents": line.unit_price_cents,
                "total_cents": line.total_cents,
                "vat_permille": line.vat_permille,
                "base_price_cents": line.base_price_cents,
                "base_unit": line.base_unit,
                "deposit_type_id": line.deposit_type_id,
                "lot": line.lot,
            }
            for line in lines
        ],
    )
