"""Refusals of the ledger."""

from shop_hub.core.errors import N_, ShopError


class InsufficientBalanceError(ShopError):
    """The village account holds less than is asked for."""

    code = "insufficient-balance"
    message = N_("There is not enough money in your village account. Please pay by bank card.")


class AlreadyReversedError(ShopError):
    """An entry is reversed at most once."""

    code = "already-reversed"
    message = N_("This was undone before. Nothing more was done.")


class TopUpAmountError(ShopError):
    """A top-up is between one cent and the most that one booking may carry."""

    code = "top-up-amount"
    status = 422
    message = N_("Please enter an amount of at most %(most_euro)s euros.")
