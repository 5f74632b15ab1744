"""What people read about devices."""

from shop_hub.core.errors import N_
from shop_hub.fleet.models import ANSWER, MISSING, CommandState, DeviceKind, Happening, Link

KIND = {
    DeviceKind.LOCKER: N_("Parcel station"),
    DeviceKind.VENDING: N_("Vending machine"),
    DeviceKind.ATM: N_("Cash machine"),
    DeviceKind.DOOR: N_("Shop door"),
    DeviceKind.TERMINAL: N_("Card terminal"),
    DeviceKind.SCANNER: N_("Scanner"),
    DeviceKind.PRINTER: N_("Printer"),
    DeviceKind.THERMOMETER: N_("Thermometer"),
}
ICON = {
    DeviceKind.LOCKER: "locker",
    DeviceKind.VENDING: "vending",
    DeviceKind.ATM: "atm",
    DeviceKind.DOOR: "door",
    DeviceKind.TERMINAL: "card",
    DeviceKind.SCANNER: "barcode",
    DeviceKind.PRINTER: "print",
    DeviceKind.THERMOMETER: "thermometer",
}
LINK = {
    Link.NEVER: N_("never heard"),
    Link.OFFLINE: N_("switched off"),
    Link.SILENT: N_("not known"),
    Link.BEHIND: N_("catching up"),
    Link.READY: N_("connected"),
}
TONE = {Link.NEVER: "", Link.OFFLINE: "bad", Link.SILENT: "bad", Link.BEHIND: "warning", Link.READY: "good"}
COMMAND = {
    CommandState.NEW: N_("being sent"),
    CommandState.SENT: N_("being sent"),
    CommandState.ACCEPTED: N_("under way"),
    CommandState.UNCONFIRMED: N_("no answer yet"),
    CommandState.DONE: N_("done"),
    CommandState.PARTIAL: N_("partly done"),
    CommandState.FAILED: N_("failed"),
    CommandState.REJECTED: N_("refused by the machine"),
    CommandState.EXPIRED: N_("not carried out"),
    CommandState.UNKNOWN: N_("outcome not known"),
}
COMMAND_TONE = {
    CommandState.DONE: "good",
    CommandState.PARTIAL: "warning",
    CommandState.FAILED: "bad",
    CommandState.REJECTED: "bad",
    CommandState.EXPIRED: "",
    CommandState.UNKNOWN: "warning",
    CommandState.UNCONFIRMED: "warning",
}
VERSION = {"maker": N_("Driver"), "firmware": N_("Firmware"), "protocol": N_("Protocol")}
"""Fields of `$description` that say which programs run."""
HAPPENING = {
    Happening.VERSION: N_("other version"),
    Happening.BOOT: N_("restarted"),
    Happening.LIFE: N_("came with an empty or another memory"),
}
OP = {
    "open": N_("open the door"),
    "vend": N_("hand out a piece"),
    "unlock": N_("unlock the shop door"),
    "mode": N_("change the door's mode"),
    "charge": N_("take a card payment"),
    "reverse": N_("take a card payment back"),
    "status": N_("ask about a card payment"),
    "print": N_("print a slip"),
    "scan": N_("look for lock boards"),
    "test": N_("try a lock"),
    "halt": N_("stop the station"),
    "map": N_("take a new door map"),
    "end": N_("end the set-up"),
}
EVENT = {MISSING: N_("not received"), ANSWER: N_("answer to an order")}
FAULT = {
    "link": N_("Network cable pulled"),
    "power": N_("Switched off"),
    "jam": N_("Jams"),
    "sensor-stuck": N_("Door contact is stuck"),
    "forced-open": N_("Forced open"),
    "held-open": N_("Door held open"),
    "board-lost": N_("Lock board lost"),
    "warm": N_("Too warm"),
    "door-open": N_("Its door stands open"),
    "silent": N_("Machine does not answer"),
    "drop-unseen": N_("Next piece: its drop sensor sees nothing"),
    "motor-stuck": N_("Next piece: the motor does not turn"),
    "reboot": N_("Next piece: the machine restarts in the middle"),
    "out-of-order": N_("Out of order"),
    "no-cash": N_("No banknotes left"),
    "dead": N_("Device is dead"),
    "paper-out": N_("Out of paper"),
    "cover-open": N_("Cover is open"),
    "battery-low": N_("Battery nearly empty"),
}
"""What may be broken on purpose, as in devices/simulators/faults.py."""
