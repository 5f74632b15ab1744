"""What words of the station's set-up are called for people."""

from shop_hub.core.errors import N_
from shop_hub.lockers.models import LockState

LOCK = {
    LockState.UNTESTED: N_("not tried yet"),
    LockState.TESTING: N_("is being tried"),
    LockState.OPENED: N_("a door opened"),
    LockState.STAYED_SHUT: N_("stayed shut"),
    LockState.UNKNOWN: N_("no answer"),
    LockState.MAPPED: N_("done"),
    LockState.UNUSED: N_("nothing connected"),
}
LOCK_TONE = {
    LockState.TESTING: "info",
    LockState.OPENED: "info",
    LockState.STAYED_SHUT: "warning",
    LockState.UNKNOWN: "warning",
    LockState.MAPPED: "good",
}
FINDING = {
    "ok": N_("found"),
    "twins": N_("two boards have this address"),
    "garbled": N_("cannot be understood: two boards with one address, or a bad cable"),
}
CODE = {
    "door_open": N_("The contact says that this door is open. Close it and try again."),
    "stopped": N_("The station is stopped. Look for the boards again."),
    "not_found": N_("The station does not know this lock. Look for the boards again."),
}
