"""What drives every sale to its end: at start, every few seconds, and by a person where the outside stays silent."""

import logging
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from shop_hub.checkout import rules
from shop_hub.checkout.errors import NotInReviewError
from shop_hub.checkout.models import Basket, BasketState, Sale, SaleState
from shop_hub.checkout.service import saga
from shop_hub.checkout.service.booking import Sold, sold
from shop_hub.core import audit, clock
from shop_hub.core.errors import BadInputError
from shop_hub.payments import service as payments

log = logging.getLogger(__name__)

OPEN = (SaleState.NEW, SaleState.PAY_UNKNOWN, SaleState.PAID, SaleState.OUT, SaleState.ABORT)


def recover(session: Session) -> None:
    """Drive every sale on that is neither done nor void. Idempotent."""
    sales = session.scalars(select(Sale.id).where(Sale.state.in_(OPEN)).order_by(Sale.id)).all()
    for sale_id in sales:
        try:
            with session.begin_nested():
                _drive(session, sale_id)
        except Exception:
            log.exception("sale not driven on", extra={"sale": sale_id})  # the others must not wait for it
    _abandon_forgotten(session)


def decide(session: Session, public_id: UUID, *, is_paid: bool, reason: str, actor: str) -> Sold:
    """End a sale in review by a person's decision.

    Args:
        is_paid: the shop has the money and keeps it. So a sale is booked and a reversal is void, else the other way.
        reason: why, in the person's words.

    Raises:
        NotInReviewError: there is nothing to decide.
        BadInputError: no reason.
    """
    sale = saga.locked(session, saga.find(session, public_id).id)
    if sale is None or sale.state is not SaleState.IN_REVIEW:
        raise NotInReviewError
    if not reason.strip():
        raise BadInputError(field="reason")
    act = "review-paid" if is_paid else "review-void"
    audit.record(session, sale.site_id, actor, act, f"sale:{sale.public_id}", reason=reason.strip()[:300])
    if is_paid == (sale.reverses_id is None):
        saga.move(session, sale, SaleState.PAID)
        saga.complete(session, sale)
    else:
        saga.void(session, sale, reason.strip()[:300])
    payments.end_by_hand(session, sale.id, is_taken=is_paid)
    return sold(sale)


def _abandon_forgotten(session: Session) -> None:
    forgotten = select(Basket.id).where(
        Basket.state == BasketState.OPEN, Basket.touched_at < clock.now() - rules.BASKET_LIFE
    )
    if session.scalar(forgotten.limit(1)) is not None:
        session.execute(
            update(Basket)
            .where(Basket.id.in_(forgotten))
            .values(state=BasketState.ABANDONED)
            .execution_options(synchronize_session=False)
        )


def _drive(session: Session, sale_id: int) -> None:
    sale = saga.locked(session, sale_id)
    if sale is None or sale.state not in OPEN:
        return
    is_due = clock.now() - sale.created_at > rules.REVIEW_AFTER
    if sale.state in (SaleState.NEW, SaleState.PAY_UNKNOWN) and is_due:
        saga.review(session, sale, "no-answer")
    elif sale.state is SaleState.PAY_UNKNOWN and clock.now() - sale.touched_at > rules.REVERSE_AFTER:
        payments.reverse(session, sale.id)
    elif sale.state is SaleState.PAID and sale.location_id is not None:
        saga.dispense(session, sold(sale))
    elif sale.state in (SaleState.PAID, SaleState.OUT):
        saga.complete(session, sale)
    elif sale.state is SaleState.ABORT:
        saga.give_back(session, sale, sale.reason)
