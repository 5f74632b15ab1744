"""API of the tills: sell goods in the hand from a village account, or begin a sale at a card terminal."""

from datetime import datetime
from uuid import UUID

from flask import Blueprint
from pydantic import Field, model_validator

from shop_hub.catalog.errors import NoPriceError, UnknownBarcodeError, UnreadableBarcodeError, WrongCheckDigitError
from shop_hub.checkout import queries
from shop_hub.checkout import service as checkout
from shop_hub.checkout.errors import (
    AgeNotProvenError,
    BasketEmptyError,
    PastBestBeforeError,
    PastUseByError,
    TooExpensiveError,
    TooManyError,
)
from shop_hub.checkout.models import Sale, SaleState
from shop_hub.checkout.service.booking import Sold
from shop_hub.core.access import Role, principal
from shop_hub.core.api import PREFIX, ApiModel, operation
from shop_hub.core.errors import NotFoundError, TooManyAttemptsError
from shop_hub.core.web import hub, session
from shop_hub.fleet import queries as fleet
from shop_hub.fleet.errors import DeviceBusyError, DeviceOfflineError
from shop_hub.ledger.errors import InsufficientBalanceError
from shop_hub.payments.errors import NoTerminalError, TerminalInUseError
from shop_hub.people import service as people
from shop_hub.people.errors import UnknownCardError, WrongPinError
from shop_hub.people.service import CardOwner
from shop_hub.stock.errors import OutOfStockError

blueprint = Blueprint("checkout_api", __name__, url_prefix=PREFIX)


class LineIn(ApiModel):
    """One article; `quantity` is how often its code is scanned."""

    gtin: str = Field(min_length=1, max_length=80)
    quantity: int = Field(default=1, ge=1, le=99)


class SaleIn(ApiModel):
    """A purchase: either member card and PIN, or the id or short name of a card terminal (then 202)."""

    lines: list[LineIn] = Field(min_length=1, max_length=200)
    member_card: str | None = Field(default=None, max_length=200)
    pin: str | None = Field(default=None, max_length=12)
    terminal: str | None = Field(default=None, min_length=1, max_length=40)

    @model_validator(mode="after")
    def _one_way_to_pay(self) -> "SaleIn":
        if (self.member_card is None) != (self.pin is None):
            raise ValueError("member_card and pin belong together")
        if self.member_card is None and self.terminal is None:
            raise ValueError("member_card with pin, or terminal")
        return self


class SaleOut(ApiModel):
    """A sale that is done. `receipt_number` is the number as printed; `sequence` counts without gaps per register."""

    id: str
    receipt_number: str
    register_code: str
    sequence: int
    total_cents: int


class SaleStatus(ApiModel):
    """Where a sale stands: new, pay_unknown, paid, out, abort, in_review, done or void; the last two are ends."""

    id: str
    state: SaleState
    status_url: str
    total_cents: int
    receipt_number: str | None
    reason: str
    finalised_at: datetime | None


@operation(
    blueprint,
    "POST",
    "/sales",
    roles=(Role.TILL,),
    body=SaleIn,
    result=SaleOut,
    status=201,
    also={202: SaleStatus},
    idempotent=True,
    errors=(
        UnknownBarcodeError,
        UnreadableBarcodeError,
        WrongCheckDigitError,
        NoPriceError,
        BasketEmptyError,
        AgeNotProvenError,
        PastBestBeforeError,
        PastUseByError,
        TooExpensiveError,
        TooManyError,
        UnknownCardError,
        WrongPinError,
        TooManyAttemptsError,
        InsufficientBalanceError,
        OutOfStockError,
        NoTerminalError,
        TerminalInUseError,
        DeviceOfflineError,
        DeviceBusyError,
        NotFoundError,
    ),
)
def create_sale(body: SaleIn) -> SaleOut | tuple[SaleStatus, int]:
    """Sell goods that the customer has in hand; with `terminal` the sale ends at its status address."""
    site_id = principal().site
    member = _member(body)
    items = checkout.find_items(session(), site_id, [(line.gtin, line.quantity) for line in body.lines])
    if body.terminal is not None:
        terminal = fleet.by_name(session(), site_id, body.terminal)
        sold = checkout.start_terminal_sale(session(), site_id, items, terminal.id, member=member)
        return _status(queries.sale(session(), sold.public_id)), 202
    assert member is not None  # noqa: S101 - SaleIn's validator
    return _out(checkout.sell(session(), site_id, items, member))


@operation(blueprint, "GET", "/sales/<uuid:sale_id>", roles=(Role.TILL,), result=SaleStatus, errors=(NotFoundError,))
def get_sale(sale_id: UUID) -> SaleStatus:
    """Return where a sale stands."""
    sale = queries.sale(session(), sale_id)
    if sale.site_id != principal().site:
        raise NotFoundError(what="sale")
    return _status(sale)


def _member(body: SaleIn) -> CardOwner | None:
    if body.member_card is None or body.pin is None:
        return None
    pad = f"token:{principal().token_id}"
    return people.verify_card(session(), hub().hasher, body.member_card, body.pin, pad=pad)


def _out(sold: Sold) -> SaleOut:
    assert sold.receipt_number is not None  # noqa: S101 - an account sale is done at once
    return SaleOut(
        id=str(sold.public_id),
        receipt_number=sold.number,
        register_code=sold.register_code,
        sequence=sold.receipt_number,
        total_cents=sold.total_cents,
    )


def _status(sale: Sale) -> SaleStatus:
    return SaleStatus(
        id=str(sale.public_id),
        state=sale.state,
        status_url=f"{PREFIX}/sales/{sale.public_id}",
        total_cents=sale.total_cents,
        receipt_number=f"{sale.register_code}-{sale.receipt_number}" if sale.receipt_number else None,
        reason=sale.reason,
        finalised_at=sale.finalised_at,
    )
