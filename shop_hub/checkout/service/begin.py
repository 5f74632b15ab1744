"""Beginning a sale that needs the outside world: payment at a card terminal, or goods out of a machine."""

from collections.abc import Sequence

from sqlalchemy.orm import Session

from shop_hub.checkout.errors import BasketEmptyError
from shop_hub.checkout.models import Basket, BasketState, Channel, Rail, SaleState
from shop_hub.checkout.service import booking
from shop_hub.checkout.service.basket import insert_lines, open_basket, refuse_for_age
from shop_hub.checkout.service.booking import Header, Sold
from shop_hub.checkout.service.saga import HELD, HOLD, dispense
from shop_hub.checkout.service.sell import Buyer, Item, as_lines, check_sum, checked_lines, close
from shop_hub.ledger import service as ledger
from shop_hub.ledger.queries import member_key
from shop_hub.payments import service as payments


def start_terminal_payment(
    session: Session,
    basket_id: int,
    terminal_device_id: int,
    *,
    member: Buyer | None = None,
    expected_cents: int | None = None,
    channel: Channel = Channel.KIOSK,
    location_id: int | None = None,
) -> Sold:
    """Begin to pay a basket at a card terminal; `settle` ends it.

    Args:
        member: who has shown card and PIN, for the age gate; their account is not touched.
        expected_cents: the total that was shown.
        location_id: the slot of a machine that the goods come from; None is the shelf.

    Raises:
        BasketEmptyError, BasketClosedError, BasketPayingError, PriceChangedError, TotalChangedError,
        AgeNotProvenError: see `pay_from_account`; nothing was charged.
        OutOfStockError: a slot or a hard article is sold out; nothing was charged.
        NoTerminalError, TerminalInUseError: nothing was charged.
    """
    basket = close(session, basket_id, BasketState.PAYING)
    lines = checked_lines(session, basket_id, basket, member=member, expected_cents=expected_cents)
    header = Header(
        site_id=basket.site_id,
        register_code=basket.register_code,
        channel=channel,
        rail=Rail.TERMINAL,
        actor=f"member:{member.id}" if member else f"kiosk:{basket.kiosk_id}",
        member_id=member.id if member else None,
        kiosk_id=basket.kiosk_id,
        basket_id=basket_id,
        location_id=location_id,
    )
    sale = booking.begin(session, header, lines)
    if sale.total_cents < 1:
        raise BasketEmptyError
    payments.start(session, sale.id, terminal_device_id, sale.total_cents)
    return sale


def start_terminal_sale(
    session: Session, site_id: int, items: Sequence[Item], terminal_device_id: int, *, member: Buyer | None = None
) -> Sold:
    """Begin a sale of a program's till at a card terminal (decisions.md 18); `settle` ends it.

    Raises:
        As `start_terminal_payment` and `find_items`; nothing was charged.
    """
    _check_ages(session, site_id, None, items, member)
    basket = open_basket(session, site_id, None)
    _fill(session, basket, items, age_level=member.age_level if member else 0)
    return start_terminal_payment(session, basket.id, terminal_device_id, member=member, channel=Channel.API)


def start_vending(
    session: Session,
    site_id: int,
    kiosk_id: int,
    item: Item,
    *,
    location_id: int,
    member: Buyer | None,
    terminal_device_id: int | None,
) -> Sold:
    """Begin to buy one article out of a machine: its piece is reserved, then paid, then the `on_paid` hook is called.

    `delivered` or `not_delivered` ends it. Until then the money of an account is held, that of a card was charged.

    Args:
        location_id: the slot.
        member: who has shown card and PIN; pays from the account unless a terminal is given.
        terminal_device_id: where to pay by card.

    Raises:
        AgeNotProvenError, OutOfStockError, InsufficientBalanceError, NoTerminalError, TerminalInUseError: nothing was
        taken, and nothing may be kept of this call.
    """
    _check_ages(session, site_id, kiosk_id, [item], member)
    basket = open_basket(session, site_id, kiosk_id)
    _fill(session, basket, [item], age_level=member.age_level if member else 0)
    if terminal_device_id is not None:
        return start_terminal_payment(
            session,
            basket.id,
            terminal_device_id,
            member=member,
            channel=Channel.VENDING,
            location_id=location_id,
        )
    if member is None:
        raise ValueError("nobody pays")
    return _hold_account(session, basket, member, location_id)


def _hold_account(session: Session, basket: Basket, member: Buyer, location_id: int) -> Sold:
    row = close(session, basket.id, BasketState.PAYING)
    lines = checked_lines(session, basket.id, row, member=member, expected_cents=None)
    header = Header(
        site_id=row.site_id,
        register_code=row.register_code,
        channel=Channel.VENDING,
        rail=Rail.ACCOUNT,
        actor=f"member:{member.id}",
        member_id=member.id,
        kiosk_id=row.kiosk_id,
        basket_id=basket.id,
        location_id=location_id,
    )
    sale = booking.begin(session, header, lines, state=SaleState.PAID)
    held = [(member_key(member.id), -sale.total_cents), (HELD, sale.total_cents)]
    ledger.post(session, row.site_id, HOLD, str(sale.public_id), held)
    dispense(session, sale)
    return sale


def _fill(session: Session, basket: Basket, items: Sequence[Item], *, age_level: int) -> None:
    """Put items into an empty basket, as programs and machines do; a person at the till scans instead."""
    if not items:
        raise BasketEmptyError
    check_sum(as_lines(items))
    basket.age_level = age_level
    session.flush()
    for item in items:
        insert_lines(session, basket.site_id, basket.id, as_lines([item]), item.product)


def _check_ages(
    session: Session, site_id: int, kiosk_id: int | None, items: Sequence[Item], member: Buyer | None
) -> None:
    """Refuse goods that need an age which nobody has verified, before anything is written."""
    refused = [item.product for item in items if item.product.min_age > (member.age_level if member else 0)]
    if refused:
        refuse_for_age(session, site_id, kiosk_id, refused)
