"""Refusals about probes and about goods that were too warm."""

from shop_hub.core.errors import N_, BadInputError, ShopError


class WrongLimitsError(BadInputError):
    """The lower limit must be below the upper one."""

    code = "wrong-limits"
    message = N_("The lower limit must be below the upper limit.")


class NoteMissingError(BadInputError):
    """Without a word about the goods the note says nothing."""

    code = "note-missing"
    message = N_("Please write what you found and what you did with the goods.")


class GoodsHeldError(ShopError):
    """The goods were too warm for too long. `products` names those that are held."""

    code = "goods-held"
    message = N_("Not for sale right now, because the cooling failed: %(names)s. Please put it back.")

    def __init__(self, products: list[str]) -> None:
        super().__init__(products=products, names=", ".join(products))


class StillWarmError(ShopError):
    """Released goods would go on getting warm."""

    code = "still-warm"
    message = N_("It is still too warm there, or the thermometer is silent. Please move the goods or throw them away.")


class AlreadyDecidedError(ShopError):
    """Somebody else has decided about these goods."""

    code = "already-decided"
    message = N_("Somebody has decided about these goods already.")


class StillHeldError(ShopError):
    """Goods leave the watch only when nothing of them is held."""

    code = "still-held"
    message = N_("These goods are held right now. Please decide about them first.")
