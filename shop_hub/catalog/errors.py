"""Refusals of the catalogue."""

from shop_hub.core.errors import N_, ShopError


class UnknownBarcodeError(ShopError):
    """The code is well formed, but no product bears it."""

    code = "unknown-barcode"
    status = 404
    message = N_("We do not know this code. Please look for the article by its name.")


class NotGoodsError(UnknownBarcodeError):
    """A member card, badge, pick-up code or receipt was scanned where goods are expected."""

    code = "not-goods"
    message = N_("This is not the code of an article. Please scan the code on the packaging.")


class WrongCheckDigitError(ShopError):
    """A digit was misread or mistyped."""

    code = "wrong-check-digit"
    status = 422
    message = N_("The code was not read correctly. Please scan it once more.")


class UnreadableBarcodeError(ShopError):
    """The scan is garbage, too long, or a GS1 message that does not parse completely."""

    code = "unreadable-barcode"
    status = 422
    message = N_("We could not read this code. Please scan it once more, or look for the article by its name.")


class NoPriceError(ShopError):
    """The product has no price at this site yet."""

    code = "no-price"
    status = 409
    message = N_("This article has no price yet. Please tell us, and leave it here for now.")


class UnknownProductError(ShopError):
    """There is no such product."""

    code = "unknown-product"
    status = 404
    message = N_("We could not find this article.")


class CodeTakenError(ShopError):
    """Another product, or this one, bears the code already."""

    code = "code-taken"
    status = 409
    message = N_("The code %(code)s belongs to another article already.")


class BadCodeError(ShopError):
    """The text cannot be a product's code."""

    code = "bad-code"
    status = 422
    message = N_("%(code)s cannot be the code of an article. Please check the digits.")


class TemplateCollisionError(ShopError):
    """An in-store template and the exact code of a product would mean the same digits."""

    code = "template-collision"
    status = 409
    message = N_("The code %(code)s would be read as a scale label.")


class BadTemplateError(ShopError):
    """The layout of an in-store code is not understood."""

    code = "bad-template"
    status = 422
    message = N_("The layout %(pattern)s is not understood.")


class BadProductError(ShopError):
    """A field of a product contradicts another; `field` names it."""

    code = "bad-product"
    status = 422
    message = N_("Please check this entry: %(field)s.")
