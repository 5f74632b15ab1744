"""How the office speaks of sales."""

from shop_hub.checkout.models import Channel, Rail, SaleState
from shop_hub.core.errors import N_

STATES = {
    SaleState.NEW: N_("waiting for payment"),
    SaleState.PAY_UNKNOWN: N_("payment being checked"),
    SaleState.PAID: N_("paid"),
    SaleState.OUT: N_("handed out"),
    SaleState.ABORT: N_("money on its way back"),
    SaleState.IN_REVIEW: N_("needs a decision"),
    SaleState.DONE: N_("done"),
    SaleState.VOID: N_("not sold"),
}
TONES = {
    SaleState.PAY_UNKNOWN: "warning",
    SaleState.ABORT: "warning",
    SaleState.IN_REVIEW: "bad",
    SaleState.DONE: "good",
}
CHANNELS = {Channel.KIOSK: N_("Kiosk"), Channel.API: N_("Program"), Channel.VENDING: N_("Vending machine")}
RAILS = {Rail.ACCOUNT: N_("Village account"), Rail.TERMINAL: N_("Bank card")}
