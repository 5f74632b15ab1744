"""Refusals at the door and about its rules."""

from shop_hub.core.errors import N_, BadInputError, ShopError


class ShopClosedError(ShopError):
    """No rule lets this person in now. `opens` is the next moment at which one does, as text."""

    code = "shop-closed"
    status = 403
    message = N_("The shop is closed right now. It opens again: %(opens)s.")


class ShopClosedForLongError(ShopError):
    """No rule lets this person in now or in the coming weeks."""

    code = "shop-closed"
    status = 403
    message = N_("The shop is closed right now.")


class MembersOnlyError(ShopError):
    """Members may come in now, others may not."""

    code = "members-only"
    status = 403
    message = N_("The shop is open for members now. Please hold your member card to the reader.")


class KeptClosedError(ShopError):
    """Staff has closed the shop by hand."""

    code = "kept-closed"
    status = 403
    message = N_("The shop is closed just now. Please look at the note at the door.")


class ReasonMissingError(BadInputError):
    """Staff opens a door only with a reason, since it is kept for later."""

    code = "reason-missing"
    message = N_("Please write why you open the door.")


class WrongHoursError(BadInputError):
    """A window must begin before it ends, within one day."""

    code = "wrong-hours"
    message = N_("Please give a beginning and an end; the end must be later. For a night, make two lines.")


class NoWeekdayError(BadInputError):
    """A rule without weekday would never hold."""

    code = "no-weekday"
    message = N_("Please choose at least one day of the week.")


class WrongDatesError(BadInputError):
    """The last day lies before the first."""

    code = "wrong-dates"
    message = N_("The last day must not be before the first.")
