"""Payments whose end was unclear: how their customer finds them again, and the office speaks of them."""

from datetime import timedelta
from uuid import UUID

from sqlalchemy import and_, or_, select
from sqlalchemy.orm import Session

from shop_hub.checkout import queries
from shop_hub.checkout.models import Rail, Sale, SaleState
from shop_hub.core import clock

CASE_LIFE = timedelta(days=3)
LEFT_LIFE = timedelta(hours=2)
UNENDED = (SaleState.NEW, SaleState.PAY_UNKNOWN, SaleState.PAID, SaleState.OUT, SaleState.ABORT)


def case_number(public_id: UUID) -> str:
    """Return the six digits by which a customer and the office speak of the same sale."""
    return f"{int(public_id.hex[-8:], 16) % 1_000_000:06}"


def find_case(session: Session, site_id: int, number: str) -> UUID | None:
    """Return the newest sale at a terminal with this case number, of the last days, or None."""
    recent = select(Sale.public_id).where(
        Sale.site_id == site_id, Sale.rail == Rail.TERMINAL, Sale.created_at > clock.now() - CASE_LIFE
    )
    found = (public_id for public_id in session.scalars(recent.order_by(Sale.id.desc())))
    return next((public_id for public_id in found if case_number(public_id) == number), None)


def left_behind(session: Session, kiosk_id: int) -> list[queries.SaleRow]:
    """Return payments at a kiosk whose end its customer may not have seen: those still open, and late successes.

    They bear no name; amount and time let the customer find their own.
    """
    was_unclear = and_(Sale.state == SaleState.DONE, Sale.reason != "", Sale.reverses_id.is_(None))
    where = (
        Sale.kiosk_id == kiosk_id,
        Sale.rail == Rail.TERMINAL,
        Sale.created_at > clock.now() - LEFT_LIFE,
        or_(Sale.state.in_(UNENDED), was_unclear),
    )
    return queries.sale_rows(session, where, 3)
