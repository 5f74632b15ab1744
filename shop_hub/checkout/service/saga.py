"""Sales that need the outside world: a card terminal, a machine that drops goods (trust.md section 4).

Each step is a conditional change of the sale's state in one transaction; the call to the outside leaves after the
commit, and its answer is a new transaction. Goods in the hand go NEW → PAID → DONE; a machine's goods NEW → PAID → (the
device acts) → DONE, or ABORT → VOID with the money back. What is unknown is asked for, never guessed.
"""

import logging
from collections.abc import Callable

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from shop_hub.catalog.models import StockPolicy
from shop_hub.checkout.errors import NotUndoableError
from shop_hub.checkout.lines import Line, opposite
from shop_hub.checkout.models import Basket, BasketState, Channel, Rail, Sale, SaleLine, SaleState
from shop_hub.checkout.service import booking
from shop_hub.checkout.service.booking import Sold
from shop_hub.checkout.service.sell import read_lines
from shop_hub.core import audit, clock, events
from shop_hub.core.errors import NotFoundError
from shop_hub.ledger import queries as ledger_queries
from shop_hub.ledger import service as ledger
from shop_hub.payments import service as payments
from shop_hub.payments.service import Outcome
from shop_hub.stock import service as stock
from shop_hub.stock.models import MoveReason

log = logging.getLogger(__name__)

CLEARING = "card-clearing"
HELD = "held"
"""Account that holds what a member has paid for goods that a machine has not dropped yet."""
HOLD = "hold"
RELEASE = "release"
UNPAID = (SaleState.NEW, SaleState.PAY_UNKNOWN)
OnPaid = Callable[[Session, Sold], None]
_on_paid: list[OnPaid] = []


def on_paid(function: OnPaid) -> None:
    """Have `function(session, sale)` called when goods of a machine are paid: it writes the command to drop them.

    It may be called again by `recover` and must then only make sure that the command exists.
    """
    if function not in _on_paid:
        _on_paid.append(function)


def settle(session: Session, sale_id: int, outcome: Outcome, code: str = "") -> None:
    """Take what happened to a sale's payment. Late and repeated calls are harmless; `payments` calls this."""
    sale = locked(session, sale_id)
    if sale is None:
        log.error("outcome of a payment without sale", extra={"sale": sale_id})
        return
    match outcome:
        case Outcome.APPROVED:
            _approved(session, sale)
        case Outcome.DECLINED | Outcome.CANCELLED:
            if sale.state in (*UNPAID, SaleState.ABORT):
                void(session, sale, code or outcome.value)
        case Outcome.UNKNOWN:
            if sale.state is SaleState.NEW and sale.reverses_id is None:
                move(session, sale, SaleState.PAY_UNKNOWN, reason=code)
        case Outcome.REVERSED:
            _reversed(session, sale)
        case Outcome.REVERSAL_FAILED:
            if sale.state is not SaleState.DONE:
                review(session, sale, "reversal-failed")
    events.publish(session, "payment", sale.site_id, kiosk=sale.kiosk_id)


def cancel(session: Session, sale_id: int) -> None:
    """Note that the customer wishes to stop; should the terminal still approve, the money goes back at once."""
    session.execute(
        update(Sale)
        .where(Sale.id == sale_id, Sale.state.in_(UNPAID), Sale.reverses_id.is_(None))
        .values(is_cancelled=True, touched_at=clock.now())
    )


def delivered(session: Session, sale_id: int) -> None:
    """Book goods that a machine has certainly dropped. Repeating is harmless."""
    sale = locked(session, sale_id)
    if sale is not None and sale.state in (SaleState.PAID, SaleState.OUT):
        move(session, sale, SaleState.OUT)
        complete(session, sale)


def not_delivered(session: Session, sale_id: int, reason: str, *, is_gone: bool = False) -> None:
    """Give the money back for goods that a machine did not drop, or may not have dropped. Repeating is harmless.

    Args:
        reason: the device's word, e.g. "jam"; shown to staff.
        is_gone: nobody knows where the piece is: the customer pays nothing, the piece is written off.
    """
    sale = locked(session, sale_id)
    if sale is None or sale.state is not SaleState.PAID:
        return
    if is_gone:
        _write_off(session, sale)
    move(session, sale, SaleState.ABORT, reason=reason)
    give_back(session, sale, reason)


def dispense(session: Session, sale: Sold) -> None:
    """Have paid goods dropped; called again, the hook only makes sure that the command exists."""
    for function in _on_paid:
        function(session, sale)


def give_back(session: Session, sale: Sale, reason: str) -> None:
    """Return the money of a sale that is being aborted: at once to an account, else by a reversal at the terminal."""
    is_at_terminal = sale.rail is Rail.TERMINAL
    if is_at_terminal and (payments.reverse(session, sale.id) or payments.is_open(session, sale.id)):
        return  # `settle` voids it when the terminal has answered
    void(session, sale, reason)


def complete(session: Session, sale: Sale) -> None:
    """Book a paid sale: goods, ledger, receipt number, receipt; or the opposite of the sale that it reverses."""
    if sale.reverses_id is not None:
        complete_reversal(session, sale)
        return
    lines = read_lines(session, sale.site_id, sale.basket_id or 0)
    booking.finish(session, sale, lines, paid_from=CLEARING if sale.rail is Rail.TERMINAL else HELD)
    payments.capture(session, sale.id)
    session.execute(update(Basket).where(Basket.id == sale.basket_id).values(state=BasketState.FINALISED))


