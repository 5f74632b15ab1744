"""Refusals about probes."""

from shop_hub.core.errors import N_, BadInputError


class WrongLimitsError(BadInputError):
    """The lower limit must be below the upper one."""

    code = "wrong-limits"
    message = N_("The lower limit must be below the upper limit.")


class NoteMissingError(BadInputError):
    """Without a word about the goods the note says nothing."""

    code = "note-missing"
    message = N_("Please write what you found and what you did with the goods.")
