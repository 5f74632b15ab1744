"""Refusals of the checkout: each says what to do next. None of them touches the rest of the basket."""

from shop_hub.core.errors import N_, NotAllowedError, NotFoundError, ShopError


class BasketClosedError(ShopError):
    """The basket is being paid, paid or given up."""

    code = "basket-closed"
    message = N_("This basket is closed. Please start again with an empty one.")


class BasketPayingError(BasketClosedError):
    """A payment of this basket is under way; it must end before anything changes."""

    code = "basket-paying"
    message = N_("This basket is being paid right now. Please wait a moment.")


class BasketEmptyError(ShopError):
    """There is nothing to pay."""

    code = "basket-empty"
    message = N_("Your basket is empty. Please scan an article first.")


class UnknownLineError(NotFoundError):
    """The line is not in the basket (any more)."""

    code = "unknown-line"
    message = N_("This article is not in your basket any more.")


class FixedQuantityError(ShopError):
    """Weighed goods and labels with a price come as they are."""

    code = "fixed-quantity"
    message = N_("The label says how much this is. To change it, remove it and scan another one.")


class TooManyError(ShopError):
    """More than a household buys; a mistake is likelier."""

    code = "too-many"
    status = 422
    message = N_("That is more than %(most)s. If you really need so many, please ask in the shop.")


class TooExpensiveError(ShopError):
    """The basket is over the limit of the shop."""

    code = "too-expensive"
    message = N_("The basket is over %(most_euro)s euros. Please pay it first, then start a new one.")


class AgeNotProvenError(ShopError):
    """The goods are age limited (JuSchG §9, §10), and no sufficient age is verified."""

    code = "age-not-proven"
    status = 403
    message = N_("This article is for people of %(min_age)s or older. Please show your member card first.")


class TooYoungError(AgeNotProvenError):
    """A member's verified level is below what the goods need."""

    code = "too-young"
    message = N_("This article is for people of %(min_age)s or older. We may not sell it to you.")


class PastUseByError(ShopError):
    """The use-by date has passed: unsafe by law (Reg. (EU) 1169/2011, Art. 24)."""

    code = "past-use-by"
    message = N_("The use-by date of this piece has passed. Please leave it here and take another one.")


class PastBestBeforeError(ShopError):
    """The best-before date has passed, and the shop does not sell this product then."""

    code = "past-best-before"
    message = N_("The best-before date of this piece has passed. Please take another one.")


class PriceChangedError(ShopError):
    """The quote has ended and prices are different now: the customer must see and agree first."""

    code = "price-changed"
    message = N_("A price has changed. Please look at your basket once more.")


class TotalChangedError(ShopError):
    """The basket is not what was shown when payment was asked for."""

    code = "total-changed"
    message = N_("Your basket has changed. Please check it, then pay.")


class UndoTooLateError(ShopError):
    """A receipt can be undone for some minutes only."""

    code = "undo-too-late"
    message = N_("This purchase can no longer be undone here. Please ask in the shop.")


class UndoNotYoursError(NotAllowedError):
    """At the kiosk only the visit that has bought, or the member of the sale, may undo it."""

    code = "undo-not-yours"
    message = N_("Please sign in with your card to undo this purchase, or ask in the shop.")


class UndoNeedsManagerError(NotAllowedError):
    """The purchase is too large for this role to undo."""

    code = "undo-needs-manager"
    message = N_("Only a manager may undo a purchase of more than %(euros)s €.")


class AlreadyUndoneError(ShopError):
    """A receipt is undone at most once."""

    code = "already-undone"
    message = N_("This purchase was undone before. Nothing more was done.")


class NotUndoableError(ShopError):
    """The sale is not done, is itself a reversal, or came out of a machine."""

    code = "not-undoable"
    message = N_("This purchase cannot be undone here. Please ask in the shop.")


class UnknownReceiptError(NotFoundError):
    """No receipt has this number or token."""

    code = "unknown-receipt"
    message = N_("We could not find this receipt.")


class NotInReviewError(ShopError):
    """Nothing is to be decided about this sale (any more)."""

    code = "not-in-review"
    message = N_("This case has been decided already.")
