"""Refusals of payments."""

from shop_hub.core.errors import N_, ShopError


class NoTerminalError(ShopError):
    """There is no card terminal here, or it is not connected: nothing was charged."""

    code = "no-terminal"
    message = N_(
        "The card machine is not connected right now. Nothing was charged. Please pay with your village account."
    )


class TerminalInUseError(ShopError):
    """The terminal is busy with another payment, or one of its payments is still being checked."""

    code = "terminal-in-use"
    message = N_("The card machine is still busy with another payment. Nothing was charged. Please wait a moment.")