def complete_reversal(session: Session, sale: Sale) -> None:
    """Book the opposite of a sale: its goods go back, its money goes back, the receipt is a negative one."""
    before = session.get_one(Sale, sale.reverses_id)
    reverse_books(session, before, actor=booking.header_of(sale).actor)
    booking.finish(session, sale, opposite(receipt_lines(session, before.id)), paid_from=CLEARING)


def reverse_books(session: Session, before: Sale, *, actor: str) -> None:
    """Put the goods of a done sale back, and book the opposite of its entry.

    Raises:
        AlreadyReversedError: of stock or ledger; nothing may be kept.
    """
    stock.put_back_ref(session, before.site_id, booking.stock_ref(before.public_id), actor=actor)
    entry = ledger_queries.entry_id(session, before.site_id, booking.KIND, str(before.public_id))
    if entry is not None:
        ledger.reverse(session, before.site_id, entry, "undo", str(before.public_id))


def receipt_lines(session: Session, sale_id: int) -> list[Line]:
    """Return the lines of a done sale."""
    rows = session.scalars(select(SaleLine).where(SaleLine.sale_id == sale_id).order_by(SaleLine.position)).all()
    if not rows:
        raise NotUndoableError
    return [
        Line(
            position=row.position,
            kind=row.kind,
            refers_to=row.refers_to,
            product_id=row.product_id,
            name=row.name,
            name_en=row.name_en,
            unit=row.unit,
            quantity_milli=row.quantity_milli,
            unit_price_cents=row.unit_price_cents,
            fixed_total_cents=row.total_cents,
            vat_permille=row.vat_permille,
            base_price_cents=row.base_price_cents,
            base_unit=row.base_unit,
            deposit_type_id=row.deposit_type_id,
            lot=row.lot,
            stock_policy=StockPolicy.SOFT,
            min_age=0,
        )
        for row in rows
    ]


def void(session: Session, sale: Sale, reason: str) -> None:
    """End a sale that did not happen: nothing is charged, reserved goods are free, the basket can be paid anew."""
    if sale.has_reserved:
        stock.put_back_ref(session, sale.site_id, booking.stock_ref(sale.public_id), actor="system")
    hold = ledger_queries.entry_id(session, sale.site_id, HOLD, str(sale.public_id))
    if hold is not None:
        ledger.reverse(session, sale.site_id, hold, RELEASE, str(sale.public_id))
    to = BasketState.ABANDONED if sale.channel is Channel.VENDING else BasketState.OPEN
    session.execute(
        update(Basket)
        .where(Basket.id == sale.basket_id, Basket.state == BasketState.PAYING)
        .values(state=to, touched_at=clock.now())
    )
    move(session, sale, SaleState.VOID, reason=reason)


def review(session: Session, sale: Sale, reason: str) -> None:
    """Hand a sale to a person, since the outside gives no answer."""
    move(session, sale, SaleState.IN_REVIEW, reason=reason)
    audit.record(session, sale.site_id, "system", "sale-in-review", f"sale:{sale.public_id}", reason=reason)
    events.publish(session, "tasks", sale.site_id)


def move(session: Session, sale: Sale, to: SaleState, *, reason: str | None = None) -> None:
    """Change the state of a sale whose row is locked."""
    sale.state = to
    sale.touched_at = clock.now()
    if reason is not None:
        sale.reason = reason
    session.flush()


def locked(session: Session, sale_id: int) -> Sale | None:
    """Return a sale, locked against others until the end of the transaction; its payments first, as they do."""
    payments.hold(session, sale_id)
    return session.scalar(
        select(Sale).where(Sale.id == sale_id).with_for_update().execution_options(populate_existing=True)
    )


def find(session: Session, public_id: object) -> Sale:
    """Return a sale by its public id.

    Raises:
        NotFoundError: there is none.
    """
    sale = session.scalar(select(Sale).where(Sale.public_id == public_id))
    if sale is None:
        raise NotFoundError(what="sale")
    return sale


def _approved(session: Session, sale: Sale) -> None:
    if sale.state is SaleState.IN_REVIEW:
        return  # a person decides
    if sale.state not in UNPAID or sale.is_cancelled or sale.reverses_id is not None:
        if sale.state in UNPAID:
            move(session, sale, SaleState.ABORT, reason="cancelled")
        payments.reverse(session, sale.id)  # never both: money taken and no sale
        return
    move(session, sale, SaleState.PAID)
    if sale.location_id is None:
        complete(session, sale)
    else:
        dispense(session, booking.sold(sale))


def _reversed(session: Session, sale: Sale) -> None:
    if sale.reverses_id is not None and sale.state in (SaleState.NEW, SaleState.IN_REVIEW):
        move(session, sale, SaleState.PAID)
        complete(session, sale)
    elif sale.state not in (SaleState.DONE, SaleState.VOID):
        void(session, sale, sale.reason or "reversed")


def _write_off(session: Session, sale: Sale) -> None:
    """Book a piece whose whereabouts nobody knows as lost, at the price of nothing to the customer."""
    stock.put_back_ref(session, sale.site_id, booking.stock_ref(sale.public_id), actor="system")
    sale.has_reserved = False
    for line in read_lines(session, sale.site_id, sale.basket_id or 0):
        if line.deposit_type_id is None:
            stock.waste(
                session,
                sale.site_id,
                line.product_id,
                line.quantity_milli,
                actor="system",
                reason=MoveReason.THEFT,
                location_id=sale.location_id,
                note="vend in doubt",
            )
