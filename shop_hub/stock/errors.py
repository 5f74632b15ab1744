"""Refusals of stock."""

from shop_hub.core.errors import N_, ShopError


class OutOfStockError(ShopError):
    """Fewer are left than wanted where the books decide; nothing has changed."""

    code = "out-of-stock"
    status = 409
    message = N_("This is sold out.")


class AlreadyReversedError(ShopError):
    """The move was put back before; nothing has changed."""

    code = "already-reversed"
    status = 409
    message = N_("This was undone already.")


class UnknownMoveError(ShopError):
    """There is no such move to put back."""

    code = "unknown-move"
    status = 404
    message = N_("We could not find this booking.")


class BadQuantityError(ShopError):
    """Not a quantity above zero, or beyond all reason."""

    code = "bad-quantity"
    status = 422
    message = N_("Please check the quantity.")


class DeliveryNoteBookedError(ShopError):
    """The same delivery note of the same supplier was booked before."""

    code = "delivery-note-booked"
    status = 409
    message = N_("The delivery note %(delivery_note)s was booked before. Nothing was booked twice.")


class EmptyReceiptError(ShopError):
    """A goods receipt without supplier, delivery note or lines."""

    code = "empty-receipt"
    status = 422
    message = N_("Please choose the supplier, and enter the delivery note and at least one article.")


class BadLotError(ShopError):
    """A lot with two dates, or a date that cannot be."""

    code = "bad-lot"
    status = 422
    message = N_("Please check the date of the goods.")


class UnknownTaskError(ShopError):
    """There is no such open task."""

    code = "unknown-task"
    status = 404
    message = N_("This task is done already.")


class UnknownLocationError(ShopError):
    """There is no such place at this site."""

    code = "unknown-location"
    status = 404
    message = N_("We could not find this place.")
