"""Undoing a purchase: by opposite entries, once, within some minutes (shop.md acceptance 15)."""

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from shop_hub.checkout import rules
from shop_hub.checkout.errors import AlreadyUndoneError, NotUndoableError, UndoTooLateError, UnknownReceiptError
from shop_hub.checkout.lines import opposite
from shop_hub.checkout.models import Rail, Sale, SaleState
from shop_hub.checkout.service import booking, saga
from shop_hub.checkout.service.booking import Header, Sold
from shop_hub.core import audit, clock
from shop_hub.core.errors import BadInputError
from shop_hub.ledger.errors import AlreadyReversedError as EntryReversedError
from shop_hub.ledger.queries import member_key
from shop_hub.payments import service as payments
from shop_hub.stock.errors import AlreadyReversedError as MoveReversedError


def undo(session: Session, public_id: UUID, *, actor: str, is_staff: bool = False, reason: str = "") -> Sold:
    """Undo a done sale: goods, money and deposit are restored, with a negative receipt of its own.

    A sale from a village account is undone at once. One paid at a terminal is DONE when the terminal has given the
    money back.

    Args:
        is_staff: staff may undo later than the customer, but must say why.
        reason: why, in the person's words; kept in the audit trail.

    Raises:
        UnknownReceiptError, NotUndoableError, UndoTooLateError: nothing was done.
        BadInputError: staff gave no reason.
        AlreadyUndoneError: it was undone before, or is being undone; nothing may be kept.
    """
    why = reason.strip()[:300]
    if is_staff and not why:
        raise BadInputError(field="reason")
    sale = session.scalar(select(Sale).where(Sale.public_id == public_id).with_for_update())
    if sale is None:
        raise UnknownReceiptError
    _check(session, sale, is_staff=is_staff)
    header = Header(
        site_id=sale.site_id,
        register_code=sale.register_code,
        channel=sale.channel,
        rail=sale.rail,
        actor=actor,
        member_id=sale.member_id,
        kiosk_id=sale.kiosk_id,
        reverses_id=sale.id,
    )
    try:
        with session.begin_nested():
            undone = _undo(session, sale, header)
    except (IntegrityError, EntryReversedError, MoveReversedError) as error:
        raise AlreadyUndoneError from error
    detail = {"cents": sale.total_cents} | ({"reason": why} if why else {})
    audit.record(session, sale.site_id, actor, "sale-undone", f"sale:{sale.public_id}", **detail)
    return undone


def _undo(session: Session, sale: Sale, header: Header) -> Sold:
    lines = opposite(saga.receipt_lines(session, sale.id))
    if sale.rail is Rail.ACCOUNT:
        saga.reverse_books(session, sale, actor=header.actor)
        return booking.book_new(session, header, lines, paid_from=member_key(sale.member_id or 0))
    reversal = booking.begin(session, header, lines)
    earlier = session.scalars(select(Sale.id).where(Sale.reverses_id == sale.id, Sale.state == SaleState.VOID))
    payments.hand_over(session, [sale.id, *earlier], reversal.id)
    return reversal


def _check(session: Session, sale: Sale, *, is_staff: bool) -> None:
    if sale.state is not SaleState.DONE or sale.reverses_id is not None or sale.location_id is not None:
        raise NotUndoableError
    is_undone = session.scalar(
        select(Sale.id).where(Sale.reverses_id == sale.id, Sale.state != SaleState.VOID).limit(1)
    )
    if is_undone is not None:
        raise AlreadyUndoneError
    if not is_staff and sale.finalised_at is not None and clock.now() - sale.finalised_at > rules.undo_time():
        raise UndoTooLateError
