"""Refusals about alarms and who is told."""

from shop_hub.core.errors import N_, BadInputError, NotAllowedError, ShopError


class BadAddressError(BadInputError):
    """Neither a mail address nor an address of a service that we send to."""

    code = "bad-address"
    message = N_("We cannot send to this address. Please look at the examples.")


class NoServicesError(ShopError):
    """The optional library is not installed."""

    code = "no-services"
    message = N_("Only mail works here. For push services and messengers please install shop-hub[alarms].")


class BadQuietHoursError(BadInputError):
    """Quiet hours need a beginning and an end."""

    code = "bad-quiet-hours"
    message = N_("Please give both times of the quiet hours, for example 22:00 and 06:00, or neither.")


class NotYourContactError(NotAllowedError):
    """Somebody else has entered it."""

    code = "not-your-contact"
    message = N_("Only who has entered it, or a manager, may remove this.")
