"""Refusals of the noticeboard."""

from shop_hub.core.errors import N_, BadInputError, ShopError


class EmptyTextError(BadInputError):
    """There is nothing to read."""

    code = "empty-text"
    message = N_("There is no text yet. Please write a few words.")


class LongTextError(BadInputError):
    """The text is longer than fits on a card."""

    code = "long-text"
    message = N_("The text is too long. %(most)s letters fit, these are %(count)s.")


class BoardBusyError(ShopError):
    """Too many notices were handed in here in a short time."""

    code = "board-busy"
    status = 429
    message = N_("Many notices were handed in just now. Please wait %(retry_after_s)s seconds.")


class UnknownSlipError(ShopError):
    """No notice has this slip code, or it has ended."""

    code = "unknown-slip"
    status = 404
    message = N_("We find no notice with this code. Please look at your slip once more.")


class WrongStateError(ShopError):
    """The notice has moved on meanwhile."""

    code = "wrong-state"
    status = 409
    message = N_("This notice has changed meanwhile. Please look at it once more.")


class ReasonMissingError(BadInputError):
    """A notice may not be refused without saying why."""

    code = "reason-missing"
    message = N_("Please write why, in one sentence. The writer will read it.")


class BadTimesError(BadInputError):
    """An event ends before it starts, repeats without end, or has no day."""

    code = "bad-times"
    message = N_("Day and times of the event do not fit together.")
