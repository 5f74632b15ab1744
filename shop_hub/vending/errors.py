"""Refusals at the vending machine. Whoever reads one of them has not paid."""

from shop_hub.core.errors import N_, BadInputError, NotFoundError, ShopError


class UnknownSlotError(NotFoundError):
    """There is no such slot at this site."""

    code = "unknown-slot"
    message = N_("We could not find this slot.")


class SlotNotForSaleError(ShopError):
    """The slot is sold out, blocked, has no goods or no price."""

    code = "slot-not-for-sale"
    message = N_("This slot does not sell right now. Nothing was charged. Please choose another one.")


class MachineBusyError(ShopError):
    """The machine serves someone else."""

    code = "machine-busy"
    message = N_("The machine is serving someone right now. Please try again in a moment.")


class MachineOfflineError(ShopError):
    """The machine is not connected."""

    code = "machine-offline"
    message = N_("The vending machine is not connected right now. Nothing was charged.")


class NotForMachinesError(BadInputError):
    """Age-limited goods, spirits and weighed goods never go into a machine (JuSchG §9, §10; GastG §20)."""

    code = "not-for-machines"
    message = N_("This article must not be sold by a machine: it is age limited, forbidden there, or sold by weight.")


class TooManyPiecesError(BadInputError):
    """More pieces than fit."""

    code = "too-many-pieces"
    message = N_("Slot %(slot)s holds at most %(most)s pieces.")


class NoGoodsError(BadInputError):
    """A slot without goods cannot be filled."""

    code = "no-goods"
    message = N_("Slot %(slot)s has no article yet. Please choose one first.")


class SlotInUseError(ShopError):
    """Somebody is buying from the slot right now."""

    code = "slot-in-use"
    message = N_("Somebody is buying from this slot right now. Please wait a moment.")


class NotAnAuditError(BadInputError):
    """The file is no EVA-DTS file."""

    code = "not-an-audit"
    message = N_("This is no audit file of a vending machine (EVA-DTS). Nothing was taken over.")


class AuditTooLargeError(BadInputError):
    """Far more than a machine of any size counts."""

    code = "audit-too-large"
    message = N_("This file is too large for an audit file: at most %(most)s kB. Nothing was taken over.")


class AuditCutOffError(BadInputError):
    """The reading was interrupted."""

    code = "audit-cut-off"
    message = N_("The end of this audit file is missing. Please read the machine again. Nothing was taken over.")


class AuditDamagedError(BadInputError):
    """The check sum says that characters have changed on the way."""

    code = "audit-damaged"
    message = N_(
        "This audit file is damaged: its check sum does not fit. Please read the machine again. Nothing was taken over."
    )


class AuditWithoutCountsError(BadInputError):
    """Nothing in it can be compared with our books."""

    code = "audit-without-counts"
    message = N_("This audit file counts no sales. Nothing was taken over.")


class NoAuditChosenError(BadInputError):
    """The form came without a file."""

    code = "no-audit-chosen"
    message = N_("Please choose an audit file first.")


class SelectionTakenError(BadInputError):
    """Two slots of a machine cannot have one name: nobody could tell which of them was meant."""

    code = "selection-taken"
    message = N_("Another slot of this machine has the selection %(selection)s already.")
