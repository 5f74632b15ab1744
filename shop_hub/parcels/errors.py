"""Refusals about parcels."""

from shop_hub.core.errors import N_, BadInputError, NotFoundError, ShopError


class UnknownParcelError(NotFoundError):
    """There is no such parcel, or the asker may not know of it."""

    code = "unknown-parcel"
    message = N_("We could not find this parcel.")


class ParcelChangedError(ShopError):
    """Someone else has just done something with this parcel."""

    code = "parcel-changed"
    message = N_("Something has just changed with this parcel. Please look again.")


class ParcelBlockedError(ShopError):
    """The parcel must not be moved; the reason is shown."""

    code = "parcel-blocked"
    message = N_("This parcel is on hold: %(reason)s")


class NotAParcelLabelError(BadInputError):
    """A product barcode, a Leitcode or garbage was scanned instead of a parcel number."""

    code = "not-a-parcel-label"
    message = N_("This is not a parcel number. Please scan another barcode on the label.")


class LeitcodeError(NotAParcelLabelError):
    """The routing code of DHL was scanned; it names a street, not a parcel."""

    code = "leitcode"
    message = N_("This barcode only names the street. Please scan the other barcode on the label.")


class ProductCodeError(NotAParcelLabelError):
    """The barcode of a product was scanned."""

    code = "product-code"
    message = N_("This is the barcode of a product. Please scan the parcel label.")


class MistypedLabelError(NotAParcelLabelError):
    """The check digit is wrong: misread or mistyped."""

    code = "label-check-digit"
    message = N_("This parcel number was not read correctly. Please scan it again.")


class OtherCarrierError(ShopError):
    """The parcel belongs to another carrier than the courier."""

    code = "other-carrier"
    status = 403
    message = N_("This parcel belongs to another carrier.")


class AlreadyStoredError(ShopError):
    """The parcel lies in the station already."""

    code = "already-stored"
    message = N_("This parcel is already in compartment %(number)s.")


class RecipientObjectsError(ShopError):
    """The recipient does not want parcels in the station."""

    code = "recipient-objects"
    message = N_("The recipient does not want parcels in the station. Please deliver at the door.")


class SizeMissingError(BadInputError):
    """Nobody has said how large the parcel is."""

    code = "size-missing"
    message = N_("Please choose the size of the parcel.")


class DoorStillOpenError(ShopError):
    """The courier's last door is not closed yet."""

    code = "door-still-open"
    message = N_("Please close door %(number)s first.")


class WrongCodeError(ShopError):
    """No parcel waits for this code."""

    code = "wrong-code"
    status = 404
    message = N_("We do not know this code. Please look at it again.")


class StaleCodeError(ShopError):
    """The QR code is old: its parcel has been collected, or a newer code was sent."""

    code = "stale-code"
    status = 410
    message = N_("This code is no longer valid. Please ask in the shop if you are waiting for a parcel.")


class SessionOverError(ShopError):
    """The courier has been idle for too long, or the session was ended."""

    code = "courier-session-over"
    status = 401
    message = N_("You were signed out. Please sign in again.")


class StaleStationCodeError(ShopError):
    """The rotating code of the station is too old."""

    code = "stale-station-code"
    status = 410
    message = N_("This code of the station is too old. Please scan the code on the screen again.")


class StationScanNeededError(ShopError):
    """A phone asks for a door, but the code of the station was scanned too long ago (decisions.md 20)."""

    code = "station-scan-needed"
    status = 403
    message = N_("Please scan the code at the station again. Then the doors open.")


class NotInYourHandsError(ShopError):
    """What is asked for can only be done by the courier who put the parcel in, in the same session."""

    code = "not-your-parcel"
    status = 403
    message = N_("You cannot do this with this parcel.")


class TooLateError(ShopError):
    """The time in which a door may be opened again is over."""

    code = "too-late"
    status = 410
    message = N_("The time to open the door again is over.")


class ExtendedAlreadyError(ShopError):
    """A recipient may have a parcel kept longer once."""

    code = "extended-already"
    message = N_("The time was extended before. Please ask in the shop.")


class CourierPinNeededError(ShopError):
    """Taking parcels out needs the courier's PIN, not only the badge (decisions.md 21)."""

    code = "courier-pin-needed"
    status = 403
    message = N_("Please enter your PIN to take parcels out.")


class ParcelKnownError(ShopError):
    """The carrier has announced this number before, and the parcel is not gone yet."""

    code = "parcel-known"
    message = N_("This parcel number is known already.")


class PickupOverError(ShopError):
    """The right to the doors was shown more than five minutes ago, or never."""

    code = "pickup-over"
    status = 401
    message = N_("Please show your code or your card again.")


class ParcelsStillHereError(ShopError):
    """Someone is to be erased whose parcels are on their way or in a compartment."""

    code = "parcels-still-here"
    message = N_("This person still has parcels here (%(count)s). Please hand them out or back first.")
