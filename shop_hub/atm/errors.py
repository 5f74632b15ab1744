"""Refusals about the cash machine."""

from shop_hub.core.errors import N_, BadInputError


class MachineWatchedError(BadInputError):
    """The machine reports by itself: an entry by hand would be overwritten at once and mislead until then."""

    code = "atm-watched"
    message = N_("This cash machine reports by itself right now. An entry by hand is not needed.")
