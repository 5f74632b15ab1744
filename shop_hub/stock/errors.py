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


class BadReceiptError(ShopError):
    """A goods receipt without supplier or delivery note."""

    code = "bad-receipt"
    status = 422
    message = N_("Please choose the supplier and enter the number of the delivery note.")


class EmptyReceiptError(ShopError):
    """A goods receipt without lines cannot be booked."""

    code = "empty-receipt"
    status = 409
    message = N_("Nothing is entered yet. Please scan the first article.")


class ReceiptClosedError(ShopError):
    """The receipt is booked or undone; its lines stay as they are."""

    code = "receipt-closed"
    status = 409
    message = N_("This delivery is booked already.")


class UnknownReceiptError(ShopError):
    """There is no such goods receipt or line at this site."""

    code = "unknown-receipt"
    status = 404
    message = N_("We could not find this delivery.")


class SupplierExistsError(ShopError):
    """Another supplier bears this name."""

    code = "supplier-exists"
    status = 409
    message = N_("There is a supplier of this name already.")


class BadSupplierError(ShopError):
    """A supplier needs a name."""

    code = "bad-supplier"
    status = 422
    message = N_("Please enter the name of the supplier.")


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
