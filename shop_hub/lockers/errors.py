"""Refusals of the parcel station."""

from shop_hub.core.errors import N_, BadInputError, NotFoundError, ShopError


class UnknownLockerError(NotFoundError):
    """There is no such station at this site."""

    message = N_("We could not find this parcel station.")


class UnknownCompartmentError(NotFoundError):
    """There is no such compartment at this site."""

    message = N_("We could not find this compartment.")


class StationOfflineError(ShopError):
    """The station does not answer; nothing was sent, and nothing will be sent later."""

    code = "station-offline"
    status = 503
    message = N_("The parcel station is not connected at the moment. No door will open. Please try again soon.")


class NoCompartmentError(ShopError):
    """No free compartment fits."""

    code = "no-compartment"
    status = 409
    message = N_("No free compartment of this size is left.")


class NoLowCompartmentError(NoCompartmentError):
    """Others are free, but the recipient needs one within easy reach."""

    code = "no-low-compartment"
    message = N_("This person needs a low compartment. None that fits is free. Please bring the parcel again later.")


class NoCooledCompartmentError(NoCompartmentError):
    """Others are free, but the parcel has to be cooled."""

    code = "no-cooled-compartment"
    message = N_("This parcel has to be cooled. No cooled compartment that fits is free.")


class CompartmentNotFreeError(ShopError):
    """Someone else has this compartment, or it is not in a state for it."""

    code = "compartment-not-free"
    status = 409
    message = N_("Compartment %(number)s cannot be used at the moment.")


class DoorInUseError(ShopError):
    """The door is open, or it is just being opened."""

    code = "door-in-use"
    status = 409
    message = N_("Door %(number)s is just being opened. Please wait a moment.")


class ReasonMissingError(BadInputError):
    """Whoever opens a door or closes a compartment for others must say why."""

    code = "reason-missing"
    message = N_("Please give a reason.")


class DoorNotClosedError(ShopError):
    """The compartment cannot be given free while its door is not known to be closed."""

    code = "door-not-closed"
    status = 409
    message = N_("Please close door %(number)s first.")


class SetupStepError(ShopError):
    """The setting up of the station is at another step."""

    code = "setup-step"
    status = 409
    message = N_("This step is not possible right now. Please look at the page again.")


class UnknownSetupError(NotFoundError):
    """There is no such setting up, or no such lock in it."""

    message = N_("We could not find this step of the set-up.")


class NumberTakenError(ShopError):
    """Another lock has opened the door with this number."""

    code = "number-taken"
    status = 409
    message = N_("Door %(number)s belongs to another lock already.")


class LocksLeftError(ShopError):
    """Some locks have not been tried yet, or none belongs to a door."""

    code = "locks-left"
    status = 409
    message = N_("Every lock must be tried or marked as not connected, and at least one door must be found.")


class BoardUnclearError(ShopError):
    """Two boards may have the address of one that has doors."""

    code = "board-unclear"
    status = 409
    message = N_("Two boards have the same address. Give each its own address, then look for the boards again.")


class DoorsInUseError(ShopError):
    """The new door map would leave out doors with parcels behind them."""

    code = "doors-in-use"
    status = 409
    message = N_(
        "There may be parcels behind doors that are missing from the new map: %(numbers)s. "
        "Give these doors their numbers, or end the set-up and have the parcels taken out."
    )
