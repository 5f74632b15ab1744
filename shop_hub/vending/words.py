"""What people in the office read about slots and vends."""

from shop_hub.core.errors import N_
from shop_hub.vending.models import Flag, VendState

FLAG = {
    Flag.JAM: N_("jammed"),
    Flag.EMPTY: N_("empty before its time, please count"),
    Flag.DOUBT: N_("a piece is missing or stuck, please count"),
    Flag.OFF: N_("switched off by hand"),
}
VEND = {
    VendState.WAITING: N_("being paid"),
    VendState.DISPENSING: N_("dispensing"),
    VendState.DOUBT: N_("being checked"),
    VendState.DROPPED: N_("dropped"),
    VendState.FAILED: N_("not dropped, money back"),
    VendState.LOST: N_("in doubt, not charged"),
    VendState.CANCELLED: N_("not paid"),
}
TONE = {
    VendState.DROPPED: "good",
    VendState.FAILED: "warning",
    VendState.LOST: "bad",
    VendState.DOUBT: "warning",
}
