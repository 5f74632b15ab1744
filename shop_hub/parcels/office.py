"""The backoffice's part for parcels: its place in the menu, and words for states."""

from flask import Blueprint

from shop_hub.core import menu
from shop_hub.core.access import Principal, Role
from shop_hub.core.errors import N_
from shop_hub.core.web import session
from shop_hub.lockers.models import Allocation, Door, OpeningState, Purpose
from shop_hub.parcels import queries
from shop_hub.parcels.models import ParcelState

blueprint = Blueprint("parcels", __name__, url_prefix="/office/parcels", template_folder="templates")

STATES = {
    ParcelState.ANNOUNCED: (N_("announced"), "info"),
    ParcelState.DEPOSITING: (N_("being put in"), "info"),
    ParcelState.READY: (N_("waits"), "good"),
    ParcelState.COLLECTING: (N_("being collected"), "info"),
    ParcelState.EXPIRED: (N_("not collected in time"), "warning"),
    ParcelState.RETURNING: (N_("goes back"), "warning"),
    ParcelState.DISPUTED: (N_("to be looked at"), "bad"),
    ParcelState.COLLECTED: (N_("collected"), ""),
    ParcelState.RETURNED: (N_("handed back"), ""),
    ParcelState.CANCELLED: (N_("cancelled"), ""),
    ParcelState.REJECTED: (N_("refused"), ""),
    ParcelState.LOST: (N_("lost"), ""),
}
EVENTS = {
    "announced": N_("Announced by the carrier"),
    "captured": N_("Label scanned, not announced before"),
    "label-scanned": N_("Label scanned, door asked to open"),
    "door-opened": N_("Door seen open"),
    "door-closed": N_("Door seen closed"),
    "door-did-not-open": N_("Door did not open"),
    "opening-refused": N_("Station refused to open"),
    "opening-unknown": N_("No answer from the station"),
    "door-left-open": N_("Door left open"),
    "opening-retried": N_("Tried again"),
    "compartment-changed": N_("Another compartment"),
    "deposited": N_("Put in"),
    "undo-asked": N_("Courier takes it out again"),
    "still-inside": N_("Still inside"),
    "deposit-undone": N_("Taken out again"),
    "sensor-contradicts": N_("Sensor sees nothing, courier says it is inside"),
    "courier-left": N_("Courier left in the middle"),
    "interrupted": N_("Station was interrupted"),
    "collecting": N_("Recipient asked for the door"),
    "collecting-again": N_("Recipient asked again"),
    "opened-late": N_("Door opened late"),
    "closed-with-parcel": N_("Closed, parcel still inside"),
    "not-taken": N_("Not taken out"),
    "collected": N_("Collected"),
    "reopened": N_("Opened once more"),
    "not-mine": N_("Recipient: not my parcel"),
    "empty": N_("Recipient: compartment empty"),
    "damaged": N_("Recipient: parcel damaged"),
    "found-elsewhere": N_("Found in another compartment"),
    "refused": N_("Refused by the recipient"),
    "expired": N_("Time is over"),
    "extended": N_("Time extended"),
    "taking-out": N_("Courier takes it back"),
    "handed-back": N_("Handed back to the courier"),
    "opened-by-staff": N_("Opened by the shop"),
    "slip-printed": N_("Slip printed"),
    "recipient-assigned": N_("Recipient set"),
    "put-on-hold": N_("Put on hold"),
    "hold-lifted": N_("Hold lifted"),
    "cancelled": N_("Cancelled"),
    "forced": N_("Door opened without being asked"),
    "gone": N_("Compartment empty without a pick-up"),
    "resolved-ready": N_("Solved: it waits again"),
    "resolved-returning": N_("Solved: it goes back"),
    "resolved-returned": N_("Solved: handed back"),
    "resolved-collected": N_("Solved: the recipient has it"),
    "resolved-lost": N_("Solved: lost"),
}
SUSPECT = {
    "not-opened": N_("did not open"),
    "opened-late": N_("opened late"),
    "forced": N_("opened without being asked"),
    "message-lost": N_("a message was lost"),
    "new-map": N_("the doors were given new numbers"),
    "opening-unknown": N_("no answer from the station"),
    "left-behind": N_("something was left behind"),
    "occupied": N_("something lies inside"),
    "dirty": N_("dirty"),
    "broken": N_("broken"),
    "not-mine": N_("a wrong parcel lay inside"),
    "empty": N_("was empty"),
    "damaged": N_("damaged parcel"),
    "found-elsewhere": N_("parcel found elsewhere"),
    "gone": N_("empty without a pick-up"),
    "interrupted": N_("interrupted with the door open"),
    "courier-left": N_("courier left in the middle"),
    "sensor-contradicts": N_("sensor contradicts the courier"),
}
ALLOCATIONS = {
    Allocation.FREE: N_("free"),
    Allocation.RESERVED: N_("being used"),
    Allocation.OCCUPIED: N_("full"),
    Allocation.SUSPECT: N_("must be looked at"),
}
DOORS = {Door.OPEN: N_("open"), Door.CLOSED: N_("closed"), Door.UNKNOWN: N_("not known")}
PURPOSES = {
    Purpose.DEPOSIT: N_("put in"),
    Purpose.UNDO: N_("taken out again"),
    Purpose.PICKUP: N_("collected"),
    Purpose.REOPEN: N_("opened once more"),
    Purpose.HANDBACK: N_("handed back"),
    Purpose.STAFF: N_("opened by the shop"),
}
OPENINGS = {
    OpeningState.REQUESTED: N_("asked"),
    OpeningState.OPENED: N_("open"),
    OpeningState.CLOSED: N_("done"),
    OpeningState.NOT_OPENED: N_("did not open"),
    OpeningState.REFUSED: N_("refused"),
    OpeningState.UNKNOWN: N_("not known"),
}


def _to_do(asking: Principal) -> int:
    found = queries.counts(session(), asking.site)
    return found.disputed + found.without_recipient + found.slips


menu.add(
    menu.MenuItem(
        label=N_("Parcels"), endpoint="parcels.index", icon="parcel", role=Role.VOLUNTEER, sort=40, badge=_to_do
    )
)
