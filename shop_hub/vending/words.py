"""What people in the office read about slots and vends."""

from shop_hub.core.errors import N_
from shop_hub.vending.comparing import Start, Verdict
from shop_hub.vending.models import AuditSource, Flag, VendState

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
SLOT_STATE = {
    "ok": N_("ready"),
    "empty": N_("empty"),
    "jam": N_("jammed"),
    "warm": N_("too warm, blocked until someone has replaced the goods"),
    "doubt": N_("waits until it is clear whether a piece has dropped"),
}
"""What a machine says of a slot itself."""
AUDIT_SOURCE = {AuditSource.UPLOAD: N_("file from hand"), AuditSource.DEVICE: N_("from the machine")}
AUDIT_START = {
    Start.FIRST: N_("This is the first reading. The next one will be compared with it."),
    Start.OTHER_MACHINE: N_("The counters belong to another machine than last time. Comparing begins anew here."),
    Start.COUNTERS_RESET: N_("The machine's counters began anew since last time. Comparing begins anew here."),
}
AUDIT_DOUBT = {
    "segments": N_("The file says it has %(said)s lines, and has %(counted)s. This happens with some machines."),
    "no-checksum": N_("The file has no check sum: nobody can tell whether it came over whole."),
    "selection-twice": N_("Selection %(selection)s stands there twice; the last numbers count."),
    "sum-vends": N_("The machine's own total is %(total)s pieces, but its slots make %(sum)s."),
    "sum-cents": N_("The machine's own total of money is not the sum of its slots."),
    "clock": N_("The machine's clock is wrong: it says %(told)s."),
}
AUDIT_VERDICT = {
    Verdict.AGREES: N_("agrees"),
    Verdict.PRICE: N_("Pieces agree, the money does not: is the price in the machine another one?"),
    Verdict.DOUBTS_DROPPED: N_("Purchases in doubt did drop: the machine counted them, nobody paid."),
    Verdict.MACHINE_MORE: N_("The machine handed out more than was sold here. Please count the slot."),
    Verdict.MACHINE_LESS: N_("Fewer pieces came out than were sold here. Please look into the slot."),
    Verdict.RESET: N_("This slot's counter began anew; it is not compared."),
    Verdict.NOT_COUNTED: N_("The machine does not count this slot."),
    Verdict.NO_SLOT: N_("No slot here has this selection. Please enter it at the right slot."),
}
AUDIT_TONE = {
    Verdict.AGREES: "good",
    Verdict.DOUBTS_DROPPED: "info",
    Verdict.PRICE: "warning",
    Verdict.MACHINE_MORE: "warning",
    Verdict.MACHINE_LESS: "bad",
    Verdict.RESET: "info",
    Verdict.NOT_COUNTED: "info",
    Verdict.NO_SLOT: "warning",
}
