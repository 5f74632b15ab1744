"""Refusals of the device side."""

from sqlalchemy.exc import InterfaceError, OperationalError

from shop_hub.core.errors import N_, BadInputError, ShopError

AWAY = (OperationalError, InterfaceError)
"""The database is away or full: nobody's message is to blame."""


class DeviceOfflineError(ShopError):
    """The device is not connected, or the hub does not know its present state: nothing was sent."""

    code = "device-offline"
    status = 409
    message = N_("This machine is not connected right now. Nothing was done. Please try again in a moment.")


class CollectedDeviceError(ShopError):
    """This is the hub of a region: it listens to the devices of villages that run their own hubs."""

    code = "device-collected"
    status = 409
    message = N_("This machine belongs to a village with a hub of its own. It can be used only there.")


class DeviceBusyError(ShopError):
    """An earlier command for the same node has no final answer yet: nothing was sent."""

    code = "device-busy"
    status = 409
    message = N_("This is still busy. Please wait a moment.")


class SlugTakenError(BadInputError):
    """A device with this short name exists at the site."""

    code = "device-slug-taken"
    message = N_("There is already a device with this short name.")


class WrongSlugError(BadInputError):
    """A short name may hold lower-case letters, digits and hyphens, up to 40."""

    code = "device-slug-wrong"
    message = N_("The short name may only have small letters, digits and hyphens.")


class WrongPairingCodeError(ShopError):
    """The code is unknown, used or older than ten minutes."""

    code = "pairing-code-wrong"
    status = 422
    message = N_("This code is not right or too old. Please get a new one in the office.")


class ReasonMissingError(BadInputError):
    """Who cuts a device off says why."""

    code = "reason-missing"
    message = N_("Please give a reason.")


class MachinesAwayError(ShopError):
    """The simulated machines of a demo do not answer."""

    code = "machines-away"
    status = 503
    message = N_("The simulated machines do not answer. Please try again in a moment.")


class RegisterTakenError(ShopError):
    """Each kiosk has a register code of its own: it begins the numbers of its receipts."""

    code = "register-taken"
    message = N_("Another kiosk of this shop has this register code.")
