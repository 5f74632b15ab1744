"""Reads of payments."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from shop_hub.fleet import queries as fleet
from shop_hub.fleet.models import Device, DeviceKind
from shop_hub.payments.models import IntentState, PaymentIntent


@dataclass(frozen=True)
class IntentView:
    """Where a payment at a terminal stands."""

    state: IntentState
    code: str
    cents: int
    trace: str
    terminal: str
    created_at: datetime


def terminal_for(session: Session, site_id: int, kiosk_id: int | None) -> Device | None:
    """Return the terminal that stands at a kiosk, else the first one of the site, or None."""
    bound = fleet.bound_to(session, kiosk_id, DeviceKind.TERMINAL) if kiosk_id is not None else None
    return bound or next(iter(fleet.devices(session, site_id, DeviceKind.TERMINAL)), None)


def is_terminal_ready(session: Session, site_id: int, kiosk_id: int | None) -> bool:
    """Tell whether a card payment could begin right now."""
    terminal = terminal_for(session, site_id, kiosk_id)
    return terminal is not None and fleet.is_ready(session, terminal.id)


def of_sale(session: Session, sale_id: int) -> IntentView | None:
    """Return the newest payment of a sale, or None."""
    intent = session.scalar(
        select(PaymentIntent).where(PaymentIntent.sale_id == sale_id).order_by(PaymentIntent.id.desc()).limit(1)
    )
    if intent is None:
        return None
    terminal = fleet.device(session, intent.device_id)
    return IntentView(intent.state, intent.code, intent.cents, intent.trace, terminal.name, intent.created_at)
