"""Refusals: what a person or a client is told when something cannot be done.

A refusal is not a crash. It carries a stable code for programs, an HTTP status, parameters, and a sentence that the
person can act on. Sentences are gettext message ids; the edge translates them.
"""

from typing import ClassVar


def N_(message: str) -> str:  # noqa: N802 - the name that gettext tools know
    """Mark `message` for translation where it stands; the edge translates it later."""
    return message


class OperatingError(Exception):
    """Something that an administrator at the command line has to mend; the text says what. Visitors never see it."""


class ShopError(Exception):
    """Base of all refusals.

    Subclasses set `code`, `status` and `message`; keyword arguments become `params` and fill `%(name)s` in the
    message. Params never hold names, PINs or codes, since they are logged.
    """

    code: ClassVar[str] = "refused"
    status: ClassVar[int] = 409
    message: ClassVar[str] = N_("This did not work. Please try again.")

    def __init__(self, **params: object) -> None:
        super().__init__(self.code, params)
        self.params = params


class NotFoundError(ShopError):
    """The thing does not exist, or the asker may not know of it."""

    code = "not-found"
    status = 404
    message = N_("We could not find this.")


class BadInputError(ShopError):
    """The request is not understood. `field` names the culprit."""

    code = "bad-input"
    status = 422
    message = N_("Something in the form is missing or wrong.")


class NotAllowedError(ShopError):
    """The asker is known but may not do this."""

    code = "not-allowed"
    status = 403
    message = N_("You are not allowed to do this.")


class LoginRequiredError(ShopError):
    """Nobody has signed in, or the session has ended."""

    code = "login-required"
    status = 401
    message = N_("Please sign in first.")


class TooManyAttemptsError(ShopError):
    """A counter is over its limit. `retry_after_s` says when the next try is heard."""

    code = "too-many-attempts"
    status = 429
    message = N_("Too many tries. Please wait %(retry_after_s)s seconds, or use your card or QR code.")


class KeyReusedError(ShopError):
    """An idempotency key came with another body (IETF Idempotency-Key draft)."""

    code = "idempotency-key-reused"
    status = 422
    message = N_("This was sent before with other contents. Nothing was done.")


class KeyMissingError(ShopError):
    """A POST that moves money, goods or doors came without idempotency key."""

    code = "idempotency-key-missing"
    status = 400
    message = N_("The request has no Idempotency-Key. Nothing was done.")
