"""Refusals about people, cards, PINs and passwords."""

from shop_hub.core.errors import N_, BadInputError, ShopError


class UnknownCardError(ShopError):
    """The card is unknown, blocked, or its owner is blocked: the asker is not told which."""

    code = "unknown-card"
    status = 404
    message = N_("We do not know this card. It may be blocked. Please ask in the shop.")


class UnknownBadgeError(ShopError):
    """The courier badge is unknown or blocked."""

    code = "unknown-badge"
    status = 404
    message = N_("We do not know this badge. Please ask your dispatcher.")


class WrongPinError(ShopError):
    """The PIN does not belong to the card, or the card has none."""

    code = "wrong-pin"
    status = 403
    message = N_("The PIN is not right. Please try again.")


class WeakPinError(BadInputError):
    """The new PIN is not 4 to 6 digits, or it is one that a thief tries first."""

    code = "weak-pin"
    message = N_("Please choose 4 to 6 digits. Not all the same, and not in a row like 1234.")


class WrongLoginError(ShopError):
    """User name and password do not fit; the same words for an unknown user."""

    code = "wrong-login"
    status = 403
    message = N_("User name or password is not right.")


class ShortPasswordError(BadInputError):
    """The new password is shorter than eight characters."""

    code = "short-password"
    message = N_("The password needs at least 8 characters. Better are 15 or more, such as four words.")


class CommonPasswordError(BadInputError):
    """The new password is one of those that attackers try first, or holds the user name."""

    code = "common-password"
    message = N_("This password is easy to guess. Please choose another one, such as four words.")


class StaleResetError(ShopError):
    """The one-time code for a new password is unknown, used or too old."""

    code = "stale-reset"
    status = 410
    message = N_("This code is no longer valid. Please ask an administrator for a new one.")


class NameTakenError(ShopError):
    """The user name or carrier code exists already."""

    code = "name-taken"
    status = 409
    message = N_("This name is taken already.")


class LastAdministratorError(ShopError):
    """The change would leave a site without an administrator."""

    code = "last-administrator"
    status = 409
    message = N_("The shop needs at least one administrator.")


class OtherSitesError(ShopError):
    """The account also opens other shops, where the asker is no administrator."""

    code = "works-elsewhere-too"
    status = 403
    message = N_(
        "This person works in other shops, too. Only an administrator of all these shops may do this. "
        "You can change the role here."
    )


class MailAddressMissingError(BadInputError):
    """Someone wants mail but has no address."""

    code = "mail-address-missing"
    message = N_("For messages by mail we need a mail address.")


class BadMailAddressError(BadInputError):
    """The mail address cannot be right."""

    code = "bad-mail-address"
    message = N_("This mail address cannot be right.")


class BadPasswordRepeatError(BadInputError):
    """The new password was typed differently the second time."""

    code = "bad-password-repeat"
    message = N_("The two new passwords are not the same.")
